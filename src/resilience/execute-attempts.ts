import type { JsonObject } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import type { Connector, ExecutionResult, Failure, Tool } from "../domain/tool.ts";
import { codes, type CodeRow, type Effect } from "../errors/codes.ts";
import { cancelledFailure, runAttempt, timeoutFailure } from "./attempt.ts";
import { backoffMs } from "./backoff.ts";
import { hedgeDelayMs, runHedged, type Hedged } from "./hedge.ts";
import type { Permit } from "./guards.ts";
import type { Resilience } from "./resilience.ts";

/** One call to carry out. */
export interface AttemptRequest {
  /** What all calls of the process share, from `createResilience`. */
  readonly resilience: Resilience;
  readonly tool: Tool;
  readonly connector: Connector;
  readonly args: JsonObject;
  readonly callId: string;
  readonly key: string;
  readonly principal: Principal;
  readonly sessionId: string;
  readonly secret: (reference: string) => Promise<string>;
  readonly conceal: (value: string) => void;
  /** All attempts and waits together end by then, by the monotonic clock. Nothing moves it. */
  readonly deadlineAtMonotonicMs: number;
  /** Whether the same effect under the same key happens once. Believed only of a tool whose idempotency is `natural` or `key`. */
  readonly isSafeToResend: boolean;
  /** The caller's: fires when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of every attempt, and says whether there may be another. Absent: nobody guards the call. */
  readonly permit?: Permit | undefined;
  /** Told at the end of every attempt. */
  readonly onAttempt?: ((event: AttemptEvent) => void) | undefined;
  /** Told of an answer that came after its attempt had been given up. It is never used as the result. */
  readonly onLate?: ((late: LateAnswer) => void) | undefined;
  /** Told of a progress message, at most `progressMessagesMax` an attempt, cut to `progressCharsMax`. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

/** How one attempt ended. */
export interface AttemptEvent {
  /** 1 for the first. */
  readonly attempt: number;
  readonly durationMs: number;
  /** Undefined for a success. */
  readonly failure: Failure | undefined;
  /** Wait before the next attempt; undefined when there is none. */
  readonly retryInMs: number | undefined;
}

/** An answer after the end. */
export interface LateAnswer {
  readonly attempt: number;
  readonly result: ExecutionResult;
}

/** How a call ended, all attempts together. */
export interface AttemptsResult {
  readonly result: ExecutionResult;
  /** Attempts that were begun. */
  readonly attempts: number;
  /** Over all attempts: one lost reply keeps it `unknown`, whatever a later attempt failed with. Equal to that of a failure. */
  readonly effect: Effect;
  /** A second attempt was begun beside the first, since that took long. */
  readonly isHedged?: true;
}

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
