import type { CallLetter, DeadLetter } from "../domain/dead-letter.ts";
import type { Json } from "../domain/json.ts";
import type { Operation, Row, RowKey } from "../store/store.ts";
import type { Ended } from "../domain/outcome.ts";
import type { CallState } from "./runtime.ts";

/**
 * Dead letters: what was given up and waits for a person. The row of a call's letter lies under the call's own id and is written by the very unit that
 * settles the call, so that none is lost and none is there twice; the unit that settles the call otherwise takes it away.
 */

const nothing: readonly Operation[] = Object.freeze([]);

/** Where a letter lies. */
export function letterKey(tenant: string, id: string): RowKey {
  return { space: "dead-letter", tenant, key: id };
}

/** Writes a letter. One of which nothing is open but the reading is forgotten after `keepMs`; an unknown call stays until it is known. */
export function putLetter(letter: DeadLetter, keepMs: number, expect?: number | "absent"): Operation {
  return {
    op: "put",
    key: letterKey(letter.tenant, letter.id),
    body: letter as unknown as Json,
    ...(expect !== undefined && { expect }),
    ...(letter.kind !== "unknown" && { dueMs: letter.sinceMs + keepMs }),
  };
}

/** The letter of a row. */
export function letterOf(row: Row): DeadLetter {
  return row.body as unknown as DeadLetter;
}

/** What settling a call does to its letter. */
export function letterOperations(state: CallState, outcome: Ended): readonly Operation[] {
  if (state.claimVersion === undefined || state.parent !== undefined) return nothing;
  const { runtime, session, callId } = state;
  if (outcome.kind === "unknown" || endedUnheard(state, outcome)) {
    runtime.letterTenants.add(session.principal.tenant);
    return [putLetter(callLetter(state, outcome), runtime.limits.deadLetterKeepMs)];
  }
  // Only where somebody else had to settle the claim before, or may have had to, can there be one.
  const isFirst = !state.isRecovered && state.claimVersion === (state.keyRow?.version ?? 0) + 1;
  return isFirst ? nothing : [{ op: "delete", key: letterKey(session.principal.tenant, callId) }];
}

/** It had been taken on for later, so whoever asked for it may never hear that it failed: a person let it run, its caller was told to come back, or its process died. */
function endedUnheard(state: CallState, outcome: Ended): outcome is Extract<Ended, { readonly kind: "failed" }> {
  if (outcome.kind !== "failed") return false;
  const { runtime, registered, startedMonotonicMs } = state;
  const replyMs = registered?.tool.timeouts.replyMs ?? runtime.limits.replyDeadlineMs;
  return (
    state.waitingSinceMs !== undefined ||
    (state.isRecovered && state.attempts > 0) ||
    runtime.clock.monotonic() - startedMonotonicMs >= replyMs
  );
}

function callLetter(state: CallState, outcome: Extract<Ended, { readonly kind: "unknown" | "failed" }>): CallLetter {
  const { session, registered, key, runtime } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  return {
    id: state.callId,
    kind: outcome.kind,
    tenant: session.principal.tenant,
    sessionId: session.id,
    tool: tool.name,
    version: tool.version,
    user: session.principal.user,
    keyRow: (key as NonNullable<typeof key>).row.key,
    code: outcome.error.code,
    effect: outcome.error.effect,
    attemptsCount: state.attempts,
    sinceMs: runtime.clock.now(),
  };
}
