import { expect, test } from "vitest";
import type { Signalbox } from "../../src/call/box/box.ts";
import { libraryCredential } from "../../src/call/box/signalbox.ts";
import { approvalIdOf, codeOf, shopBox, shopPolicy } from "../support/box.ts";
import { verifies } from "../verifies.ts";
import type { BoxSession } from "../../src/call/box/box-session.ts";

const request = (
  amount = 20,
  key = "k1",
): { readonly tool: string; readonly arguments: { orderId: string; amount: number }; readonly key: string } => ({
  tool: "order.refund",
  arguments: { orderId: "A-1", amount },
  key,
});

const sessionOf = (box: Signalbox, tenant: string, user: string): Promise<BoxSession> =>
  box.session({ tenant, user, roles: ["support"], attributes: { region: "eu" } });

test(
  verifies(
    "EXEC-06",
    "SAFE-06",
    "the same key of another user or tenant is another key: each has its own effect and learns nothing of the other",
  ),
  async () => {
    const { box, shop } = await shopBox();
    const owners = [
      ["acme", "ada"],
      ["acme", "bob"],
      ["other", "ada"],
      ["acm", "eada"],
    ] as const;
    const answers = [];
    for (const [tenant, user] of owners) answers.push(await (await sessionOf(box, tenant, user)).turn().call(request()));
    expect(answers.map(({ outcome }) => outcome)).toMatchObject(owners.map(() => ({ kind: "completed", isReplay: false })));
    expect(shop.refunds).toHaveLength(owners.length);
    expect(new Set(shop.refunds.map(({ key }) => key)).size).toBe(owners.length);
    for (const { key } of shop.refunds) expect(key).not.toMatch(/acme|ada|bob|k1/);
    await box.close();
  },
);

test(verifies("EXEC-06", "the same key of the same user holds over sessions, and for another tool it is another key"), async () => {
  const { box, turn, shop } = await shopBox();
  await turn.call(request());
  const later = (await sessionOf(box, "acme", "ada")).turn();
  expect((await later.call(request())).outcome).toMatchObject({ kind: "completed", isReplay: true });
  expect((await later.call({ tool: "order.get", arguments: { orderId: "A-2" }, key: "k1" })).outcome).toMatchObject({
    kind: "completed",
    isReplay: false,
  });
  expect(shop.refunds).toHaveLength(1);
  await box.close();
});

test(
  verifies(
    "EXEC-06",
    "a key with other arguments is refused while the first call runs, after it completed, and while it waits for a person",
  ),
  async () => {
    const { box, turn, shop } = await shopBox();
    shop.script = ["hang"];
    void turn.call(request(20, "running"));
    await turn.call(request(21, "done"));
    expect((await turn.call(request(90, "asked"))).outcome.kind).toBe("pending");
    for (const key of ["running", "done", "asked"]) expect(codeOf(await turn.call(request(22, key)))).toBe("KEY_REUSED");
    expect(shop.refunds.map(({ amount }) => amount)).toEqual([21]);
    void box.close();
  },
);

test("the answer of a key that was used with other arguments tells nothing of the first call's arguments or result", async () => {
  const { box, turn } = await shopBox();
  await turn.call({ tool: "order.get", arguments: { orderId: "A-1" }, key: "k1" });
  const answer = await turn.call({ tool: "order.get", arguments: { orderId: "A-2" }, key: "k1" });
  expect(JSON.stringify(answer.outcome)).not.toMatch(/A-1|region/);
  await box.close();
});

test(verifies("AUTH-01", "a replay is answered only to whoever still may call the tool, in a session that still lives"), async () => {
  const { box, session, turn } = await shopBox();
  await turn.call(request());
  const other = await sessionOf(box, "acme", "ada");
  await box.stopSession(session.id, "acme", "over");
  expect(codeOf(await turn.call(request()))).toBe("SESSION_STOPPED");
  await box.revokeRoles({ tenant: "acme", user: "ada", roles: ["support"], by: "operator" });
  const refused = await other.turn().call(request());
  expect(codeOf(refused)).toMatch(/PERMISSION_DENIED|TOOL_NOT_FOUND/);
  expect(JSON.stringify(refused.outcome)).not.toContain("refunded");
  await box.close();
});

test(verifies("SAFE-06", "the outcome of a call is told to its own tenant and credential alone"), async () => {
  const { box, turn } = await shopBox();
  const { callId } = await turn.call(request());
  for (const credential of [libraryCredential("other"), { ...libraryCredential("acme"), id: "another" }])
    await expect(box.outcome(callId, credential)).rejects.toMatchObject({ code: "NOT_FOUND" });
  const administrator = { ...libraryCredential("acme"), id: "operator", administers: true };
  expect((await box.outcome(callId, administrator)).outcome.kind).toBe("completed");
  expect(await box.trail({ tenant: "other", callId, limit: 10 })).toEqual([]);
  await box.close();
});

test("a turn's call id is a key of its own: sent again it does nothing twice, and another turn's is another", async () => {
  const { box, session, shop } = await shopBox();
  const call = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 }, callId: "call_1" };
  await session.turn({ id: "t1" }).call(call);
  expect((await session.turn({ id: "t1" }).call(call)).outcome).toMatchObject({ isReplay: true });
  expect((await session.turn({ id: "t2" }).call(call)).outcome.kind).toBe("pending");
  expect(
    (await session.turn({ id: "t2" }).call({ ...call, arguments: { orderId: "A-2", amount: 20 }, callId: "call_2" })).outcome.kind,
  ).toBe("completed");
  expect(shop.refunds).toHaveLength(2);
  await box.close();
});

test("no choice of turn and call ids makes two calls one", async () => {
  const policy = { roles: { support: ["*"] }, rules: shopPolicy.rules.slice(1) };
  const { box, session, shop } = await shopBox({ policy, limits: { sessionCallsMax: 1_000 } });
  const parts = ["a", "a\u0000", '","', "a/b", "b", "[", "key:k1"];
  let count = 0;
  for (const turnId of parts)
    for (const callId of parts) {
      count += 1;
      const { outcome } = await session
        .turn({ id: turnId })
        .call({ tool: "order.refund", arguments: { orderId: `A-${count}`, amount: 1 }, callId });
      expect(outcome, `${turnId} ${callId}`).toMatchObject({ kind: "completed", isReplay: false });
    }
  expect(new Set(shop.refunds.map(({ key }) => key)).size).toBe(count);
  await box.close();
});

test(verifies("EXEC-13", "the same call made many times at one moment asks one person once"), async () => {
  const { box, turn, shop } = await shopBox();
  const calls = Array.from({ length: 20 }, (_, index) =>
    turn.call({ ...request(80), ...(index % 2 === 0 ? { key: "k1" } : { key: `k${index}` }) }),
  );
  expect(new Set((await Promise.all(calls)).map(approvalIdOf)).size).toBe(1);
  expect(await box.approvals.list({ tenant: "acme", limit: 50 })).toHaveLength(1);
  expect(shop.refunds).toEqual([]);
  await box.close();
});
