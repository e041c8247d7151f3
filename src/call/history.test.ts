import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, codeOf, lead, shopBox } from "../../test/support/box.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { systemRandom } from "../base/random.ts";
import { memoryKeyring } from "../ledger/keyring.ts";
import { tool } from "../registry/define.ts";
import { ToolFailure } from "../resilience/tool-failure.ts";
import { createMemoryStore } from "../store/memory.ts";
import type { Answer } from "../domain/outcome.ts";

const dayMs = 86_400_000;
const roles = { support: ["*"] };
const waived = { id: "waived", on: "order.refund", effect: "allow", waives: "tier" };
const limits = { rateBurstCalls: 10_000, sessionCallsMax: 10_000, sessionDenialsMax: 1_000 };

function refundOf(orderId: string, amount: number): { readonly tool: string; readonly arguments: { orderId: string; amount: number } } {
  return { tool: "order.refund", arguments: { orderId, amount } };
}

function messageOf({ outcome }: Answer): string {
  return "error" in outcome ? outcome.error.message : "";
}

/** A read of one source system. */
function reader(source: string): ReturnType<typeof tool> {
  return tool({
    name: `${source}.read`,
    tier: "read",
    source,
    description: `Read from ${source}.`,
    input: z.object({ id: z.string() }),
    run: ({ id }) => `${source} ${id}`,
  });
}

test(verifies("AUTH-13", "at most so many calls to one target in a window, and again in the next"), async () => {
  const sequences = [{ id: "two-a-day", on: "order.refund", by: "args.orderId", max: 2, per: "24h" }];
  const { box, turn, shop, clock } = await shopBox({ limits, policy: { roles, rules: [waived], sequences } });
  for (const amount of [1, 2]) expect((await turn.call(refundOf("A-1", amount))).outcome.kind).toBe("completed");
  const third = await turn.call(refundOf("A-1", 3));
  for (const { body } of (await box.trail({ tenant: "acme", limit: 200 })).filter(({ entry }) => entry.kind === "call-intended"))
    expect(body).toMatchObject(
      (body as { readonly tool: string }).tool === "order.refund"
        ? { decision: { history: ["two-a-day"] } }
        : { decision: { effect: "allow" } },
    );
  expect(codeOf(third)).toBe("BUDGET_EXCEEDED");
  expect(messageOf(third)).toBe("the rule `two-a-day` allows no more of these calls in its window of time");
  expect((await turn.call(refundOf("A-2", 3))).outcome.kind).toBe("completed");
  expect(shop.refunds).toHaveLength(3);
  await clock.advance(dayMs);
  expect((await turn.call(refundOf("A-1", 4))).outcome.kind).toBe("completed");
  await box.close();
});

test(verifies("AUTH-13", "a sum is exact over racing calls of two boxes on one store"), async () => {
  const sequences = [{ id: "daily-sum", on: "order.refund", by: "facts.order.owner", sum: "args.amount", max: 100, per: "24h" }];
  const facts = { order: { tool: "order.get", arguments: { orderId: "args.orderId" } } };
  const policy = { roles, facts, rules: [waived], sequences };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 6_000 }), { minLength: 1, maxLength: 25 }), async (cents) => {
      const clock = manualClock();
      const store = { ...createMemoryStore({ clock }), survivesRestart: true, close: async () => undefined };
      const options = { policy, limits, clock, store, keys: memoryKeyring(systemRandom) };
      const first = await shopBox(options);
      const second = await shopBox({ ...options, shop: first.shop });
      const answers = await Promise.all(
        cents.map(
          async (amount, index) =>
            await (index % 2 === 0 ? first : second).turn.call({ ...refundOf(`A-${1 + (index % 2)}`, amount / 100), key: `k${index}` }),
        ),
      );
      const done = cents.filter((_, index) => answers[index]?.outcome.kind === "completed");
      const sum = done.reduce((total, amount) => total + amount, 0);
      expect(sum).toBeLessThanOrEqual(10_000);
      // What was refused would not have fitted.
      for (const [index, amount] of cents.entries())
        if (codeOf(answers[index]) === "BUDGET_EXCEEDED") expect(sum + amount).toBeGreaterThan(10_000);
      await first.box.close();
      await second.box.close();
    }),
    { numRuns: 20 },
  );
});

test(verifies("AUTH-13", "a call that certainly had no effect is given back"), async () => {
  const refusing = tool({
    name: "note.add",
    tier: "irreversible",
    description: "Add a note.",
    input: z.object({ text: z.string() }),
    run: ({ text }) => {
      if (text === "bad") throw new ToolFailure({ kind: "rejected", message: "no such note", effect: "none" });
      return "noted";
    },
  });
  const sequences = [{ id: "one-note", on: "note.add", max: 1, per: "24h" }];
  const policy = { roles, rules: [{ ...waived, on: "note.add" }], sequences };
  const { box, turn } = await shopBox({ limits, tools: [refusing], policy });
  expect(codeOf(await turn.call({ tool: "note.add", arguments: { text: "bad" } }))).toBe("TOOL_REFUSED");
  expect((await turn.call({ tool: "note.add", arguments: { text: "one" } })).outcome.kind).toBe("completed");
  expect(codeOf(await turn.call({ tool: "note.add", arguments: { text: "two" } }))).toBe("BUDGET_EXCEEDED");
  await box.close();
});

test(verifies("AUTH-13", "a call beyond its number goes to a person where the rule asks, and runs when they say yes"), async () => {
  const sequences = [{ id: "first-alone", on: "order.refund", max: 1, per: "24h", effect: "ask", approvers: ["approver"] }];
  const { box, turn, shop } = await shopBox({ limits, policy: { roles, rules: [waived], sequences } });
  await turn.call(refundOf("A-1", 1));
  const second = await turn.call(refundOf("A-1", 2));
  expect(shop.refunds).toHaveLength(1);
  const decided = await box.approvals.decide(approvalIdOf(second), { approve: true, by: "eve" }, lead);
  expect(decided.answer?.outcome.kind).toBe("completed");
  expect(decided.approval.reasons).toContainEqual(expect.objectContaining({ rule: "first-alone", effect: "ask" }));
  await box.close();
});

test(verifies("AUTH-13", "one thing only after another, for the same target, and not too long after"), async () => {
  const sequences = [{ id: "look-first", on: "order.refund", by: "args.orderId", after: "order.get", within: "10m" }];
  const { box, turn, clock } = await shopBox({ limits, policy: { roles, rules: [waived], sequences } });
  const early = await turn.call(refundOf("A-1", 1));
  expect(codeOf(early)).toBe("PERMISSION_DENIED");
  expect(messageOf(early)).toBe("the rule `look-first` wants one of `order.get` to have completed before");
  await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  expect(codeOf(await turn.call(refundOf("A-2", 1)))).toBe("PERMISSION_DENIED");
  expect((await turn.call(refundOf("A-1", 1))).outcome.kind).toBe("completed");
  await clock.advance(600_001);
  expect(codeOf(await turn.call(refundOf("A-1", 2)))).toBe("PERMISSION_DENIED");
  await box.close();
});

test(verifies("AUTH-13", "what a sequence cannot work out denies"), async () => {
  for (const [sum, by] of [
    ["args.amount - 100.0", "principal.user"],
    ["args.amount", "args.missing"],
  ]) {
    const sequences = [{ id: "broken", on: "order.refund", by, sum, max: 100, per: "24h" }];
    const { box, turn, shop } = await shopBox({ limits, policy: { roles, rules: [waived], sequences } });
    expect(codeOf(await turn.call(refundOf("A-1", 1)))).toBe("DECISION_FAILED");
    expect(shop.refunds).toEqual([]);
    await box.close();
  }
});

const apart = { id: "apart", classes: { finance: "source:erp", hr: "source:hr", mail: ["mail.*"] }, atMost: 2, keep: "24h" };

test(
  verifies("AUTH-08", "the read that would complete a forbidden combination is stopped before it happens, in any conversation of the user"),
  async () => {
    const tools = ["erp", "hr", "mail"].map(reader);
    const { box, session, turn, clock } = await shopBox({ limits, tools, policy: { roles, separation: [apart] } });
    const read = (source: string, id = "1") => turn.call({ tool: `${source}.read`, arguments: { id } });
    expect((await read("erp")).outcome.kind).toBe("completed");
    const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
    expect((await other.turn().call({ tool: "hr.read", arguments: { id: "1" } })).outcome.kind).toBe("completed");
    const completing = await read("mail");
    expect(codeOf(completing)).toBe("PERMISSION_DENIED");
    expect(messageOf(completing)).toBe("the rule `apart` keeps apart what this call would bring together");
    // What was used may be used again, and others are free.
    expect((await read("hr", "2")).outcome.kind).toBe("completed");
    const bob = await box.session({ tenant: "acme", user: "bob", roles: ["support"] });
    expect((await bob.turn().call({ tool: "mail.read", arguments: { id: "1" } })).outcome.kind).toBe("completed");
    const trail = await box.trail({ tenant: "acme", sessionId: session.id, limit: 100 });
    expect(trail.filter(({ entry }) => entry.kind === "call-intended")).toHaveLength(2);
    await clock.advance(dayMs + 1);
    expect((await read("mail")).outcome.kind).toBe("completed");
    await box.close();
  },
);

test(verifies("AUTH-08", "where the rule asks, a person lets the combining read through, and nobody answering means no"), async () => {
  const tools = ["erp", "hr"].map(reader);
  const separation = [{ id: "apart", classes: { finance: "erp.*", hr: "hr.*" }, effect: "ask" }];
  const { box, turn, clock } = await shopBox({ limits, tools, policy: { roles, separation } });
  await turn.call({ tool: "erp.read", arguments: { id: "1" } });
  const first = await turn.call({ tool: "hr.read", arguments: { id: "1" } });
  const second = await turn.call({ tool: "hr.read", arguments: { id: "2" } });
  clock.jump(86_400_000 - 1);
  const { answer } = await box.approvals.decide(approvalIdOf(first), { approve: true, by: "eve" }, lead);
  expect(answer?.outcome).toMatchObject({ kind: "completed", result: { value: "hr 1" } });
  clock.jump(1);
  await box.recover();
  expect((await box.approvals.get(approvalIdOf(second), "acme")).state).toBe("expired");
  await box.close();
});

test(verifies("AUTH-18", "siblings of one turn cannot complete a forbidden combination together"), async () => {
  const tools = ["erp", "hr", "mail"].map(reader);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("erp", "hr", "mail"), { minLength: 3, maxLength: 9 }), async (sources) => {
      const { box, turn } = await shopBox({ limits, tools, policy: { roles, separation: [apart] } });
      const answers = await Promise.all(
        sources.map((source, index) => turn.call({ tool: `${source}.read`, arguments: { id: String(index) } })),
      );
      const used = new Set(sources.filter((_, index) => answers[index]?.outcome.kind === "completed"));
      expect(used.size).toBe(Math.min(2, new Set(sources).size));
      for (const answer of answers) if (answer.outcome.kind !== "completed") expect(codeOf(answer)).toBe("PERMISSION_DENIED");
      await box.close();
    }),
    { numRuns: 30 },
  );
});
