import fc from "fast-check";
import { expect, test } from "vitest";
import { shopBox, shopPolicy } from "../../../test/support/box.ts";
import { verifies } from "../../../test/verifies.ts";
import { libraryCredential } from "../box/signalbox.ts";
import type { SimulationItem, SimulationSummary } from "./simulate.ts";

const limits = { rateBurstCalls: 10_000, sessionCallsMax: 10_000, sessionDenialsMax: 1_000 };

type Box = Awaited<ReturnType<typeof shopBox>>["box"];

async function simulated(
  box: Box,
  policy: unknown,
): Promise<{ readonly items: readonly SimulationItem[]; readonly summary: SimulationSummary }> {
  const items: SimulationItem[] = [];
  for await (const item of box.simulatePolicy({ policy, tenant: "acme", sinceMs: 0 })) items.push(item);
  return { items: items.slice(0, -1), summary: items.at(-1) as SimulationSummary };
}

function refund(orderId: string, amount: number) {
  return { tool: "order.refund", arguments: { orderId, amount } };
}

test(verifies("AUTH-12", "the same policy judges every recorded call as it was judged"), async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("A-1", "A-2", "B-1", "gone"), fc.integer({ min: 1, max: 100 })), { minLength: 1, maxLength: 8 }),
      async (calls) => {
        const { box, turn } = await shopBox({ limits });
        for (const [orderId, amount] of calls) await turn.call(refund(orderId, amount));
        const { items, summary } = await simulated(box, shopPolicy);
        expect(items).toEqual([]);
        expect(summary.judgedCount).toBeGreaterThan(0);
        expect(summary).toMatchObject({ sameCount: summary.judgedCount, differsCount: 0, unjudgedCount: 0, isComplete: true });
        await box.close();
      },
    ),
    {
      numRuns: 15,
      examples: [
        [
          [
            ["A-1", 1],
            ["A-1", 1],
          ],
        ],
      ],
    },
  );
});

test(verifies("AUTH-12", "a changed rule over facts is judged with the facts of the time, and every difference is named"), async () => {
  const { box, turn, shop } = await shopBox({ limits });
  const small = await turn.call(refund("A-1", 20));
  const foreign = await turn.call(refund("B-1", 20));
  const large = await turn.call(refund("A-2", 80));
  // The world has changed since.
  shop.orders.set("A-1", { region: "us", owner: "eve" });
  const policy = {
    ...shopPolicy,
    rules: [
      { id: "own-orders", on: "order.refund", when: 'facts.order.owner == "bob"', effect: "deny" },
      { id: "tiny-refunds", on: "order.refund", when: "args.amount <= 5.0", effect: "allow", waives: "tier" },
    ],
  };
  const { items, summary } = await simulated(box, policy);
  expect(items).toMatchObject([
    {
      kind: "differs",
      callId: small.callId,
      tool: "order.refund",
      user: "ada",
      was: { effect: "allow" },
      would: { effect: "ask", rules: ["tier:irreversible"] },
    },
  ]);
  expect(items.some((item) => "callId" in item && (item.callId === foreign.callId || item.callId === large.callId))).toBe(false);
  expect(summary).toMatchObject({ judgedCount: 3, sameCount: 2, differsCount: 1, changes: { "allow → ask": 1 } });
  expect(shop.refunds).toHaveLength(1);
  await box.close();
});

test("a call that was denied says what was not heard of it, and one whose tool was hidden is judged as it was sent", async () => {
  const policy = { roles: { support: ["order.get"] }, rules: [{ id: "never", on: "order.get", effect: "deny" }] };
  const { box, turn, session } = await shopBox({ limits, policy });
  const denied = await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  const hidden = await turn.call(refund("A-1", 20));
  const unfit = await turn.call(refund("A-1", -1));
  const unknown = await turn.call({ tool: "order.absent", arguments: {} });
  await box
    .resume(session.id, libraryCredential("acme"))
    .then(async (again) => await again.turn({ offered: [] }).call({ tool: "order.get", arguments: {} }));
  const { items } = await simulated(box, { roles: { support: ["order.*"] }, rules: [] });
  expect(items).toMatchObject([
    { kind: "differs", callId: denied.callId, was: { effect: "deny", rules: ["never"] }, would: { effect: "allow" }, unheard: ["points"] },
    {
      kind: "differs",
      callId: hidden.callId,
      was: { effect: "deny", rules: ["grant"] },
      would: { effect: "ask" },
      unheard: ["trace", "points"],
    },
    { kind: "unjudged", callId: unfit.callId, why: "arguments-invalid" },
  ]);
  expect(items.some((item) => "callId" in item && item.callId === unknown.callId)).toBe(false);
  await box.close();
});

test("a rule over earlier calls counts the recorded calls anew", async () => {
  const { box, turn } = await shopBox({ limits });
  const answers = [await turn.call(refund("A-1", 20)), await turn.call(refund("A-1", 21)), await turn.call(refund("A-1", 22))];
  const sequences = [{ id: "two-a-day", on: "order.refund", by: "args.orderId", max: 2, per: "24h" }];
  const { items } = await simulated(box, { ...shopPolicy, sequences });
  expect(items).toMatchObject([{ callId: answers[2]?.callId, was: { effect: "allow" }, would: { effect: "deny", rules: ["two-a-day"] } }]);
  await box.close();
});

test("what was erased, not looked up at the time or has no tool any more is named, never guessed", async () => {
  const { box, turn } = await shopBox({ limits, policy: { roles: shopPolicy.roles, rules: [] } });
  const read = await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  const facts = { other: { tool: "order.get", arguments: { orderId: '"A-2"' } } };
  const rules = [{ id: "other", on: "order.get", when: 'facts.other.region == "us"', effect: "deny" }];
  const policy = { roles: shopPolicy.roles, facts, rules };
  expect((await simulated(box, policy)).items).toMatchObject([{ kind: "unjudged", callId: read.callId, why: "fact-not-recorded" }]);
  await box.erase({ tenant: "acme", by: "operator" });
  const { items, summary } = await simulated(box, policy);
  expect(items).toMatchObject([{ kind: "unjudged", callId: read.callId, why: "erased" }]);
  expect(summary).toMatchObject({ judgedCount: 0, unjudgedCount: 1, unjudged: { erased: 1 } });
  await box.close();
});

test("at most `simulatedCallsMax` calls are judged, and keeping fewer than `simulatedRowsMax` in mind never invents a decision", async () => {
  const { box, turn } = await shopBox({ limits: { ...limits, simulatedCallsMax: 2, simulatedRowsMax: 1 } });
  for (const amount of [1, 2, 3]) await turn.call(refund("A-1", amount));
  const { items, summary } = await simulated(box, shopPolicy);
  expect(summary).toMatchObject({ isComplete: false });
  expect(summary.judgedCount + summary.unjudgedCount).toBe(2);
  expect(items.every((item) => item.kind === "unjudged")).toBe(true);
  await box.close();
});
