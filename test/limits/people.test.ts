import { expect, test } from "vitest";
import { z } from "zod";
import { libraryCredential } from "../../src/call/box/signalbox.ts";
import { tool } from "../../src/registry/define.ts";
import { approvalIdOf, codeOf, lead, shopBox, shopPolicy } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const large = (amount: number): { readonly tool: string; readonly arguments: { orderId: string; amount: number } } => ({
  tool: "order.refund",
  arguments: { orderId: "A-1", amount },
});
const yes = { approve: true, by: "eve" };

test(verifies("AUTH-07", "an approval can be answered until it expires, and not at that moment or later"), async () => {
  const { box, turn, clock, shop } = await shopBox({ limits: { approvalExpiryMs: 60_000 } });
  const early = approvalIdOf(await turn.call(large(80)));
  const late = approvalIdOf(await turn.call(large(90)));
  await clock.advance(59_999);
  expect((await box.approvals.decide(early, yes, lead)).answer?.outcome.kind).toBe("completed");
  await clock.advance(1);
  await expect(box.approvals.decide(late, yes, lead)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  expect(shop.refunds.map(({ amount }) => amount)).toEqual([80]);
  await box.close();
});

test(verifies("AUTH-07", "a call whose approval expired says so to whoever asks, and may be asked for anew"), async () => {
  const { box, turn, clock } = await shopBox({ limits: { approvalExpiryMs: 60_000 } });
  const { callId, ...asked } = await turn.call(large(80));
  clock.jump(60_000);
  await box.recover();
  const { outcome } = await box.outcome(callId, libraryCredential("acme"));
  expect(outcome).toMatchObject({ kind: "denied", error: { code: "APPROVAL_EXPIRED", effect: "none", retry: "later" } });
  expect(approvalIdOf(await turn.call(large(80)))).not.toBe(approvalIdOf({ callId, ...asked }));
  await box.close();
});

test(verifies("AUTH-07", "a given approval must be used within its grant"), async () => {
  for (const [waitMs, runs] of [
    [29_999, true],
    [30_000, false],
  ] as const) {
    const { box, turn, clock, shop } = await shopBox({ limits: { approvalGrantMs: 30_000 } });
    const id = approvalIdOf(await turn.call(large(80)));
    const { commit } = box.store;
    // The process dies right after the decision is on disk: whoever takes over wakes the call, or finds the grant gone.
    (box.store as { commit: typeof commit }).commit = async (unit) => {
      const result = await commit(unit);
      if (unit.entries.some((entry) => entry.kind === "approval-decided")) throw new Error("killed");
      return result;
    };
    await expect(box.approvals.decide(id, yes, lead)).rejects.toThrow("killed");
    (box.store as { commit: typeof commit }).commit = commit;
    clock.jump(waitMs);
    await box.recover();
    expect(shop.refunds).toHaveLength(runs ? 1 : 0);
    expect((await box.approvals.get(id, "acme")).state).toBe(runs ? "used" : "expired");
    await box.close();
  }
});

test("one user can have so many calls wait for people, and then no more until one is answered", async () => {
  const { box, turn, shop } = await shopBox({ limits: { approvalsPendingMax: 2 } });
  const first = approvalIdOf(await turn.call(large(80)));
  approvalIdOf(await turn.call(large(81)));
  const third = await turn.call(large(82));
  expect(third.outcome).toMatchObject({ kind: "failed", error: { code: "RATE_LIMITED", retryAfterMs: 60_000 } });
  const other = await box.session({ tenant: "acme", user: "bob", roles: ["support"], attributes: { region: "eu" } });
  approvalIdOf(await other.turn().call(large(82)));
  await box.approvals.decide(first, { ...yes, approve: false }, lead);
  approvalIdOf(await turn.call(large(82)));
  expect(codeOf(await turn.call(large(83)))).toBe("RATE_LIMITED");
  expect(shop.refunds).toHaveLength(0);
  await box.close();
});

test(verifies("AUTH-17", "a privileged call wants an approver who has just authenticated"), async () => {
  const wipe = tool({ name: "order.wipe", tier: "privileged", description: "Wipe an order.", input: z.object({}), run: () => "wiped" });
  const { box, turn, clock } = await shopBox({ tools: [wipe], limits: { freshAuthenticationMs: 1_000 } });
  const id = approvalIdOf(await turn.call({ tool: "order.wipe", arguments: {} }));
  const seenMs = clock.now();
  await expect(box.approvals.decide(id, yes, lead)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  await clock.advance(1_001);
  await expect(box.approvals.decide(id, yes, { ...lead, authenticatedAtMs: seenMs })).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  const { answer } = await box.approvals.decide(id, yes, { ...lead, authenticatedAtMs: seenMs + 1 });
  expect(answer?.outcome.kind).toBe("completed");
  await box.close();
});

test("nothing waives the approval of a privileged call: no rule, no role", async () => {
  const wipe = tool({ name: "order.wipe", tier: "privileged", description: "Wipe an order.", input: z.object({}), run: () => "wiped" });
  const rules = [{ id: "anything-goes", on: "*", when: true, effect: "allow", waives: "tier" }];
  const { box, turn } = await shopBox({ tools: [wipe], policy: { roles: { support: ["*"] }, rules } });
  expect((await turn.call({ tool: "order.wipe", arguments: {} })).outcome.kind).toBe("pending");
  await box.close();
});

test(verifies("EXEC-06", "a key is remembered for its retention, and then free"), async () => {
  const { box, turn, clock, shop } = await shopBox({ limits: { keyRetentionMs: 3_600_000 } });
  const request = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 }, key: "k1" };
  await turn.call(request);
  clock.jump(3_599_000);
  await box.recover();
  expect((await turn.call(request)).outcome).toMatchObject({ kind: "completed", isReplay: true });
  clock.jump(2_000);
  await box.recover();
  expect((await turn.call(request)).outcome).toMatchObject({ kind: "completed", isReplay: false });
  expect(shop.refunds).toHaveLength(1); // The upstream still knows the key.
  await box.close();
});

test(verifies("EXEC-13", "the duplicate guard asks within its window and lets through after it"), async () => {
  const { box, turn, clock, shop } = await shopBox({ limits: { duplicateWindowMs: 5_000 } });
  const request = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };
  await turn.call(request);
  await clock.advance(4_999);
  expect((await turn.call({ ...request, arguments: { ...request.arguments, amount: 20 } })).outcome.kind).toBe("pending");
  const other = { ...request, arguments: { ...request.arguments, amount: 21 } };
  await turn.call(other);
  await clock.advance(5_001);
  expect((await turn.call(other)).outcome).toMatchObject({ kind: "completed", isReplay: false });
  expect(shop.refunds).toHaveLength(3);
  await box.close();
});

test("so many refusals of permission stop a session, other refusals do not", async () => {
  const { box, turn } = await shopBox({ policy: shopPolicy, limits: { sessionDenialsMax: 2 } });
  for (let count = 0; count < 4; count += 1)
    expect(codeOf(await turn.call({ tool: "order.refund", arguments: {} }))).toBe("ARGUMENTS_INVALID");
  const denied = (amount: number) => turn.call({ tool: "order.refund", arguments: { orderId: "B-1", amount } });
  expect([codeOf(await denied(1)), codeOf(await denied(2)), codeOf(await denied(3))]).toEqual([
    "PERMISSION_DENIED",
    "PERMISSION_DENIED",
    "SESSION_STOPPED",
  ]);
  await box.close();
});
