import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, codeOf, lead, shop, shopBox, shopPolicy } from "../../test/support/box.ts";
import { manualClock, settled } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { tool } from "../registry/define.ts";
import { createMemoryStore } from "../store/memory.ts";
import type { CommitResult, Store, Unit } from "../store/store.ts";
import type { Trouble } from "./box/options.ts";

const refund = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };

/** A store whose durable commits wait until they are let through, or fail. */
function gatedStore(): {
  readonly store: Store;
  readonly waiting: (() => void)[];
  behaviour: "through" | "wait" | "fail";
  failKind: string | undefined;
} {
  const inner = createMemoryStore({ clock: manualClock() });
  const made = {
    waiting: [] as (() => void)[],
    behaviour: "through" as "through" | "wait" | "fail",
    failKind: undefined as string | undefined,
  };
  const commit = async (unit: Unit): Promise<CommitResult> => {
    const concerns = made.failKind === undefined || unit.entries.some((entry) => entry.kind === made.failKind);
    if (made.behaviour === "fail" && concerns) throw new Error("the disk is gone");
    const result = await inner.commit(unit);
    if (made.behaviour === "wait" && unit.wait !== "claimed" && concerns) await new Promise<void>((resolve) => made.waiting.push(resolve));
    return result;
  };
  return Object.assign(made, { store: { ...inner, commit } });
}

test("invariant 1: what the policy denies never reaches the tool", async () => {
  const { box, turn, shop: made } = await shopBox();
  expect(codeOf(await turn.call({ tool: "order.refund", arguments: { orderId: "B-1", amount: 1 } }))).toBe("PERMISSION_DENIED");
  expect(made.refunds).toHaveLength(0);
  await box.close();
});

test("invariant 1: a fact that cannot be looked up denies", async () => {
  const broken = tool({
    name: "order.broken",
    tier: "read",
    description: "A look-up that fails.",
    input: z.object({ orderId: z.string() }),
    retry: { attempts: 1 },
    run: () => {
      throw new Error("down");
    },
  });
  const policy = { ...shopPolicy, facts: { order: { tool: "order.broken", arguments: { orderId: "args.orderId" } } } };
  const { box, turn, shop: made } = await shopBox({ tools: [broken], policy });
  expect(codeOf(await turn.call(refund))).toBe("DECISION_UNAVAILABLE");
  expect(made.refunds).toHaveLength(0);
  await box.close();
});

test("invariant 2: a write leaves only after its intent is on disk", async () => {
  const gated = gatedStore();
  const { box, turn, shop: made } = await shopBox({ store: gated.store });
  Object.assign(gated, { behaviour: "wait", failKind: "call-intended" });
  const answer = turn.call(refund);
  await settled();
  expect(made.refunds).toHaveLength(0);
  gated.behaviour = "through";
  for (const release of gated.waiting) release();
  expect((await answer).outcome.kind).toBe("completed");
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test("invariant 2: an intent that cannot be written stops the effect", async () => {
  const gated = gatedStore();
  const { box, turn, shop: made } = await shopBox({ store: gated.store });
  Object.assign(gated, { behaviour: "fail", failKind: "call-intended" });
  expect(codeOf(await turn.call(refund))).toMatch(/LEDGER_UNAVAILABLE|DECISION_UNAVAILABLE/);
  expect(made.refunds).toHaveLength(0);
  gated.behaviour = "through";
  await box.close();
});

test("invariant 8: an outcome that cannot be written is withheld from a read, and a write says that it was applied", async () => {
  const gated = gatedStore();
  const { box, turn, shop: made } = await shopBox({ store: gated.store });
  Object.assign(gated, { behaviour: "fail", failKind: "call-settled" });
  expect(codeOf(await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } }))).toBe("RESULT_WITHHELD");
  const policyless = await turn.call({ tool: "order.get", arguments: { orderId: "A-2" } });
  expect(JSON.stringify(policyless.outcome)).not.toContain("region");
  gated.behaviour = "through";
  const noFacts = { ...shopPolicy, rules: shopPolicy.rules.slice(1) };
  await box.activatePolicy(noFacts, "test");
  gated.behaviour = "fail";
  const written = await turn.call(refund);
  expect(written.outcome).toMatchObject({ error: { code: "LEDGER_UNAVAILABLE", effect: "applied", retry: "never" } });
  expect(made.refunds).toHaveLength(1);
  gated.behaviour = "through";
  await box.close();
});

test("invariant 8: an observer and a trouble report that throw change nothing", async () => {
  const { box, turn } = await shopBox({
    onTrouble: () => {
      throw new Error("the pager is broken");
    },
  });
  box.observe(() => {
    throw new Error("the screen is broken");
  });
  expect((await turn.call(refund)).outcome.kind).toBe("completed");
  await box.close();
});

test(verifies("CALL-10", "invariant 5: the caller is answered at the reply deadline; the call goes on and can be asked for"), async () => {
  let finish: ((value: unknown) => void) | undefined;
  const slow = tool({
    name: "order.slow",
    tier: "read",
    description: "Takes long.",
    input: z.object({}),
    timeouts: { attemptMs: 100_000, executeMs: 100_000, replyMs: 2_000 },
    run: () => new Promise((resolve) => (finish = resolve)),
  });
  const { box, turn, clock } = await shopBox({ tools: [slow], limits: { replyDeadlineMs: 2_000 } });
  let answered = false;
  const answer = turn.call({ tool: "order.slow", arguments: {} }).finally(() => (answered = true));
  await settled();
  await clock.advance(1_900);
  expect(answered).toBe(false);
  await clock.advance(300);
  expect((await answer).outcome).toMatchObject({ kind: "pending", waiting: { kind: "execution" } });
  finish?.({ done: true });
  await settled();
  const credential = { ...lead, id: "library" };
  expect((await box.outcome((await answer).callId, credential)).outcome).toMatchObject({
    kind: "completed",
    result: { value: { done: true } },
  });
  await box.close();
});

test(verifies("AUTH-07", "invariant 4: an approval does not cover a tool whose definition changed while it waited"), async () => {
  const clock = manualClock();
  const store = createMemoryStore({ clock });
  const first = await shopBox({ store: { ...store, close: async () => undefined }, clock });
  const id = approvalIdOf(await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  await first.box.close();
  const changed = shop();
  const [get, old] = changed.tools;
  const renewed = tool({
    name: "order.refund",
    tier: "irreversible",
    idempotency: "key",
    description: "Refund a paid order, and close the account.",
    input: z.object({ orderId: z.string(), amount: z.number().positive() }),
    run: () => ({ closed: true }),
  });
  Object.assign(changed, { tools: [get, renewed] });
  expect(old?.tool.fingerprint).not.toBe(renewed.tool.fingerprint);
  const second = await shopBox({ store, clock, shop: changed });
  const { answer } = await second.box.approvals.decide(id, { approve: true, by: "eve" }, lead);
  expect(answer?.outcome.kind).not.toBe("completed");
  await second.box.close();
});

test("invariant 6 in part: private values leave no trace in what the chain covers", async () => {
  const { box, turn } = await shopBox();
  await turn.call({ tool: "order.get", arguments: { orderId: "marker-73519" } });
  const entries = await box.store.entries({ limit: 100 });
  expect(entries.map((entry) => entry.text).join("\n")).not.toContain("marker-73519");
  await box.close();
});

test("faults of ours are reported with their cause and shown without it", async () => {
  const troubles: Trouble[] = [];
  const gated = gatedStore();
  const { box, turn } = await shopBox({ store: gated.store, onTrouble: (trouble) => troubles.push(trouble) });
  Object.assign(gated, { behaviour: "fail", failKind: "call-settled" });
  const answer = await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  expect(JSON.stringify(answer)).not.toContain("the disk is gone");
  expect(troubles).toContainEqual(expect.objectContaining({ kind: "fault", where: "settle", note: "the disk is gone" }));
  gated.behaviour = "through";
  await box.close();
});

test(verifies("EXEC-06", "invariant 3: racers under one key share one effect also where repeating is normal"), async () => {
  let effects = 0;
  const note = tool({
    name: "order.note",
    tier: "reversible",
    isRepeatable: true,
    description: "Add a note to an order.",
    input: z.object({ text: z.string() }),
    run: () => ({ noteNumber: (effects += 1) }),
  });
  const { box, turn } = await shopBox({ tools: [note], limits: { rateBurstCalls: 1_000, sessionCallsMax: 1_000 } });
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => turn.call({ tool: "order.note", arguments: { text: "hello" }, key: "note-1" })),
  );
  expect(effects).toBe(1);
  expect(answers.map(({ outcome }) => outcome.kind)).toEqual(Array(50).fill("completed"));
  await turn.call({ tool: "order.note", arguments: { text: "hello" } });
  expect(effects).toBe(2);
  await box.close();
});

test(verifies("EXEC-13", "invariant 3: a call whose result was no good but whose effect happened is a duplicate too"), async () => {
  let effects = 0;
  const odd = tool({
    name: "order.close",
    tier: "reversible",
    description: "Close an order.",
    input: z.object({ orderId: z.string() }),
    output: z.object({ closed: z.boolean() }),
    run: () => ({ closedOrders: (effects += 1) }),
  });
  const { box, turn } = await shopBox({ tools: [odd] });
  expect((await turn.call({ tool: "order.close", arguments: { orderId: "A-1" } })).outcome).toMatchObject({
    kind: "failed",
    error: { code: "RESULT_INVALID", effect: "applied" },
  });
  expect((await turn.call({ tool: "order.close", arguments: { orderId: "A-1" } })).outcome).toMatchObject({ kind: "pending" });
  expect(effects).toBe(1);
  await box.close();
});

test("a read whose process died before its result was recorded is reported as not done, not as running for ever", async () => {
  const gated = gatedStore();
  const { box, turn } = await shopBox({ store: gated.store });
  Object.assign(gated, { behaviour: "fail", failKind: "call-settled" });
  const { callId } = await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  gated.behaviour = "through";
  expect((await box.outcome(callId, { ...lead, id: "library" })).outcome).toMatchObject({
    kind: "failed",
    error: { code: "RESULT_WITHHELD", effect: "none" },
  });
  await box.close();
});
