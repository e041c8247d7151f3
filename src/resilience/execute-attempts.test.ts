import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Execution, ExecutionResult, Failure, FailureKind, Idempotency, Tier } from "../domain/tool.ts";
import type { Effect } from "../errors/codes.ts";
import { functionConnector } from "../connectors/function.ts";
import { attempt, connectorOf, fixedRandom, resilienceOf, stepClock, toolOf, value } from "./resilience.fixture.ts";
import { createResilience } from "./resilience.ts";
import type { LoopBlocked } from "./loop-watch.ts";
import type { AttemptEvent, AttemptsResult, LateAnswer } from "./attempt-request.ts";

function failure(kind: FailureKind, effect: Effect, more: Partial<Failure> = {}): ExecutionResult {
  return { kind: "failure", failure: { kind, message: "it did not work", effect, ...more } };
}

function failureOf(result: AttemptsResult): Failure {
  if (result.result.kind !== "failure") throw new Error("expected a failure");
  return result.result.failure;
}

const never = (): Promise<ExecutionResult> => new Promise(() => {});

/** Answers in order; the last one again and again. */
function script(...results: readonly ExecutionResult[]): {
  readonly execute: () => Promise<ExecutionResult>;
  readonly count: () => number;
} {
  let count = 0;
  return {
    execute: async () => results[Math.min(count++, results.length - 1)] as ExecutionResult,
    count: () => count,
  };
}

describe("deadlines", () => {
  it(
    verifies(
      "EXEC-01",
      "ends an attempt at its timeout although the tool ignores its signal, and reports the late answer without using it",
    ),
    async () => {
      const clock = stepClock();
      const late: LateAnswer[] = [];
      let answer: (result: ExecutionResult) => void = () => {};
      const connector = connectorOf(() => new Promise((resolve) => (answer = resolve)));
      const done = attempt(resilienceOf(clock), { tool: toolOf({ attemptMs: 500 }), connector, onLate: (event) => late.push(event) });
      await clock.advance(500 + 32);
      const result = await done;
      expect(failureOf(result)).toMatchObject({ kind: "timeout", effect: "unknown" });
      answer(value("too late"));
      await clock.advance(1);
      expect(late).toEqual([{ attempt: 1, result: value("too late") }]);
    },
  );

  it("fires the signal at the timeout, and one asked for afterwards has fired already", async () => {
    const clock = stepClock();
    const seen: Execution[] = [];
    const connector = connectorOf((execution) => {
      seen.push(execution);
      return never();
    });
    const tool = toolOf({ attempts: 1 });
    const first = attempt(resilienceOf(clock), { tool, connector });
    const asked = (seen[0] as Execution).signal;
    expect(asked.aborted).toBe(false);
    const second = attempt(resilienceOf(clock), { tool, connector });
    await clock.advance(1_100);
    await Promise.all([first, second]);
    expect(asked.aborted).toBe(true);
    expect((seen[1] as Execution).signal.aborted).toBe(true);
  });

  it("never lets one call outlive its deadline by more than a tick, whatever it does (property)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            takesMs: fc.integer({ min: 0, max: 3_000 }),
            kind: fc.constantFrom<FailureKind>("timeout", "unavailable", "rate-limited"),
          }),
          {
            minLength: 1,
            maxLength: 6,
          },
        ),
        fc.integer({ min: 1, max: 5_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (steps, deadlineMs, sample) => {
          const clock = stepClock();
          const resilience = resilienceOf(clock, { random: fixedRandom(sample) });
          let count = 0;
          const connector = connectorOf(
            (execution) =>
              new Promise((resolve) => {
                const step = steps[count++ % steps.length] as { takesMs: number; kind: FailureKind };
                const talk = (): void => {
                  execution.progress("still at it");
                  clock.after(100, talk);
                };
                talk();
                clock.after(step.takesMs, () => resolve(failure(step.kind, "none")));
              }),
          );
          const startedMs = clock.monotonic();
          let endedMs = -1;
          const tool = toolOf({ attempts: 6, tier: "read" });
          const done = attempt(resilience, { tool, connector, deadlineAtMonotonicMs: startedMs + deadlineMs }).then(
            () => (endedMs = clock.monotonic()),
          );
          await clock.advance(deadlineMs + 40);
          expect(endedMs).toBeGreaterThanOrEqual(0);
          await done;
          expect(endedMs - startedMs).toBeLessThanOrEqual(deadlineMs + 32);
        },
      ),
      { numRuns: 25 },
    );
  });

  it(
    verifies("EXEC-01", "resets only the idle timer by progress: silence ends the attempt, talking does not move its timeout"),
    async () => {
      const clock = stepClock();
      const tool = toolOf({ attempts: 1, attemptMs: 1_000, idleMs: 200 });
      const silent = attempt(resilienceOf(clock), { tool, connector: connectorOf(never) });
      await clock.advance(240);
      expect(failureOf(await silent).kind).toBe("timeout");

      const heard: string[] = [];
      let endedMs = -1;
      const talking = connectorOf((execution) => {
        const talk = (): void => {
          execution.progress("working");
          clock.after(100, talk);
        };
        talk();
        return never();
      });
      const startedMs = clock.monotonic();
      const done = attempt(resilienceOf(clock), { tool, connector: talking, onProgress: (text) => heard.push(text) });
      void done.then(() => (endedMs = clock.monotonic()));
      await clock.advance(900);
      expect(endedMs).toBe(-1);
      await clock.advance(150);
      expect(endedMs - startedMs).toBeGreaterThanOrEqual(1_000);
      expect(heard.length).toBeGreaterThanOrEqual(9);
      expect(heard.length).toBeLessThanOrEqual(11);
    },
  );

  it("passes on a bounded number of progress messages of bounded length, and none after the end", async () => {
    const clock = stepClock();
    const heard: string[] = [];
    let say: (message: string) => void = () => {};
    const connector = connectorOf(async (execution) => {
      say = execution.progress;
      for (let count = 0; count < defaultLimits.progressMessagesMax - 1; count += 1) say("x".repeat(defaultLimits.progressCharsMax + 1));
      return value(1);
    });
    await attempt(resilienceOf(clock), { tool: toolOf({}), connector, onProgress: (message) => heard.push(message) });
    say("after the end");
    expect(heard).toHaveLength(defaultLimits.progressMessagesMax - 1);
    expect(heard[0]).toHaveLength(defaultLimits.progressCharsMax);
    const chatty = connectorOf(async (execution) => {
      for (let count = 0; count < defaultLimits.progressMessagesMax + 5; count += 1) execution.progress("x");
      return value(1);
    });
    heard.length = 0;
    await attempt(resilienceOf(clock), { tool: toolOf({}), connector: chatty, onProgress: (message) => heard.push(message) });
    expect(heard).toHaveLength(defaultLimits.progressMessagesMax);
  });

  it("reports no effect for a write that is cut off before anything was sent, and an unknown one after", async () => {
    const clock = stepClock();
    const tool = toolOf({ attempts: 1 });
    const marking = (marks: readonly ("unsent" | "sent")[]) =>
      attempt(resilienceOf(clock), {
        tool,
        connector: connectorOf((execution) => {
          for (const mark of marks) execution.mark?.(mark);
          return never();
        }),
      });
    const results = [marking(["unsent"]), marking(["unsent", "sent"]), marking(["unsent", "sent", "unsent"]), marking([])];
    await clock.advance(1_100);
    expect((await Promise.all(results)).map((result) => result.effect)).toEqual(["none", "unknown", "unknown", "unknown"]);
  });
});

describe("retries", () => {
  it(verifies("EXEC-02", "waits with full jitter between attempts, and longer where the upstream says so"), async () => {
    const clock = stepClock();
    const events: AttemptEvent[] = [];
    const steps = script(failure("unavailable", "none"), failure("rate-limited", "none", { retryAfterMs: 2_000 }), value("done"));
    const done = attempt(resilienceOf(clock, { random: fixedRandom(0.5) }), {
      tool: toolOf({}),
      connector: connectorOf(steps.execute),
      onAttempt: (event) => events.push(event),
    });
    await clock.advance(99);
    expect(steps.count()).toBe(1);
    await clock.advance(1);
    expect(steps.count()).toBe(2);
    await clock.advance(2_199);
    expect(steps.count()).toBe(2);
    await clock.advance(1);
    expect(await done).toMatchObject({ result: value("done"), attempts: 3, effect: "applied" });
    expect(events.map((event) => event.retryInMs)).toEqual([100, 2_200, undefined]);
  });

  it("surfaces a Retry-After that is too long, and a wait that would end after the deadline, at once", async () => {
    const clock = stepClock();
    const long = script(failure("rate-limited", "none", { retryAfterMs: defaultLimits.retryAfterMsMax + 1 }));
    await attempt(resilienceOf(clock), { tool: toolOf({}), connector: connectorOf(long.execute) });
    expect(long.count()).toBe(1);
    const late = script(failure("rate-limited", "none", { retryAfterMs: 5_000 }));
    const result = await attempt(resilienceOf(clock), {
      tool: toolOf({}),
      connector: connectorOf(late.execute),
      deadlineAtMonotonicMs: clock.monotonic() + 5_000,
    });
    expect(late.count()).toBe(1);
    expect(failureOf(result).retryAfterMs).toBe(5_000);
  });

  it("never sends a write again whose effect may have happened, unless the tool makes that safe (property)", async () => {
    const kinds: readonly FailureKind[] = ["timeout", "unavailable", "rate-limited", "rejected", "failed"];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Tier>("read", "reversible", "irreversible", "privileged"),
        fc.constantFrom<Idempotency>("natural", "key", "lookup", "none"),
        fc.boolean(),
        fc.constantFrom<Effect>("none", "unknown", "applied"),
        fc.constantFrom(...kinds),
        fc.constantFrom<"absorb" | "surface">("absorb", "surface"),
        async (tier, idempotency, isSafeToResend, effect, kind, policy) => {
          const clock = stepClock();
          const steps = script(failure(kind, effect));
          const tool = toolOf({ tier, idempotency, attempts: 2, on: { [kind]: policy } });
          const done = attempt(resilienceOf(clock), { tool, connector: connectorOf(steps.execute), isSafeToResend });
          await clock.advance(10_000);
          await done;
          const isSafe =
            tier === "read" ||
            effect === "none" ||
            (effect === "unknown" && isSafeToResend && (idempotency === "natural" || idempotency === "key"));
          expect(steps.count()).toBe(isSafe && policy === "absorb" ? 2 : 1);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keeps an unknown effect unknown when a later attempt is refused, and then no longer calls it a refusal of the arguments", async () => {
    const clock = stepClock();
    const steps = script(failure("timeout", "unknown"), failure("rejected", "none", { code: "TOOL_REFUSED" }));
    const done = attempt(resilienceOf(clock), { tool: toolOf({ idempotency: "key" }), connector: connectorOf(steps.execute) });
    await clock.advance(1_000);
    const result = await done;
    expect(result).toMatchObject({ attempts: 2, effect: "unknown" });
    expect(failureOf(result)).toMatchObject({ kind: "failed", effect: "unknown" });
    expect(failureOf(result).code).toBeUndefined();
  });

  it("never retries more than the budget's share of a tool's calls, beyond its minimum (property)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), async (calls) => {
        const clock = stepClock();
        const resilience = resilienceOf(clock, { random: fixedRandom(0) });
        const steps = script(failure("unavailable", "none"));
        const tool = toolOf({ attempts: 3 });
        for (let call = 0; call < calls; call += 1) {
          const done = attempt(resilience, { tool, connector: connectorOf(steps.execute) });
          await clock.advance(0);
          await done;
        }
        const retries = steps.count() - calls;
        expect(retries).toBeLessThanOrEqual(Math.max(defaultLimits.retryBudgetMin, (calls * defaultLimits.retryBudgetPercent) / 100));
        expect(retries).toBeGreaterThanOrEqual(Math.min(2 * calls, defaultLimits.retryBudgetMin));
      }),
      { numRuns: 20 },
    );
  });
});

describe("the golden table of absorb and surface", () => {
  const rows: readonly (readonly [string, Parameters<typeof toolOf>[0], ExecutionResult, number, Effect])[] = [
    ["weather 503 of a read is retried", { tier: "read" }, failure("unavailable", "none"), 3, "none"],
    ["card charge without a key is not sent twice", { tier: "irreversible" }, failure("timeout", "unknown"), 1, "unknown"],
    ["card charge under a key is sent again", { tier: "irreversible", idempotency: "key" }, failure("timeout", "unknown"), 3, "unknown"],
    ["a refusal is the model's to mend", { tier: "reversible" }, failure("rejected", "none"), 1, "none"],
    [
      "an endless computation set to surface is shown at once",
      { tier: "read", on: { timeout: "surface" } },
      failure("timeout", "none"),
      1,
      "none",
    ],
    ["a valid empty result is completed", { tier: "read" }, value([]), 1, "none"],
  ];
  it.each(rows)(verifies("EXEC-15", "%s"), async (_title, changes, result, attempts, effect) => {
    const clock = stepClock();
    const steps = script(result);
    const done = attempt(resilienceOf(clock), { tool: toolOf(changes), connector: connectorOf(steps.execute) });
    await clock.advance(20_000);
    expect(await done).toMatchObject({ attempts, effect });
    expect(steps.count()).toBe(attempts);
  });
});

describe("cancellation", () => {
  it("ends a wait between attempts at once", async () => {
    const clock = stepClock();
    const controller = new AbortController();
    const steps = script(failure("rate-limited", "none", { retryAfterMs: 5_000 }));
    const done = attempt(resilienceOf(clock), { tool: toolOf({}), connector: connectorOf(steps.execute), signal: controller.signal });
    await clock.advance(10);
    controller.abort();
    const result = await done;
    expect(failureOf(result)).toMatchObject({ code: "CANCELLED", effect: "none" });
    expect(steps.count()).toBe(1);
  });

  it("ends a running attempt, of a write with an unknown effect, and starts none when the caller is gone already", async () => {
    const clock = stepClock();
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const connector = connectorOf((execution) => {
      signal = execution.signal;
      return never();
    });
    const done = attempt(resilienceOf(clock), { tool: toolOf({}), connector, signal: controller.signal });
    controller.abort();
    expect(failureOf(await done)).toMatchObject({ code: "CANCELLED", effect: "unknown" });
    expect(signal?.aborted).toBe(true);
    const steps = script(value(1));
    const refused = await attempt(resilienceOf(clock), {
      tool: toolOf({}),
      connector: connectorOf(steps.execute),
      signal: controller.signal,
    });
    expect(refused).toMatchObject({ attempts: 0, effect: "none" });
    expect(steps.count()).toBe(0);
  });
});

describe("handlers that block", () => {
  async function blocked(run: (clock: ReturnType<typeof stepClock>) => unknown): Promise<readonly LoopBlocked[]> {
    const clock = stepClock();
    const reports: LoopBlocked[] = [];
    const resilience = createResilience({
      clock,
      random: fixedRandom(0),
      limits: defaultLimits,
      onLoopBlocked: (report) => reports.push(report),
    });
    const done = attempt(resilience, { tool: toolOf({ name: "math.slow", tier: "read" }), connector: functionConnector(() => run(clock)) });
    await clock.advance(2_000);
    await done;
    return reports;
  }

  it(verifies("EXEC-16", "names the tool whose synchronous part holds the event loop, once"), async () => {
    expect(await blocked((clock) => clock.block(300))).toEqual([{ tools: ["math.slow"], isCertain: true, blockedMs: 300 }]);
  });

  it("names a tool that blocks after it has awaited something", async () => {
    const reports = await blocked(async (clock) => {
      await new Promise<void>((resolve) => clock.after(20, resolve));
      clock.block(400);
    });
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatchObject({ tools: ["math.slow"] });
    expect(reports[0]?.blockedMs).toBeGreaterThan(300);
  });

  it("says nothing about a tool that waits for long without blocking", async () => {
    expect(await blocked((clock) => new Promise<void>((resolve) => clock.after(900, resolve)))).toEqual([]);
  });
});
