import { approvalKey } from "../approvals/approvals.ts";
import type { Json } from "../domain/json.ts";
import type { Outcome, Ended } from "../domain/outcome.ts";
import { callDenied, callIntended, callSettled, type CallFacts } from "../ledger/entries.ts";
import type { PrivateTexts } from "../ledger/vault.ts";
import type { EntryDraft, Operation, RowKey } from "../store/store.ts";
import { deferralOver } from "./deferral-rows.ts";
import { outcomeOf, pendingExecution } from "./endings.ts";
import { releaseOperations } from "./release.ts";
import { privateOutcome } from "./outcome-record.ts";
import { conversationOf } from "./keys.ts";
import type { StageName } from "./stage.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { SealedValues } from "../ledger/sealed-values.ts";
import type { LiveSession } from "./live-session.ts";
import type { CallState } from "./runtime.ts";

/** What the ledger is told of one call: the facts that intent, denial and parking have in common. */
export function callFacts(state: CallState, values: SealedValues | undefined): CallFacts {
  const { session, turn, registered, call, texts } = state;
  const tool = registered?.tool;
  return {
    place: { tenant: session.principal.tenant, callId: state.callId, sessionId: session.id, atMs: state.runtime.clock.now() },
    user: session.principal.user,
    roles: session.principal.roles,
    credentialId: session.credentialId,
    conversationId: session.conversationId,
    turnId: turn.id,
    traceId: turn.traceId,
    model: turn.model,
    providerCallId: call.hasProviderId ? call.id : undefined,
    purpose: state.parent?.purpose,
    parentCallId: state.parent?.callId,
    tool: tool?.name ?? call.name.slice(0, state.runtime.limits.toolNameCharsMax),
    version: tool?.version,
    fingerprint: tool?.fingerprint,
    tier: tool?.tier,
    source: tool?.source,
    decision: state.decision,
    digests: texts,
    key: state.key?.text,
    repairs: state.repairs.length === 0 ? undefined : state.repairs.map((repair) => `${repair.path} ${repair.kind}`),
    waitedSinceMs: state.waitingSinceMs,
    values,
  };
}

/** Encrypts private values of one entry and commits to them. Waits only where the tenant's key is not at hand yet. */
export function seal(state: CallState, kind: string, texts: PrivateTexts): SealedValues {
  const { session, runtime } = state;
  return runtime.vault.sealValues({ tenant: session.principal.tenant, kind, callId: state.callId, subject: session.dataSubject }, texts);
}

/** Private values that came with the call. */
export function askedTexts(state: CallState): PrivateTexts {
  const { turn, texts, call, runtime, narrowing } = state;
  return {
    ...(narrowing?.before !== undefined && { requested: narrowing.before.texts.text }),
    arguments: texts ?? JSON.stringify(call.raw.slice(0, runtime.limits.argumentsBytesMax)),
    said: turn.said === undefined ? undefined : JSON.stringify(turn.said),
    reasoning: turn.reasoning === undefined ? undefined : JSON.stringify(turn.reasoning),
  };
}

/** The key that seals this session's values, made ready; undefined where it is. */
export function prepareVault(state: CallState): Promise<void> | undefined {
  return state.runtime.vault.prepare(state.session.principal.tenant, state.session.dataSubject);
}

/** The intent, for the gate's transaction. The vault must be ready. */
export function intendedEntry(state: CallState): EntryDraft {
  const facts = callFacts(state, seal(state, "call-intended", askedTexts(state)));
  return callIntended(state.approval === undefined ? facts : { ...facts, approvalId: state.approval.approval.id });
}

/** The outcome, for the settling transaction. The vault is ready since the gate. */
export function settledEntry(state: CallState, outcome: Ended): EntryDraft {
  const { session, registered, runtime } = state;
  const tool = registered?.tool;
  const isCompleted = outcome.kind === "completed";
  const texts = privateOutcome(outcome, state.resultText);
  return callSettled({
    place: { tenant: session.principal.tenant, callId: state.callId, sessionId: session.id, atMs: runtime.clock.now() },
    tool: tool?.name ?? state.call.name,
    version: tool?.version,
    outcome: outcome.kind === "denied" ? "failed" : outcome.kind,
    effect: isCompleted ? outcome.effect : outcome.error.effect,
    code: isCompleted ? undefined : outcome.error.code,
    attemptsCount: state.attempts,
    durationMs: Math.round(state.executedMs),
    costMicrosUsd: tool === undefined || tool.costMicrosUsd === 0 ? undefined : tool.costMicrosUsd,
    label: isCompleted ? outcome.result.label : undefined,
    cutChars: isCompleted ? outcome.result.cutChars : undefined,
    isFallback: state.isFallback,
    asOfMs: isCompleted ? outcome.result.asOfMs : undefined,
    isRecovered: state.isRecovered,
    isHedged: state.isHedged,
    cachedFrom: state.cached?.callId,
    values: seal(state, "call-settled", texts),
  });
}

/**
 * Records a call that ended before the gate, then gives its outcome. A replay and a call that waits are in the ledger already; a throttled one is
 * not recorded at all, or whoever floods the gate would also fill the ledger. Denials of permission are counted, and too many stop the session.
 */
export async function recordEnding(state: CallState, stage: StageName, outcome: Outcome): Promise<Outcome> {
  if (outcome.kind === "completed" || outcome.kind === "pending" || state.standsFor !== undefined) return outcome;
  if ("isReplay" in outcome && outcome.isReplay) return outcome;
  const { error } = outcome;
  if (error.code === "OVERLOADED" || error.code === "LEDGER_UNAVAILABLE") return outcome;
  // A call that woke and that its tool does not take now, or that cannot ask or wait now, waits on, and is taken up again while that lasts.
  const isWoken = state.approval !== undefined || state.deferral !== undefined;
  if (isWoken && (stage === "admit" || error.code === "RATE_LIMITED")) return outcome;
  // One that may not wait for a person or a time, since too many do, was heard like any other; what its user sends is throttled before.
  if (error.code === "RATE_LIMITED" && stage !== "approve") return outcome;
  // So does one that was put off where nobody could decide just now.
  if (error.code === "DECISION_UNAVAILABLE" && state.deferral !== undefined) return outcome;
  try {
    await prepareVault(state);
    const texts: PrivateTexts = { ...askedTexts(state), ...privateOutcome(outcome, undefined) };
    const facts = callFacts(state, seal(state, "call-denied", texts));
    const entry = callDenied({ ...facts, stage, code: error.code, reason: error.message });
    const woken = await releaseWoken(state);
    const counted =
      (error.code === "PERMISSION_DENIED" || error.code === "FLOW_FORBIDDEN") && state.parent === undefined ? [countDenial(state)] : [];
    const result = await state.runtime.store.commit({ operations: [...woken, ...counted], entries: [entry] });
    if (result.kind === "refused" && result.reason === "row") return await standsElsewhere(state);
    if (result.kind === "refused") {
      await state.session.stop("too many refused calls in one session");
      await state.runtime.store.commit({ operations: [], entries: [entry] });
    }
  } catch (cause) {
    // Nothing was done and nothing will be: the refusal stands even where it could not be recorded.
    state.runtime.reportFault("record", cause);
    return outcomeOf(
      toolCallError("LEDGER_UNAVAILABLE", "the call could not be recorded, so nothing was done; try again later", { cause }),
    );
  }
  return outcome;
}

/** A call that woke and was refused gives back what it held; its answer stays for whoever asks again. */
async function releaseWoken(state: CallState): Promise<readonly Operation[]> {
  if (state.deferral !== undefined)
    return [...deferralOver(state.deferral), ...(await releaseOperations(state.runtime, state.deferral.deferral, "rejected"))];
  if (state.approval === undefined) return [];
  const { approval, version } = state.approval;
  const body = { ...approval, state: "void" } as unknown as Json;
  return [
    { op: "put", key: approvalKey(approval.tenant, approval.id), body, expect: version },
    ...(await releaseOperations(state.runtime, approval, "rejected")),
  ];
}

/** Another process woke the same call and was first: what came of it there is its outcome, and not what this process would have said. */
async function standsElsewhere(state: CallState): Promise<Outcome> {
  state.standsFor = state.callId;
  return state.key === undefined
    ? pendingExecution(state.callId, 1_000)
    : await state.runtime.joinElsewhere(state, state.callId, state.key.row);
}

function countDenial({ session, runtime }: CallState): Operation {
  return { op: "add", key: denialKey(session), delta: 1, max: runtime.limits.sessionDenialsMax - 1 };
}

/** Where the denials of a session are counted: with those of the conversation it was delegated from, so that another agent does not begin anew. */
export function denialKey(session: Pick<LiveSession, "id" | "principal">): RowKey {
  return { space: "denials", tenant: session.principal.tenant, key: conversationOf(session.id) };
}
