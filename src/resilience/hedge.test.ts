import fc from "fast-check";
import { expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Connector, Execution, ExecutionResult, Tier, Tool } from "../domain/tool.ts";
import type { Permit } from "./guards.ts";
import { attempt, connectorOf, resilienceOf, stepClock, toolOf, value } from "./resilience.fixture.ts";

const down: ExecutionResult = { kind: "failure", failure: { kind: "unavailable", message: "it is down", effect: "none" } };

/** Attempts that end when a test says so. */
function held() {
  const runs: { readonly execution: Execution; readonly end: (result: ExecutionResult) => void }[] = [];
  const connector: Connector = connectorOf((execution) => new Promise((end) => runs.push({ execution, end })));
  return { runs, connector };
}

const hedgedTool = (changes: Partial<Tool> = {}): Tool => ({ ...toolOf({ tier: "read" }), hedge: { afterMs: 100 }, ...changes });

it(verifies("EXEC-05", "asks a slow read a second time; the first answer wins and the other attempt is aborted"), async () => {
  const clock = stepClock();
  const { runs, connector } = held();
  const late: unknown[] = [];
  const done = attempt(resilienceOf(clock), { tool: hedgedTool(), connector, onLate: (event) => late.push(event) });
  await clock.advance(80);
  expect(runs).toHaveLength(1);
  await clock.advance(60);
  expect(runs).toHaveLength(2);
  const signal = runs[0]?.execution.signal as AbortSignal;
  runs[1]?.end(value("second"));
  expect(await done).toMatchObject({ result: value("second"), attempts: 2, effect: "none", isHedged: true });
  expect(signal.aborted).toBe(true);
  runs[0]?.end(value("first"));
  await clock.advance(10);
  expect(late).toEqual([]);
});

it("a failure loses against an attempt that is still under way, and is retried when both have failed", async () => {
  const clock = stepClock();
  const { runs, connector } = held();
  const done = attempt(resilienceOf(clock), { tool: hedgedTool(), connector });
  await clock.advance(140);
  runs[0]?.end(down);
  await clock.advance(0);
  runs[1]?.end(down);
  await clock.advance(450);
  expect(runs).toHaveLength(3);
  runs[2]?.end(value("third"));
  expect(await done).toMatchObject({ result: value("third"), attempts: 3 });
});

it("a quick answer is asked for once, and leaves no timer behind", async () => {
  const clock = stepClock();
  const { runs, connector } = held();
  const done = attempt(resilienceOf(clock), { tool: hedgedTool(), connector });
  runs[0]?.end(value("quick"));
  expect(await done).toMatchObject({ attempts: 1 });
  expect((await done).isHedged).toBeUndefined();
  await clock.advance(1_000);
  expect(runs).toHaveLength(1);
});

it("without a stated time it waits for what 95 % of `hedgeAnswersMin` answers took", async () => {
  const clock = stepClock();
  const { runs, connector } = held();
  const told: number[] = [];
  const permit: Permit = {
    noteAttempt: () => undefined,
    mayTryAgain: () => true,
    release: () => undefined,
    p95Ms: (answersMin) => {
      told.push(answersMin);
      return told.length > 1 ? 50 : undefined;
    },
  };
  const tool = hedgedTool({ hedge: {} });
  const resilience = resilienceOf(clock);
  void attempt(resilience, { tool, connector, permit });
  await clock.advance(500);
  expect(runs).toHaveLength(1);
  void attempt(resilience, { tool, connector, permit });
  await clock.advance(100);
  expect(runs).toHaveLength(3);
  expect(told[0]).toBe(defaultLimits.hedgeAnswersMin);
});

it(
  verifies("EXEC-05", "never begins a second attempt beside the first of anything but a read of our own that stays inside (property)"),
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Tier>("read", "reversible", "irreversible", "privileged"),
        fc.boolean(),
        fc.boolean(),
        async (tier, isForeign, isEgress) => {
          const clock = stepClock();
          const { runs, connector } = held();
          void attempt(resilienceOf(clock), { tool: hedgedTool({ tier, isForeign, isEgress }), connector });
          await clock.advance(500);
          expect(runs).toHaveLength(tier === "read" && !isForeign && !isEgress ? 2 : 1);
        },
      ),
    );
  },
);
