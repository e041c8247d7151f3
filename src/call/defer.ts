import { isoTime } from "../base/clock.ts";
import type { DecidedDelay, Decision } from "../domain/decision.ts";
import type { Deferral } from "../domain/deferral.ts";
import type { Json } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { callDeferred } from "../ledger/entries.ts";
import type { EntryDraft, Operation } from "../store/store.ts";
import { deferralKey, deferredCounter } from "./deferral-rows.ts";
import { pendingDeferral, stop, stopWith } from "./endings.ts";
import { parkedClaims } from "./park.ts";
import { deferredKind } from "./parked.ts";
import { askedTexts, callFacts, prepareVault, seal } from "./record.ts";
import type { Ending } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Puts a call off: when to judge it again, the claims on key and meaning, and the entry, in one transaction. A call that was put off before merely gets another
 * time; one that a person has approved keeps the approval, and is taken up again while that lasts.
 */
export async function defer(state: CallState, decision: Decision): Promise<Ending> {
  const delay = decision.delay as DecidedDelay;
  if (state.approval !== undefined) return { kind: "stop", outcome: pendingDeferral(delay) };
  const { runtime } = state;
  const deferral = deferralOf(state, decision, delay);
  await prepareVault(state);
  try {
    const result = await runtime.store.commit(state.deferral === undefined ? putOff(state, deferral) : putOffAgain(state, deferral));
    if (result.kind === "refused")
      return result.reason === "counter"
        ? stop("RATE_LIMITED", `${result.value} calls of this user are put off already; let some of them run first`, {
            retryAfterMs: runtime.limits.deferralCheckMs,
          })
        : { kind: "again", from: "identify" };
  } catch (cause) {
    return stopWith(toolCallError("LEDGER_UNAVAILABLE", "the call could not be put off, so nothing was done; try again later", { cause }));
  }
  runtime.observe(state, "approve", "suspend", `put off until ${isoTime(delay.wakeAtMs)} (${deferral.rules.join(", ")})`);
  return { kind: "stop", outcome: pendingDeferral(delay) };
}

function deferralOf(state: CallState, decision: Decision, { wakeAtMs, expiresAtMs }: DecidedDelay): Deferral {
  const { session, registered, callId, effectiveDigest } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  return {
    tenant: session.principal.tenant,
    callId,
    sessionId: session.id,
    user: session.principal.user,
    credentialId: session.credentialId,
    tool: tool.name,
    version: tool.version,
    effectiveDigest: state.deferral?.deferral.effectiveDigest ?? effectiveDigest,
    rules: decision.reasons.flatMap(({ rule, effect }) => (effect === "defer" ? [rule] : [])),
    sinceMs: state.waitingSinceMs ?? state.startedAtMs,
    wakeAtMs,
    expiresAtMs,
  };
}

interface Unit {
  readonly operations: readonly Operation[];
  readonly entries: readonly EntryDraft[];
}

function putOff(state: CallState, deferral: Deferral): Unit {
  const { runtime } = state;
  const { tenant, user, callId, wakeAtMs, expiresAtMs } = deferral;
  const values = seal(state, deferredKind, askedTexts(state));
  return {
    operations: [
      { op: "add", key: deferredCounter(tenant, user), delta: 1, max: runtime.limits.deferralsPendingMax },
      ...parkedClaims(state, { approvalId: undefined, dueMs: expiresAtMs, sealed: values.sealed }),
      { op: "put", key: deferralKey(tenant, callId), body: deferral as unknown as Json, expect: "absent", dueMs: wakeAtMs },
    ],
    entries: [callDeferred({ ...callFacts(state, values), wakeAtMs, expiresAtMs })],
  };
}

/** The same question again is not worth an entry; another rule's is. */
function putOffAgain(state: CallState, deferral: Deferral): Unit {
  const { deferral: before, version } = state.deferral as NonNullable<CallState["deferral"]>;
  const { tenant, callId, rules, wakeAtMs, expiresAtMs } = deferral;
  const isSame = rules.join("\n") === before.rules.join("\n");
  return {
    operations: [{ op: "put", key: deferralKey(tenant, callId), body: deferral as unknown as Json, expect: version, dueMs: wakeAtMs }],
    entries: isSame ? [] : [callDeferred({ ...callFacts(state, undefined), wakeAtMs, expiresAtMs })],
  };
}
