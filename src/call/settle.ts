import { assert } from "../base/assert.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { settleSessionBudget } from "../budget/holds.ts";
import type { Json } from "../domain/json.ts";
import type { Outcome, Ended } from "../domain/outcome.ts";
import { codes, type Effect, type ErrorCode } from "../errors/codes.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { Failure } from "../domain/tool.ts";
import { isShared } from "../store/shared.ts";
import type { CommitResult, Operation } from "../store/store.ts";
import { keepResult } from "./cached-reads.ts";
import { letterOperations } from "./dead-letters.ts";
import { stricter } from "./delegation.ts";
import { outcomeOf } from "./endings.ts";
import { historySettled } from "./history.ts";
import { keyClaim, meaningClaim, meaningRowKey } from "./gate.ts";
import type { KeyClaim, KeyState } from "./keys.ts";
import { narrowedWords } from "./narrow.ts";
import { stepReturned } from "./plan-fit.ts";
import { settledEntry } from "./record.ts";
import { failureWords } from "./words.ts";
import type { Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * SETTLE: one transaction writes the outcome and resolves every claim of the gate. If it cannot be written, the result of a read is withheld (its
 * label would not be durable), and a write says that it was applied but could not be recorded.
 */
export function settle(state: CallState): Verdict | Promise<Verdict> {
  const outcome = settledOutcome(state);
  // Before anything leaves: what a session has read restricts it from now on.
  const indexing = state.runtime.flow.noteResult(state, outcome);
  return indexing === undefined ? settleNow(state, outcome) : indexing.then(() => settleNow(state, outcome));
}

function settleNow(state: CallState, outcome: Ended): Verdict | Promise<Verdict> {
  let written: CommitResult | Promise<CommitResult>;
  try {
    written = write(state, outcome);
  } catch (cause) {
    return maySettleAgain(state, 1) ? settleOn(state, outcome, 2) : withheld(state, outcome, cause);
  }
  if (!(written instanceof Promise) && written.kind === "committed") return recorded(state, outcome);
  return settleOn(state, outcome, 1, written);
}

function recorded(state: CallState, outcome: Ended): Verdict {
  if (state.decision?.notify === true) state.runtime.notices.nudge();
  if (state.caching !== undefined) keepResult(state, outcome);
  state.runtime.flow.readerNoted(state);
  return { kind: "stop", outcome };
}

function write(state: CallState, outcome: Ended): CommitResult | Promise<CommitResult> {
  return state.runtime.store.commit({ operations: settleOperations(state, outcome), entries: [settledEntry(state, outcome)] });
}

async function settleOn(state: CallState, outcome: Ended, from: number, first?: CommitResult | Promise<CommitResult>): Promise<Verdict> {
  for (let attempt = from; ; attempt += 1) {
    try {
      const result = await (attempt === from && first !== undefined ? first : write(state, outcome));
      if (result.kind === "committed") return recorded(state, outcome);
      const standing = await settledElsewhere(state, outcome);
      if (standing !== undefined) return { kind: "stop", outcome: standing };
    } catch (cause) {
      if (!maySettleAgain(state, attempt)) return withheld(state, outcome, cause);
    }
    assert(attempt < fixedBounds.racesMax, "a claim changes a few times at most");
  }
}

/**
 * A database that was away for a moment, or a process that slept through its lease, need not leave the outcome open. Since the claim is settled with its version,
 * it is settled once, however often it is tried and whatever became of the first time.
 */
function maySettleAgain({ runtime, claimVersion }: CallState, attempt: number): boolean {
  return isShared(runtime.store) && claimVersion !== undefined && attempt < fixedBounds.settleAttemptsMax;
}

/**
 * The claim is not as this process made it: it was silent for longer than the claim lasted, and another process or a person settled the call or has taken it
 * over. Where that one could only say `unknown`, what is known here is written after all (undefined: try again); otherwise what it said stands.
 */
async function settledElsewhere(state: CallState, outcome: Ended): Promise<Outcome | undefined> {
  const { runtime, session, callId } = state;
  const { tenant } = session.principal;
  const { row: keyRow } = state.key as NonNullable<CallState["key"]>;
  const [row] = await runtime.store.read([keyRow]);
  const claim = row?.body as unknown as KeyClaim | undefined;
  const isOwn = row !== undefined && claim?.callId === callId;
  if (isOwn && claim.state === "unknown" && outcome.kind !== "unknown") {
    state.claimVersion = row.version;
    return undefined;
  }
  state.standsFor = callId;
  if (isOwn && claim.state === "running") return await runtime.joinElsewhere(state, callId, keyRow);
  return await runtime.recordedOutcome(tenant, callId);
}

function withheld(state: CallState, outcome: Ended, cause: unknown): Verdict {
  state.runtime.reportFault("settle", cause);
  return { kind: "stop", outcome: unrecorded(state, outcome, cause) };
}

function settledOutcome(state: CallState): Ended {
  const { execution, registered, shaped } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (execution?.kind === "value" && shaped !== undefined) {
    return {
      kind: "completed",
      result: shaped,
      effect: tool.tier === "read" || state.isFallback ? "none" : "applied",
      notices: state.narrowing === undefined ? state.notices : [...state.notices, ...narrowedWords(state)],
      isReplay: false,
      isFallback: state.isFallback,
    };
  }
  const failure: Failure =
    execution?.kind === "failure"
      ? execution.failure
      : { kind: "failed", code: "INTERNAL", effect: "unknown", message: "something failed inside Signalbox" };
  return outcomeOf(failureError(state, failure)) as Ended;
}

/** A failure of a tool as an error, with the code that its kind and effect allow. */
function failureError(state: CallState, failure: Failure): ToolCallError {
  const { registered, runtime, callId } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const caution = failure.effect === "unknown" ? "; it may have happened, so do not call it again before its outcome is known" : "";
  const narrowed = narrowedWords(state).map((words) => `; ${words}`);
  return toolCallError(codeOf(failure), `${failureWords(runtime, failure.message)}${caution}${narrowed.join("")}`, {
    effect: failure.effect,
    isSafeToResend: tool.idempotency !== "none",
    retryAfterMs: failure.retryAfterMs,
    detail: failure.detail === undefined ? undefined : runtime.redactText(failure.detail),
    cause: failure.cause,
    callId,
  });
}

function codeOf(failure: Failure): ErrorCode {
  const wanted = failure.code ?? codeByKind[failure.kind];
  const allowed: readonly string[] = codes[wanted].effects;
  return allowed.includes(failure.effect) ? wanted : "TOOL_FAILED";
}

const codeByKind = {
  timeout: "TOOL_TIMEOUT",
  unavailable: "TOOL_UNAVAILABLE",
  "rate-limited": "TOOL_UNAVAILABLE",
  rejected: "TOOL_REFUSED",
  failed: "TOOL_FAILED",
} as const satisfies Record<Failure["kind"], ErrorCode>;

/** Operations that resolve what the gate claimed, for the outcome at hand. */
function settleOperations(state: CallState, outcome: Ended): readonly Operation[] {
  const { registered, runtime, session, key } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const { tenant } = session.principal;
  const operations: Operation[] = [];
  const effect = outcome.kind === "completed" ? outcome.effect : outcome.error.effect;
  const keyState: KeyState = outcome.kind === "completed" ? "completed" : outcome.kind === "unknown" ? "unknown" : "failed";
  const nowMs = runtime.clock.now();
  if (key !== undefined && (tool.tier !== "read" || key.isAddressable)) {
    // Nothing happened: the key is free again, so that the same call may be made under it.
    const isFree = keyState === "failed" && effect === "none";
    const isForgotten = isFree || (!key.isAddressable && keyState !== "unknown");
    // A process that slept through its claim may still come to settle it: the versions of the row go on counting.
    const isKept = isForgotten && key.isAddressable && state.isRecovered && isShared(runtime.store);
    if (isForgotten && !isKept)
      operations.push({ op: "delete", key: key.row, ...(state.claimVersion !== undefined && { expect: state.claimVersion }) });
    else operations.push(keySettled(state, isKept ? "free" : keyState, nowMs));
    const meaning = meaningRowKey(state);
    if (meaning !== undefined) {
      if (isFree) operations.push({ op: "delete", key: meaning });
      else
        operations.push({
          op: "put",
          key: meaning,
          body: meaningClaim(state, keyState) as unknown as Json,
          dueMs: nowMs + (keyState === "unknown" ? runtime.limits.keyRetentionMs : runtime.limits.duplicateWindowMs),
        });
    }
  }
  if (state.parent === undefined) {
    for (const { counters, own } of session.accounts)
      operations.push(
        ...settleSessionBudget({
          counters,
          budget: stricter(runtime.policy.sessionBudget, own),
          heldMicrosUsd: state.heldMicrosUsd,
          executionMs: state.executedMs,
          isCostReleased: effect === "none" && outcome.kind !== "completed",
        }),
      );
  }
  operations.push(
    ...historySettled(state, { isCompleted: outcome.kind === "completed" && !state.isFallback, hadNoEffect: effect === "none", nowMs }),
  );
  if (state.step !== undefined && effect === "none" && outcome.kind !== "completed") operations.push(...stepReturned(state.step));
  // A recovered call may have been parked before its process died.
  if (state.waitingSinceMs !== undefined || state.isRecovered)
    operations.push({ op: "delete", key: { space: "parked", tenant, key: state.callId } });
  operations.push(...runtime.flow.noteReader(state));
  if (isToldOf(state, effect)) operations.push(...runtime.notices.ran(state));
  if (state.handle !== undefined) operations.push(handlePut(state, state.handle.id, nowMs));
  operations.push(...letterOperations(state, outcome));
  return operations;
}

/** Whether the owner hears of a call that ran without a question. */
function isToldOf({ decision, parent, registered }: CallState, effect: Effect): boolean {
  return decision?.notify === true && parent === undefined && effect !== "none" && registered?.tool.tier !== "read";
}

function keySettled(state: CallState, keyState: KeyState, nowMs: number): Operation {
  const { runtime, key, registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  // A lost attempt may still arrive until then; an unknown outcome is looked into again when that is over, a known one is forgotten in the end.
  const deadlineMs = keyState === "unknown" ? Math.max(nowMs, state.startedAtMs + tool.timeouts.executeMs) : nowMs;
  return {
    op: "put",
    key: (key as NonNullable<typeof key>).row,
    body: keyClaim(state, keyState, { deadlineMs }) as unknown as Json,
    ...(state.claimVersion !== undefined && { expect: state.claimVersion }),
    dueMs: keyState === "unknown" ? deadlineMs + runtime.limits.reconcileSettleMs : nowMs + runtime.limits.keyRetentionMs,
  };
}

function handlePut(state: CallState, id: string, nowMs: number): Operation {
  const { runtime, session, registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  return {
    op: "put",
    key: { space: "handle", tenant: session.principal.tenant, key: id },
    body: {
      callId: state.callId,
      sessionId: session.id,
      tool: `${tool.name}@${tool.version}`,
      expiresAtMs: nowMs + runtime.limits.handleExpiryMs,
    },
    dueMs: nowMs + runtime.limits.handleExpiryMs,
  };
}

function unrecorded(state: CallState, outcome: Ended, cause: unknown): Outcome {
  const { registered, callId } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const effect = outcome.kind === "completed" ? outcome.effect : outcome.error.effect;
  if (tool.tier === "read" || effect === "none")
    return outcomeOf(
      toolCallError("RESULT_WITHHELD", "the result could not be recorded and is withheld; try again later", { cause, callId }),
    );
  return outcomeOf(
    toolCallError(
      "LEDGER_UNAVAILABLE",
      `the call was made, but its outcome could not be recorded; do not repeat it, ask a person about \`${callId}\``,
      {
        effect,
        cause,
        callId,
      },
    ),
  );
}
