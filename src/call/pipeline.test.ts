import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, codeOf, lead, shop, shopBox, shopPolicy } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import type { Answer } from "../domain/outcome.ts";
import { tool } from "../registry/define.ts";
import { stages } from "./pipeline.ts";

/** All that a model sees of a refusal; an error's message is no member that JSON would show. */
function wordsOf({ outcome }: Answer): string {
  return "error" in outcome ? JSON.stringify({ ...outcome, error: { ...outcome.error, message: outcome.error.message } }) : outcome.kind;
}

const waived = { orderId: "A-1", amount: 20 };

test("the stages stand in the one safe order", () => {
  expect(stages.map((stage) => stage.name)).toEqual([
    "decode",
    "identify",
    "throttle",
    "resolve",
    "validate",
    "replay",
    "authorize",
    "trace",
    "deduplicate",
    "approve",
    "admit",
    "gate",
    "execute",
    "verify",
    "shape",
    "settle",
  ]);
});

test("a handler may call the box it runs in before it answers", async () => {
  const double = tool({
    name: "math.double",
    tier: "read",
    description: "Double a number. Not for adding two.",
    input: z.object({ number: z.number() }),
    run: ({ number }) => number * 2,
  });
  const twice: ReturnType<typeof tool> = tool({
    name: "math.twice",
    tier: "read",
    description: "Double a number twice. Not for doubling once.",
    input: { type: "object", properties: { number: { type: "number" } }, required: ["number"] },
    run: async (args) => {
      const answer = await turn.call({ tool: "math.double", arguments: args });
      return answer.outcome.kind === "completed" ? (answer.outcome.result.value as number) * 2 : null;
    },
  });
  const { box, turn } = await shopBox({ tools: [double, twice], policy: { roles: { lead: ["math.*"], support: ["math.*"] } } });
  const answers = await Promise.all([1, 2, 3].map((number) => turn.call({ tool: "math.twice", arguments: { number } })));
  expect(answers.map(({ outcome }) => (outcome.kind === "completed" ? outcome.result.value : outcome))).toEqual([4, 8, 12]);
  expect(box.health().callsRunning).toBe(0);
  await box.close();
});

test("a granted read runs and its answer is labelled untrusted", async () => {
  const { box, turn } = await shopBox();
  const { outcome } = await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  expect(outcome).toMatchObject({
    kind: "completed",
    effect: "none",
    result: { value: { orderId: "A-1" }, label: { integrity: "untrusted" } },
  });
  await box.close();
});

test(verifies("CALL-11", "an unknown tool is answered with the nearest visible names, and only those"), async () => {
  const { box } = await shopBox();
  const reader = await box.session({ tenant: "acme", user: "rita", roles: ["reader"] });
  const answer = await reader.turn().call({ tool: "order.refunds", arguments: {} });
  expect(codeOf(answer)).toBe("TOOL_NOT_FOUND");
  expect(answer.outcome).toMatchObject({ error: { message: expect.not.stringContaining("`order.refund`") as string } });
  await box.close();
});

test(verifies("AUTH-01", "a tool that is not granted looks exactly like one that does not exist"), async () => {
  const { box } = await shopBox();
  const reader = await box.session({ tenant: "acme", user: "rita", roles: ["reader"] });
  const hidden = await reader.turn().call({ tool: "order.refund", arguments: waived });
  const absent = await reader.turn().call({ tool: "order.refuns", arguments: waived });
  expect(JSON.stringify(hidden.outcome).replaceAll("order.refund", "X")).toBe(
    JSON.stringify(absent.outcome).replaceAll("order.refuns", "X"),
  );
  await box.close();
});

test(verifies("AUTH-04", "a foreign record and an absent one are refused in the same words"), async () => {
  const refusing = tool({
    name: "order.look",
    tier: "read",
    description: "Look an order up.",
    input: z.object({ orderId: z.string() }),
    run: ({ orderId }) => (orderId === "B-1" ? { region: "us" } : null),
  });
  const policy = { ...shopPolicy, facts: { order: { tool: "order.look", arguments: { orderId: "args.orderId" } } } };
  const { box, turn } = await shopBox({ tools: [refusing], policy });
  const foreign = await turn.call({ tool: "order.refund", arguments: { orderId: "B-1", amount: 1 } });
  const absent = await turn.call({ tool: "order.refund", arguments: { orderId: "Z-9", amount: 1 } });
  expect(codeOf(foreign)).toBe("PERMISSION_DENIED");
  expect(wordsOf(absent)).toBe(wordsOf(foreign));
  await box.close();
});

test(
  verifies("AUTH-04", "a policy's own words for an absent record also stand for a foreign one, and both take the same steps"),
  async () => {
    const looked: string[] = [];
    const look = tool({
      name: "order.look",
      tier: "read",
      description: "Look an order up.",
      input: z.object({ orderId: z.string() }),
      run: ({ orderId }) => {
        looked.push(orderId);
        return orderId === "B-1" ? { region: "us" } : null;
      },
    });
    const facts = { order: { tool: "order.look", arguments: { orderId: "args.orderId" }, absent: "there is no such order" } };
    const rules = [...shopPolicy.rules, { id: "no-pennies", on: "order.refund", when: "args.amount < 1.0", effect: "deny" }];
    const { box, turn } = await shopBox({ tools: [look], policy: { ...shopPolicy, facts, rules } });
    const seen: { outcome: string; entries: number }[] = [];
    for (const [orderId, amount] of [
      ["B-1", 1],
      ["Z-9", 1],
      ["B-1", 0.5],
      ["Z-9", 0.5],
    ] as const) {
      const answer = await turn.call({ tool: "order.refund", arguments: { orderId, amount } });
      const trail = await box.trail({ tenant: "acme", sessionId: answer.sessionId, limit: 200 });
      seen.push({ outcome: wordsOf(answer), entries: trail.length });
    }
    expect(new Set(seen.map(({ outcome }) => outcome)).size).toBe(1);
    expect(seen[0]?.outcome).toContain("there is no such order");
    // The same look-ups and as many ledger entries each time.
    expect(looked).toEqual(["B-1", "Z-9", "B-1", "Z-9"]);
    expect(seen.map(({ entries }, index) => entries - (seen[index - 1]?.entries ?? 1))).toEqual([3, 3, 3, 3]);
    await box.close();
  },
);

test(verifies("EXEC-06", "the same key has one effect and one outcome"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: waived, key: "k1" });
  const again = await turn.call({ tool: "order.refund", arguments: waived, key: "k1" });
  expect(made.refunds).toHaveLength(1);
  expect(again.outcome).toMatchObject({ kind: "completed", isReplay: true, result: { value: { refunded: 20, orderId: "A-1" } } });
  expect(first.outcome).toMatchObject({ isReplay: false });
  await box.close();
});

test(verifies("EXEC-06", "a key that was used is refused for other arguments"), async () => {
  const { box, turn, shop: made } = await shopBox();
  await turn.call({ tool: "order.refund", arguments: waived, key: "k1" });
  expect(codeOf(await turn.call({ tool: "order.refund", arguments: { ...waived, amount: 21 }, key: "k1" }))).toBe("KEY_REUSED");
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test(verifies("EXEC-06", "a hundred racers under one key share one effect"), async () => {
  const { box, turn, shop: made } = await shopBox({ limits: { rateBurstCalls: 1_000, sessionCallsMax: 1_000 } });
  const answers = await Promise.all(Array.from({ length: 100 }, () => turn.call({ tool: "order.refund", arguments: waived, key: "race" })));
  expect(made.refunds).toHaveLength(1);
  expect(new Set(answers.map(({ outcome }) => outcome.kind))).toEqual(new Set(["completed"]));
  await box.close();
});

test(verifies("EXEC-13", "the same meaning under a new id asks a person within the duplicate window, and runs after it"), async () => {
  const { box, turn, shop: made, clock } = await shopBox();
  await turn.call({ tool: "order.refund", arguments: waived });
  const again = await turn.call({ tool: "order.refund", arguments: waived });
  expect(again.outcome).toMatchObject({ kind: "pending", waiting: { kind: "person" } });
  expect(made.refunds).toHaveLength(1);
  await clock.advance(600_001);
  expect((await turn.call({ tool: "order.refund", arguments: { ...waived, orderId: "A-2" } })).outcome.kind).toBe("completed");
  await box.close();
});

test(
  verifies("EXEC-07", "a lost reply is unknown, is not sent again blindly, and later calls of the same meaning are told so"),
  async () => {
    const lossy = tool({
      name: "order.ship",
      tier: "reversible",
      description: "Ship an order.",
      input: z.object({ orderId: z.string() }),
      retry: { attempts: 3 },
      run: () => {
        sent += 1;
        throw new Error("socket closed; password=hunter2");
      },
    });
    let sent = 0;
    const { box, turn } = await shopBox({ tools: [lossy] });
    const first = await turn.call({ tool: "order.ship", arguments: { orderId: "A-1" } });
    const again = await turn.call({ tool: "order.ship", arguments: { orderId: "A-1" } });
    expect(first.outcome).toMatchObject({ kind: "unknown", error: { effect: "unknown", retry: "never" } });
    expect(again.outcome).toMatchObject({ kind: "unknown" });
    expect(JSON.stringify([first, again])).not.toContain("hunter2");
    expect(sent).toBe(1);
    await box.close();
  },
);

test(verifies("AUTH-07", "an approved call runs once, a second answer is refused"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const id = approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  const { answer, approval } = await box.approvals.decide(id, { approve: true, by: "eve" }, lead);
  expect(answer?.outcome).toMatchObject({ kind: "completed", result: { value: { refunded: 80 } } });
  expect(approval.state).toBe("used");
  await expect(box.approvals.decide(id, { approve: true, by: "eve" }, lead)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test(verifies("AUTH-07", "a hundred deciders at once let the call run once"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const id = approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  const answers = await Promise.allSettled(
    Array.from({ length: 100 }, (_, index) =>
      box.approvals.decide(id, { approve: true, by: `lead-${index}` }, { ...lead, id: `lead-${index}` }),
    ),
  );
  expect(answers.filter((answer) => answer.status === "fulfilled")).toHaveLength(1);
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test(verifies("AUTH-07", "the caller's credential cannot answer, nor can the person who asked"), async () => {
  const { box, turn } = await shopBox();
  const id = approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  const caller = { ...lead, id: "library" };
  await expect(box.approvals.decide(id, { approve: true, by: "eve" }, caller)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  await expect(box.approvals.decide(id, { approve: true, by: "ada" }, lead)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  await expect(box.approvals.decide(id, { approve: true, by: "eve" }, { ...lead, approves: ["others"] })).rejects.toMatchObject({
    code: "APPROVAL_INVALID",
  });
  await box.close();
});

test("a rejection reaches the model with its reason, also when it asks again", async () => {
  const { box, turn, shop: made } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  await box.approvals.decide(approvalIdOf(first), { approve: false, by: "eve", reason: "not before the parcel is back" }, lead);
  const again = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  expect(again.outcome).toMatchObject({
    kind: "denied",
    error: { code: "APPROVAL_REJECTED", message: expect.stringContaining("not before the parcel is back") as string },
  });
  expect(made.refunds).toHaveLength(0);
  await box.close();
});

test(verifies("AUTH-07", "a call is judged again when it wakes: a changed fact voids the approval and asks anew"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  made.orders.set("A-1", { region: "eu", owner: "mallory" });
  const { answer } = await box.approvals.decide(approvalIdOf(first), { approve: true, by: "eve" }, lead);
  expect(answer?.outcome).toMatchObject({ kind: "pending" });
  expect(made.refunds).toHaveLength(0);
  await box.close();
});

test(verifies("AUTH-01", "a role that is revoked while a call waits stops it at waking"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  await box.revokeRoles({ tenant: "acme", user: "ada", roles: ["support"], by: "operator" });
  const { answer } = await box.approvals.decide(approvalIdOf(first), { approve: true, by: "eve" }, lead);
  expect(answer?.outcome.kind).toBe("denied");
  expect(made.refunds).toHaveLength(0);
  await box.close();
});

test("a stopped session makes no more calls, also approved ones", async () => {
  const { box, session, turn, shop: made } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  await box.stopSession(session.id, "acme", "the user hung up");
  expect(codeOf(await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } }))).toBe("SESSION_STOPPED");
  const { answer } = await box.approvals.decide(approvalIdOf(first), { approve: true, by: "eve" }, lead);
  expect(codeOf(answer)).toBe("SESSION_STOPPED");
  expect(made.refunds).toHaveLength(0);
  await box.close();
});

test("an approval that nobody answers expires, and the call may be asked for again", async () => {
  const { box, turn, clock } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  await clock.advance(86_400_001);
  await box.recover();
  expect((await box.approvals.get(approvalIdOf(first), "acme")).state).toBe("expired");
  const again = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  expect(approvalIdOf(again)).not.toBe(approvalIdOf(first));
  await box.close();
});

test(verifies("AUTH-10", "a session's budget is exact at a hundred parallel calls"), async () => {
  const { box, turn } = await shopBox({ limits: { sessionCallsMax: 30, rateBurstCalls: 1_000 } });
  const answers = await Promise.all(Array.from({ length: 100 }, () => turn.call({ tool: "order.get", arguments: { orderId: "A-1" } })));
  expect(answers.filter(({ outcome }) => outcome.kind === "completed")).toHaveLength(30);
  expect(answers.filter((answer) => codeOf(answer) === "BUDGET_EXCEEDED")).toHaveLength(70);
  await box.close();
});

test(verifies("CALL-10", "a tool that ignores its signal does not keep the caller waiting"), async () => {
  const made = shop();
  made.script = ["hang"];
  const { box, turn, clock } = await shopBox({ shop: made });
  let answered = false;
  const answer = turn.call({ tool: "order.refund", arguments: waived }).finally(() => (answered = true));
  await clock.advance(9_000);
  expect(answered).toBe(false);
  await clock.advance(22_000);
  expect((await answer).outcome).toMatchObject({ kind: "unknown", error: { code: "TOOL_TIMEOUT" } });
  await box.close();
});

test("five refusals of permission stop the session", async () => {
  const { box, turn } = await shopBox();
  const codes: (string | undefined)[] = [];
  for (let index = 0; index < 7; index += 1)
    codes.push(codeOf(await turn.call({ tool: "order.refund", arguments: { orderId: "B-1", amount: 1 + index } })));
  expect(codes).toEqual([...Array<string>(5).fill("PERMISSION_DENIED"), "SESSION_STOPPED", "SESSION_STOPPED"]);
  await box.close();
});

test("a pending approval is joined by the same meaning, not asked twice", async () => {
  const { box, turn } = await shopBox();
  const first = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  const again = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
  expect(approvalIdOf(again)).toBe(approvalIdOf(first));
  expect(await box.approvals.list({ tenant: "acme", limit: 10 })).toHaveLength(1);
  await box.close();
});

test("every call leaves a trail: intent before the effect, outcome after it", async () => {
  const { box, turn } = await shopBox();
  const { callId } = await turn.call({ tool: "order.refund", arguments: waived });
  const trail = await box.trail({ tenant: "acme", callId, limit: 10 });
  expect(trail.map(({ entry }) => entry.kind)).toEqual(["call-intended", "call-settled"]);
  expect(trail[0]?.private).toMatchObject({ arguments: waived });
  expect(trail[0]?.body).toMatchObject({ user: "ada", tool: "order.refund", reasoning: "not supplied", decision: { effect: "allow" } });
  await box.close();
});

test(verifies("CALL-08", "a streamed response runs when it has ended; of one that was cut off only reads run"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const delta = (index: number, name: string, args: object): object => ({
    choices: [{ delta: { tool_calls: [{ index, id: `c${index}`, function: { name, arguments: JSON.stringify(args) } }] } }],
  });
  const calls = [delta(0, "order_get", { orderId: "A-1" }), delta(1, "order_refund", waived)];
  const cut = await turn.answerStream("openai-chat", [...calls, { choices: [{ delta: {}, finish_reason: "length" }] }]);
  expect(made.refunds).toHaveLength(0);
  expect(cut.map(({ content }) => Object.keys(JSON.parse(content as string) as object))).toEqual([["result"], ["error"]]);
  const whole = await turn.answerStream("openai-chat", [...calls, { choices: [{ delta: {}, finish_reason: "tool_calls" }] }]);
  expect(made.refunds).toHaveLength(1);
  expect(whole).toHaveLength(2);
  await box.close();
});

test(verifies("SAFE-13", "erasing one person's data leaves the ledger verifiable and the rest readable"), async () => {
  const { box } = await shopBox();
  const about = async (dataSubject: string): Promise<string> => {
    const session = await box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu" }, dataSubject });
    return (await session.turn().call({ tool: "order.get", arguments: { orderId: "A-1" } })).callId;
  };
  const [grace, linus] = [await about("grace"), await about("linus")];
  expect(await box.erase({ tenant: "acme", dataSubject: "grace", by: "officer" })).toBe(1);
  const read = async (callId: string): Promise<unknown> =>
    (await box.trail({ tenant: "acme", callId, limit: 5 })).map((item) => item.values);
  expect(await read(grace)).toEqual(["erased", "erased"]);
  expect(await read(linus)).toEqual(["opened", "opened"]);
  await box.close();
});
