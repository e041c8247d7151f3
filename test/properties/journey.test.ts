import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { sessionCounter } from "../../src/budget/holds.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import type { Outcome } from "../../src/domain/outcome.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, shopBox } from "../support/box.ts";
import { manualClock, settled, type ManualClock } from "../support/manual-clock.ts";
import { ledgerHolds } from "../support/records.ts";
import { verifies } from "../verifies.ts";

const folder = mkdtempSync(join(tmpdir(), "journey-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const everything = { roles: { support: ["*"] } };
const costMicrosUsd = 700;

/** Moves the clock until something is done, since retries wait for it. */
async function moving<Value>(clock: ManualClock, work: Promise<Value>): Promise<Value> {
  let isDone = false;
  void work.finally(() => (isDone = true));
  for (await settled(); !isDone; await settled()) await clock.advance(100);
  return await work;
}

/** What the next call of a scripted tool does. */
type Act = "ok" | "refuse" | "down" | "lost" | "slow";
const acts = fc.constantFrom<Act>("ok", "refuse", "down", "lost", "slow");

function actOf(act: Act, effect: () => void): unknown {
  if (act === "refuse") throw new ToolFailure({ kind: "rejected", message: "refused", effect: "none" });
  if (act === "down") throw new ToolFailure({ kind: "unavailable", message: "down", effect: "none" });
  effect();
  if (act === "lost") throw new Error("the reply was lost");
  return act === "slow" ? settled().then(() => "done") : "done";
}

const mayHaveActed = (outcome: Outcome): boolean => outcome.kind === "completed" || ("error" in outcome && outcome.error.effect !== "none");

test(
  verifies(
    "AUTH-10",
    "calls and money of a session are conserved whatever happens at once: counted once per claim, given back exactly where nothing happened (property)",
  ),
  async () => {
    const call = fc.record({
      act: acts,
      isRead: fc.boolean(),
      key: fc.option(fc.constantFrom("k1", "k2", "k3"), { nil: undefined }),
      waits: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 15 }),
        async (plan, callsMax, costCalls) => {
          const made = (name: string, tier: "read" | "reversible"): ReturnType<typeof tool> =>
            tool({
              name,
              tier,
              isRepeatable: true,
              description: "Acts as told.",
              input: z.object({ act: z.string(), index: z.number() }),
              costMicrosUsd,
              retry: { attempts: 1 },
              run: ({ act }) => actOf(act as Act, () => undefined),
            });
          const limits = { sessionCallsMax: callsMax, sessionCostMicrosUsdMax: costCalls * costMicrosUsd, rateBurstCalls: 1_000 };
          const { box, session, turn } = await shopBox({
            policy: everything,
            tools: [made("t.read", "read"), made("t.write", "reversible")],
            limits,
          });
          const answers = await Promise.all(
            plan.map(async ({ act, isRead, key, waits }, index) => {
              for (let round = 0; round < waits; round += 1) await settled();
              return await turn.call({
                tool: isRead ? "t.read" : "t.write",
                arguments: { act, index: key === undefined ? index : 0 },
                ...(key !== undefined && { key: `${key}${act}` }),
              });
            }),
          );
          const [calls, cost] = await box.store.counters([
            sessionCounter("acme", session.id, "calls"),
            sessionCounter("acme", session.id, "cost-micros-usd"),
          ]);
          const intended = (await box.store.entries({ tenant: "acme", kind: "call-intended", limit: 10_000 })).map(({ callId }) => callId);
          expect(new Set(intended).size).toBe(intended.length);
          expect(calls).toBe(intended.length);
          expect(calls).toBeLessThanOrEqual(callsMax);
          // Who joined a running call is answered under its id.
          const acted = new Set(
            answers.flatMap(({ callId, outcome }) => (intended.includes(callId) && mayHaveActed(outcome) ? [callId] : [])),
          );
          expect(cost).toBe(acted.size * costMicrosUsd);
          expect(cost).toBeLessThanOrEqual(limits.sessionCostMicrosUsdMax);
          for (const answer of answers)
            if (!intended.includes(answer.callId) && codeOf(answer) === undefined) expect(answer.outcome).toMatchObject({ isReplay: true });
          await box.close();
        },
      ),
      { numRuns: 60 },
    );
  },
);

test(
  verifies(
    "EXEC-06",
    "EXEC-07",
    "never two effects under one key, whatever is retried at once, fails, or is started again on the same file (property)",
  ),
  async () => {
    let file = 0;
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("calls" as const),
          keys: fc.array(fc.constantFrom("k1", "k2", "k3"), { minLength: 1, maxLength: 5 }),
          act: acts,
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1_000, 40_000, 700_000) }) },
    );
    const idempotency = fc.constantFrom("none" as const, "key" as const, "lookup" as const);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), idempotency, async (steps, declared) => {
        file += 1;
        const clock = manualClock();
        const effects = new Map<string, number>();
        const confirmed = new Set<string>();
        let act: Act = "ok";
        const pay = tool({
          name: "bank.pay",
          tier: "reversible",
          idempotency: declared,
          ...(declared === "lookup" && { lookupTool: "bank.find" }),
          description: "Pay once.",
          input: z.object({ to: z.string() }),
          retry: { attempts: 2 },
          run: (_args, { key }) =>
            actOf(act, () => {
              // An upstream that honours keys, as `key` promises, does the same thing once.
              if (declared !== "key" || !effects.has(key)) effects.set(key, (effects.get(key) ?? 0) + 1);
            }),
        });
        const find = tool({
          name: "bank.find",
          tier: "read",
          description: "Find a payment by key.",
          input: z.object({ key: z.string() }),
          run: ({ key }) => (effects.has(key) ? { found: true, result: "done" } : { found: false }),
        });
        const open = () =>
          createSignalbox({
            store: `sqlite:${join(folder, `${file}.db`)}`,
            clock,
            policy: everything,
            tools: [pay, find],
            limits: { rateBurstCalls: 1_000, sessionCallsMax: 1_000 },
          });
        let box = await open();
        const sessionOf = () => box.session({ tenant: "acme", user: "ada", roles: ["support"] });
        let session = await sessionOf();
        for (const next of steps) {
          if (next.kind === "wait") {
            clock.jump(next.ms);
            await box.recover();
          } else if (next.kind === "restart") {
            await box.close();
            box = await open();
            session = await sessionOf();
          } else {
            act = next.act;
            const calls = next.keys.map(async (key) => ({
              key,
              outcome: (await session.turn().call({ tool: "bank.pay", arguments: { to: key }, key })).outcome,
            }));
            const answers = await moving(clock, Promise.all(calls));
            act = "ok";
            for (const { key, outcome } of answers) {
              if (outcome.kind === "completed") confirmed.add(key);
              // What once completed is never told as anything else under its key, except that a session may have asked elsewhere.
              if (confirmed.has(key)) expect(["completed", "pending", "denied"]).toContain(outcome.kind);
            }
          }
          for (const [key, count] of effects) expect([key, count]).toEqual([key, 1]);
        }
        expect(await ledgerHolds(box)).toMatchObject({ ok: true });
        await box.close();
      }),
      { numRuns: 8 },
    );
  },
  60_000,
);

test(
  verifies(
    "AUTH-03",
    "one more rule that denies never lets a call run that did not before, and never changes who else is refused (property)",
  ),
  async () => {
    const condition = fc.constantFrom(
      "args.amount > 10.0",
      "args.amount <= 50.0",
      "args.orderId == 'A-1'",
      "principal.user == 'ada'",
      "true",
      "args.missing > 1.0",
      "facts.order.region == 'eu'",
    );
    const rule = fc.record({
      when: condition,
      effect: fc.constantFrom("deny" as const, "ask" as const, "allow" as const),
      on: fc.constantFrom("order.*", "order.refund", "order.get", "*"),
    });
    const facts = { order: { tool: "order.get", arguments: { orderId: "args.orderId" } } };
    const policyOf = (
      rules: readonly { readonly when: string; readonly effect: "deny" | "ask" | "allow"; readonly on: string }[],
    ): unknown => ({
      roles: { support: ["order.*"] },
      facts,
      rules: rules.map(({ when, effect, on }, index) => ({
        id: `r${index}`,
        on,
        when,
        effect,
        ...(effect === "allow" && { waives: "tier" }),
      })),
    });
    const rank = (outcome: Outcome): number => (outcome.kind === "completed" ? 2 : outcome.kind === "pending" ? 1 : 0);
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 4 }), condition, fc.nat({ max: 4 }), async (rules, when, at) => {
        const more = [...rules.slice(0, at), { when, effect: "deny" as const, on: "*" }, ...rules.slice(at)];
        const requests = [
          { tool: "order.get", arguments: { orderId: "A-1" } },
          { tool: "order.refund", arguments: { orderId: "A-1", amount: 5 } },
          { tool: "order.refund", arguments: { orderId: "B-1", amount: 80 } },
        ];
        const ranks = async (policy: unknown): Promise<number[]> => {
          const { box, session } = await shopBox({ policy });
          const outcomes = [];
          for (const request of requests) outcomes.push((await session.turn().call(request)).outcome);
          await box.close();
          return outcomes.map(rank);
        };
        const before = await ranks(policyOf(rules));
        const after = await ranks(policyOf(more));
        for (const index of requests.keys()) expect(after[index]).toBeLessThanOrEqual(before[index] as number);
      }),
      { numRuns: 60 },
    );
  },
);
