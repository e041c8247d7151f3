import type { ExecutionResult, Failure } from "../domain/tool.ts";
import { codes, type CodeRow, type Effect } from "../errors/codes.ts";
import { cancelledFailure, runAttempt, timeoutFailure } from "./attempt.ts";
import { backoffMs } from "./backoff.ts";
import { hedgeDelayMs, runHedged, type Hedged } from "./hedge.ts";
import type { AttemptRequest, AttemptsResult } from "./attempt-request.ts";

/**
 * Carries out a call: every attempt under the tool's attempt timeout, all of them under one absolute deadline, repeated only where a repeat is safe
 * (nothing happened, or the tool makes a repeat harmless), the tool absorbs that kind of failure, attempts and retry budget are left, and the wait
 * (full jitter, or what the upstream asks for up to `retryAfterMsMax`) ends before the deadline. Never throws for anything a tool does.
 */
export function runAttempts(request: AttemptRequest): AttemptsResult | Promise<AttemptsResult> {
  const { tool, resilience } = request;
  const startedMs = resilience.clock.monotonic();
  resilience.retryBudget(tool).noteCall(startedMs);
  const refusal = refuseStart(request, startedMs);
  if (refusal !== undefined) return failed(refusal, 0, "none");
  const afterMs = tool.hedge === undefined ? undefined : hedgeDelayMs(request);
  if (afterMs !== undefined) return runHedged(request, afterMs, startedMs).then((hedged) => afterHedge(request, hedged, startedMs));
  const first = runAttempt(request, 1, startedMs);
  // Most calls succeed at once, and a handler that need not wait makes nobody wait.
  return !(first instanceof Promise) && first.kind === "value" ? succeeded(request, first, 1, startedMs) : goOn(request, first, startedMs);
}

async function afterHedge(request: AttemptRequest, hedged: Hedged, startedMs: number): Promise<AttemptsResult> {
  const { result, attempts } = hedged;
  const ended =
    result.kind === "value" ? succeeded(request, result, attempts, startedMs) : await goOn(request, result, startedMs, attempts);
  return attempts > 1 ? { ...ended, isHedged: true } : ended;
}

function succeeded(request: AttemptRequest, result: ExecutionResult, attempt: number, startedMs: number): AttemptsResult {
  const { tool, resilience, onAttempt, permit } = request;
  permit?.noteAttempt(undefined, resilience.clock.monotonic() - startedMs);
  onAttempt?.({ attempt, durationMs: resilience.clock.monotonic() - startedMs, failure: undefined, retryInMs: undefined });
  return { result, attempts: attempt, effect: tool.tier === "read" ? "none" : "applied" };
}

async function goOn(
  request: AttemptRequest,
  first: ExecutionResult | Promise<ExecutionResult>,
  firstStartedMs: number,
  attemptsBegun = 1,
): Promise<AttemptsResult> {
  const { tool, resilience, onAttempt } = request;
  let startedMs = firstStartedMs;
  let effect: Effect = "none";
  for (let attempt = attemptsBegun; ; attempt += 1) {
    const result = await (attempt === attemptsBegun ? first : runAttempt(request, attempt, startedMs));
    if (result.kind === "value") return succeeded(request, result, attempt, startedMs);
    const failure = tool.tier === "read" ? withEffect(result.failure, "none") : result.failure;
    effect = graver(effect, failure.effect);
    const nowMs = resilience.clock.monotonic();
    request.permit?.noteAttempt(failure, nowMs - startedMs);
    const retryInMs = retryDelay({ request, failure, effect, attempt, nowMs });
    onAttempt?.({ attempt, durationMs: nowMs - startedMs, failure, retryInMs });
    if (retryInMs === undefined) return failed(failure, attempt, effect);
    if (!(await sleep(request, retryInMs))) return failed(cancelledFailure(tool, effect), attempt, effect);
    // Others may have found out meanwhile that the upstream is down.
    if (request.permit?.mayTryAgain() === false) return failed(failure, attempt, effect);
    startedMs = resilience.clock.monotonic();
    // The timer may have come late, and the deadline does not wait for it.
    if (startedMs >= request.deadlineAtMonotonicMs) return failed(failure, attempt, effect);
  }
}

function refuseStart(request: AttemptRequest, nowMs: number): Failure | undefined {
  if (request.signal?.aborted === true) return cancelledFailure(request.tool, "none");
  if (nowMs >= request.deadlineAtMonotonicMs) return timeoutFailure(request.tool, 0, "none");
  return undefined;
}

function failed(failure: Failure, attempts: number, effect: Effect): AttemptsResult {
  return { result: { kind: "failure", failure: withEffect(failure, effect) }, attempts, effect };
}

/** A failure under the effect of all attempts. A refusal of the last one says nothing about a lost one before it, so it no longer counts as one. */
function withEffect(failure: Failure, effect: Effect): Failure {
  if (failure.effect === effect) return failure;
  const { code, ...rest } = failure;
  const isCodeRight = code !== undefined && (codes[code] as CodeRow).effects.includes(effect);
  const kind = failure.kind === "rejected" && effect !== "none" ? "failed" : failure.kind;
  return { ...rest, kind, effect, ...(isCodeRight && { code }) };
}

function graver(left: Effect, right: Effect): Effect {
  if (left === "applied" || right === "applied") return "applied";
  return left === "unknown" || right === "unknown" ? "unknown" : "none";
}

function retryDelay(parts: {
  readonly request: AttemptRequest;
  readonly failure: Failure;
  readonly effect: Effect;
  readonly attempt: number;
  readonly nowMs: number;
}): number | undefined {
  const { request, failure, effect, attempt, nowMs } = parts;
  const { tool, resilience } = request;
  const { limits, random } = resilience;
  if (attempt >= tool.retry.attempts || tool.retry.on[failure.kind] !== "absorb") return undefined;
  if (failure.code !== undefined && codes[failure.code].retry !== "later") return undefined;
  if (!maySendAgain(request, effect) || request.permit?.mayTryAgain() === false) return undefined;
  const askedMs = failure.retryAfterMs ?? 0;
  if (askedMs > limits.retryAfterMsMax) return undefined;
  const jitterMs = backoffMs({ retryNumber: attempt, baseMs: limits.retryBaseMs, capMs: limits.retryCapMs, random });
  // Jitter on top of what was asked for, so that those who were told the same time do not all come at once.
  const delayMs = askedMs + jitterMs;
  if (nowMs + delayMs >= request.deadlineAtMonotonicMs) return undefined;
  return resilience.retryBudget(tool).trySpend(nowMs) ? delayMs : undefined;
}

function maySendAgain(request: AttemptRequest, effect: Effect): boolean {
  if (effect === "none") return true;
  const { idempotency } = request.tool;
  return effect === "unknown" && request.isSafeToResend && (idempotency === "natural" || idempotency === "key");
}

/** Waits; false at once when the caller's signal fires. */
function sleep(request: AttemptRequest, delayMs: number): Promise<boolean> {
  const { resilience, signal } = request;
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve(false);
      return;
    }
    const wake = (isDone: boolean): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      resolve(isDone);
    };
    const onAbort = (): void => wake(false);
    const timer = resilience.clock.after(delayMs, () => wake(true));
    signal?.addEventListener("abort", onAbort);
  });
}
