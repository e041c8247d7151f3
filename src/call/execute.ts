import type { Failure, Fallback } from "../domain/tool.ts";
import { runAttempts } from "../resilience/execute-attempts.ts";
import { releasePermit } from "./admit.ts";
import { progressOf } from "./progress.ts";
import { cachedExecution, forgetReads } from "./cached-reads.ts";
import { failureWords } from "./words.ts";
import type { AttemptEvent, AttemptsResult } from "../resilience/attempt-request.ts";
import { proceed, type Execution, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Carries the call out through its connector, under an attempt timeout and an absolute deadline, with retries for what is safe to resend. Where
 * nothing happened, the tool's fallback may answer instead; that is a call of its own.
 */
export function execute(state: CallState): Verdict | Promise<Verdict> {
  const { runtime, registered, session, key, unavailable } = state;
  const { tool, connector } = registered as NonNullable<typeof registered>;
  const startedMs = runtime.clock.monotonic();
  state.texts?.detach();
  if (state.cached !== undefined) {
    state.execution = cachedExecution(state, state.cached);
    return proceed;
  }
  forgetReads(state);
  if (unavailable !== undefined) return answerInstead(state, startedMs, unavailable);
  const looked = runtime.hasObservers;
  const done = runAttempts({
    resilience: runtime.resilience,
    tool,
    connector,
    args: state.args,
    callId: state.callId,
    key: key?.upstream ?? state.callId,
    principal: session.principal,
    sessionId: session.id,
    secret: runtime.secret,
    conceal: runtime.conceal,
    deadlineAtMonotonicMs: startedMs + executionMs(state, tool.timeouts.executeMs),
    isSafeToResend: tool.idempotency === "natural" || tool.idempotency === "key",
    signal: state.signal,
    permit: state.permit,
    onProgress: progressOf(state),
    onAttempt: looked ? (event) => noteAttempt(state, event) : undefined,
    onLate: (late) => runtime.reportHandler(tool, "late", `attempt ${late.attempt} answered after it had been given up`),
  });
  return done instanceof Promise ? done.then((ended) => executed(state, startedMs, ended)) : executed(state, startedMs, done);
}

function executed(state: CallState, startedMs: number, done: AttemptsResult): Verdict | Promise<Verdict> {
  const { registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const { result } = done;
  // Before a fallback, which is a call of its own and may have to wait for such a place.
  releasePermit(state);
  forgetReads(state);
  state.isHedged = done.isHedged === true;
  state.attempts = done.attempts;
  state.execution = result;
  reportThrow(state, result);
  if (result.kind === "value" && result.warnings !== undefined) state.notices.push(...result.warnings);
  const needsFallback = result.kind === "failure" && done.effect === "none" && falls(result.failure);
  if (needsFallback && tool.fallback !== undefined) return answerInstead(state, startedMs, result.failure);
  return after(state, startedMs);
}

/** A function that throws what is no `ToolFailure` has a bug: its own words reach nobody who calls, so its operator has to learn where. */
function reportThrow({ runtime, registered }: CallState, result: AttemptsResult["result"]): void {
  const { tool, connector } = registered as NonNullable<typeof registered>;
  if (connector.kind !== "function" || result.kind !== "failure" || result.failure.cause === undefined) return;
  runtime.reportHandler(tool, "threw", "what is no `ToolFailure`", result.failure.cause);
}

/** The tool has a fallback, and nothing happened. */
async function answerInstead(state: CallState, startedMs: number, failure: Failure): Promise<Verdict> {
  const { tool } = state.registered as NonNullable<CallState["registered"]>;
  state.execution = await fallBack(state, tool.fallback as Fallback, failure);
  return after(state, startedMs);
}

function after(state: CallState, startedMs: number): Verdict {
  state.executedMs = state.runtime.clock.monotonic() - startedMs;
  return proceed;
}

/** What is left of the claim: once it is over, another process may be settling the call, and nothing may be sent any more. */
function executionMs({ claimDeadlineMs, runtime }: CallState, executeMs: number): number {
  return claimDeadlineMs === undefined ? executeMs : Math.min(executeMs, claimDeadlineMs - runtime.clock.now());
}

function noteAttempt(state: CallState, event: AttemptEvent): void {
  const { failure, attempt, retryInMs } = event;
  if (failure === undefined) return;
  const next = retryInMs === undefined ? "" : `; again in ${Math.round(retryInMs)} ms under the same key`;
  state.runtime.observe(
    state,
    "execute",
    "attempt",
    `attempt ${attempt}: ${failureWords(state.runtime, failure.message)} (effect ${failure.effect})${next}`,
  );
}

/** A refusal of the arguments is the model's to mend; only what is the tool's own trouble falls back. */
function falls(failure: Failure): boolean {
  return failure.kind !== "rejected" && failure.code !== "CANCELLED";
}

async function fallBack(state: CallState, fallback: Fallback, failure: Failure): Promise<Execution> {
  const { runtime, registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  state.notices.push(`\`${tool.name}\` could not answer (${failureWords(runtime, failure.message)}); this is its fallback, not its answer`);
  switch (fallback.kind) {
    case "value":
      state.isFallback = true;
      return { kind: "value", value: fallback.value };
    case "unavailable":
      return { kind: "failure", failure: { ...failure, message: fallback.message } };
    case "tool": {
      const answer = await runtime.callInside(state, { tool: fallback.tool, arguments: state.args, purpose: "fallback" });
      if (answer.outcome.kind !== "completed") return { kind: "failure", failure };
      state.isFallback = true;
      return { kind: "value", value: answer.outcome.result.value ?? null };
    }
  }
}
