import type { Clock } from "../base/clock.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Connector, Execution, ExecutionResult, FailureKind, FailurePolicy, Idempotency, Tier, Tool } from "../domain/tool.ts";
import { runAttempts } from "./execute-attempts.ts";
import { createResilience, type Resilience } from "./resilience.ts";
import type { AttemptRequest, AttemptsResult } from "./attempt-request.ts";

/** A clock that moves when a test says so. */
export interface StepClock extends Clock {
  /** Moves on, running timers in order, and lets promises settle after each. */
  advance(byMs: number): Promise<void>;
  /** Moves on without running anything: what a handler that blocks does. */
  block(byMs: number): void;
  readonly timerCount: number;
}

export function stepClock(): StepClock {
  let nowMs = 1_000;
  let timers: { readonly atMs: number; readonly task: () => void }[] = [];
  return {
    now: () => 1_700_000_000_000 + nowMs,
    monotonic: () => nowMs,
    after(delayMs, task) {
      const timer = { atMs: nowMs + delayMs, task };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((other) => other !== timer)) };
    },
    async advance(byMs) {
      const untilMs = nowMs + byMs;
      await microtasks();
      for (;;) {
        const next = timers.filter((timer) => timer.atMs <= untilMs).sort((left, right) => left.atMs - right.atMs)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.task();
        await microtasks();
      }
      nowMs = untilMs;
      await microtasks();
    },
    block: (byMs) => void (nowMs += byMs),
    get timerCount() {
      return timers.length;
    },
  };
}

async function microtasks(): Promise<void> {
  for (let round = 0; round < 12; round += 1) await Promise.resolve();
}

/** Jitter that always samples the same. */
export function fixedRandom(sample: number): Random {
  return { sample: () => sample, bytes: (length) => Buffer.alloc(length) };
}

export function toolOf(changes: {
  readonly name?: string;
  readonly tier?: Tier;
  readonly idempotency?: Idempotency;
  readonly attempts?: number;
  readonly on?: Partial<Record<FailureKind, FailurePolicy>>;
  readonly attemptMs?: number;
  readonly idleMs?: number;
}): Tool {
  return {
    name: changes.name ?? "order.refund",
    version: "1.0.0",
    title: undefined,
    description: "Refund an order",
    whenToUse: undefined,
    whenNotToUse: undefined,
    examples: [],
    tier: changes.tier ?? "irreversible",
    isEgress: false,
    inputSchema: { type: "object" },
    outputSchema: undefined,
    argumentRoles: {},
    outputLabels: {},
    source: "shop",
    owner: undefined,
    idempotency: changes.idempotency ?? "none",
    lookupTool: undefined,
    isRepeatable: false,
    isSensitive: false,
    runsAs: "user",
    permission: undefined,
    timeouts: { attemptMs: changes.attemptMs ?? 1_000, executeMs: 30_000, replyMs: 30_000, idleMs: changes.idleMs },
    retry: {
      attempts: changes.attempts ?? 3,
      on: { timeout: "absorb", unavailable: "absorb", "rate-limited": "absorb", rejected: "surface", failed: "surface", ...changes.on },
    },
    fallback: undefined,
    costMicrosUsd: 0,
    ratePerMinute: undefined,
    postcondition: undefined,
    repairsArguments: true,
    isForeign: false,
    deprecated: undefined,
    fingerprint: "0".repeat(64),
  };
}

/** A connector that does what a test says. */
export function connectorOf(execute: (execution: Execution) => Promise<ExecutionResult>, kind = "test"): Connector {
  return { kind, execute: (_args, execution) => execute(execution) };
}

export function value(of: unknown): ExecutionResult {
  return { kind: "value", value: of };
}

export function resilienceOf(clock: Clock, parts: { readonly limits?: Limits; readonly random?: Random } = {}): Resilience {
  return createResilience({ clock, random: parts.random ?? fixedRandom(0.5), limits: parts.limits ?? defaultLimits });
}

/** Runs a call with everything a test does not care about filled in. */
export async function attempt(
  resilience: Resilience,
  request: Pick<AttemptRequest, "tool" | "connector"> & Partial<AttemptRequest>,
): Promise<AttemptsResult> {
  return await runAttempts({
    resilience,
    args: {},
    callId: "call_1",
    key: "key_1",
    principal: { tenant: "acme", user: "ada", roles: [], attributes: {} },
    sessionId: "ses_1",
    secret: async () => "s",
    conceal: () => {},
    deadlineAtMonotonicMs: resilience.clock.monotonic() + 30_000,
    isSafeToResend: request.tool.idempotency === "natural" || request.tool.idempotency === "key",
    ...request,
  });
}
