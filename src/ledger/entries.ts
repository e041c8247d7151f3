import type { Decision, Gate } from "../domain/decision.ts";
import type { Json } from "../domain/json.ts";
import type { Label } from "../domain/label.ts";
import type { Tier } from "../domain/tool.ts";
import type { Effect, ErrorCode } from "../errors/codes.ts";
import type { EntryDraft } from "../store/store.ts";
import { CallDraft } from "./call-draft.ts";
import { decisionBody, type DecisionBody } from "./decision-body.ts";
import type { SealedValues } from "./sealed-values.ts";
import type { EntryPlace, CallPlace } from "./entry-place.ts";

/**
 * What the ledger says, one builder per kind of entry. Builders run on the hot path: they only put facts in place, with members in canonical
 * order, so that serialising need not sort. Private values (arguments, result, reasoning, words) enter as `SealedValues` only: the body holds
 * their commitments. Members without a value are left out of the text.
 */

/** Why a call was made: by the model, or by Signalbox itself on behalf of another call. */
export type CallPurpose = "call" | "fact" | "lookup" | "probe" | "reconcile" | "fallback" | "compensate";

/** Proof of private values inside a body. */
export interface ValuesBody {
  /** How the values lie beside the entry. */
  readonly algorithm: string;
  /** SHA-256 of salt and canonical text, by name. */
  readonly commitments: Readonly<Record<string, string>>;
  readonly keyId: string;
}

/** Whether the caller gave something that the ledger would have kept. The words themselves are among the private values. */
export type Supplied = "supplied" | "not supplied";

/** Who asked for a call, where, and with what: common to intent, denial and parking. */
export interface CallFacts {
  readonly place: CallPlace;
  readonly user: string;
  readonly roles: readonly string[];
  /** The credential that made the call: the agent. */
  readonly credentialId: string;
  readonly conversationId?: string | undefined;
  readonly turnId?: string | undefined;
  readonly traceId?: string | undefined;
  /** Exact model id as supplied; recorded as `not supplied` otherwise. */
  readonly model?: string | undefined;
  /** The provider's id of the call, as evidence. */
  readonly providerCallId?: string | undefined;
  /** Default `call`. */
  readonly purpose?: CallPurpose | undefined;
  /** The call on whose behalf this one is made; with `compensate`, the call that is undone. */
  readonly parentCallId?: string | undefined;
  readonly tool: string;
  readonly version?: string | undefined;
  /** Fingerprint of the tool's definition. */
  readonly fingerprint?: string | undefined;
  readonly tier?: Tier | undefined;
  readonly source?: string | undefined;
  /** Absent where the call stopped before anything was decided. */
  readonly decision?: Decision | undefined;
  /** SHA-256 of the canonical arguments as sent, and as they would run. */
  readonly requestDigest?: string | undefined;
  readonly effectiveDigest?: string | undefined;
  /** Both digests, where they are made only when the entry is written. */
  readonly digests?: { readonly requestDigest: string; readonly effectiveDigest: string } | undefined;
  /** Idempotency key. */
  readonly key?: string | undefined;
  /** What was changed in the arguments before they ran, one line each, without values. */
  readonly repairs?: readonly string[] | undefined;
  /** Labels of what the arguments contain. */
  readonly labels?: readonly Label[] | undefined;
  /** Of a call that waited for a person or a time: since when. */
  readonly waitedSinceMs?: number | undefined;
  /** Sealed `arguments`, and `reasoning` and `said` where supplied. */
  readonly values?: SealedValues | undefined;
}

/** Body of `call-intended`, `call-denied`, `call-parked` and `call-deferred`. */
export interface CallBody {
  readonly approvalId?: string | undefined;
  readonly code?: ErrorCode | undefined;
  readonly conversationId?: string | undefined;
  readonly credentialId: string;
  readonly decision?: DecisionBody | undefined;
  readonly effectiveDigest?: string | undefined;
  readonly expiresAtMs?: number | undefined;
  readonly fingerprint?: string | undefined;
  readonly gate?: Gate | undefined;
  readonly key?: string | undefined;
  readonly labels?: readonly Label[] | undefined;
  readonly model: string;
  readonly parentCallId?: string | undefined;
  readonly providerCallId?: string | undefined;
  readonly purpose: CallPurpose;
  readonly reason?: string | undefined;
  readonly reasoning: Supplied;
  readonly repairs?: readonly string[] | undefined;
  readonly requestDigest?: string | undefined;
  readonly roles: readonly string[];
  readonly said: Supplied;
  readonly source?: string | undefined;
  readonly stage?: string | undefined;
  readonly tier?: Tier | undefined;
  readonly tool: string;
  readonly traceId?: string | undefined;
  readonly turnId?: string | undefined;
  readonly user: string;
  readonly values?: ValuesBody | undefined;
  readonly version?: string | undefined;
  readonly waitedSinceMs?: number | undefined;
  readonly wakeAtMs?: number | undefined;
}

/** The intent of a call, written before anything leaves. `approvalId`: the approval it runs under. */
export function callIntended(facts: CallFacts & { readonly approvalId?: string | undefined }): EntryDraft {
  return new CallDraft<CallFacts & CallExtras>("call-intended", facts, callBody);
}

/** A call that was refused: at which stage, with which code, and the words the model was given. */
export function callDenied(
  facts: CallFacts & {
    readonly stage: string;
    readonly code: ErrorCode;
    readonly reason: string;
    readonly approvalId?: string | undefined;
  },
): EntryDraft {
  return new CallDraft<CallFacts & CallExtras>("call-denied", facts, callBody);
}

/** A call that waits for a person. */
export function callParked(
  facts: CallFacts & { readonly approvalId: string; readonly gate: Gate; readonly expiresAtMs: number },
): EntryDraft {
  return new CallDraft<CallFacts & CallExtras>("call-parked", facts, callBody);
}

/** A call that rules put off, the reasons of its decision, and until when. Again where other rules do so later. */
export function callDeferred(facts: CallFacts & { readonly wakeAtMs: number; readonly expiresAtMs: number }): EntryDraft {
  return new CallDraft<CallFacts & CallExtras>("call-deferred", facts, callBody);
}

interface CallExtras {
  readonly wakeAtMs?: number;
  readonly approvalId?: string | undefined;
  readonly code?: ErrorCode;
  readonly expiresAtMs?: number;
  readonly gate?: Gate;
  readonly reason?: string;
  readonly stage?: string;
}

function callBody(facts: CallFacts & CallExtras): CallBody {
  const values = facts.values;
  return {
    approvalId: facts.approvalId,
    code: facts.code,
    conversationId: facts.conversationId,
    credentialId: facts.credentialId,
    decision: facts.decision === undefined ? undefined : decisionBody(facts.decision),
    effectiveDigest: facts.digests?.effectiveDigest ?? facts.effectiveDigest,
    expiresAtMs: facts.expiresAtMs,
    fingerprint: facts.fingerprint,
    gate: facts.gate,
    key: facts.key,
    labels: facts.labels,
    model: facts.model ?? "not supplied",
    parentCallId: facts.parentCallId,
    providerCallId: facts.providerCallId,
    purpose: facts.purpose ?? "call",
    reason: facts.reason,
    reasoning: supplied(values, "reasoning"),
    repairs: facts.repairs === undefined || facts.repairs.length === 0 ? undefined : facts.repairs,
    requestDigest: facts.digests?.requestDigest ?? facts.requestDigest,
    roles: facts.roles,
    said: supplied(values, "said"),
    source: facts.source,
    stage: facts.stage,
    tier: facts.tier,
    tool: facts.tool,
    traceId: facts.traceId,
    turnId: facts.turnId,
    user: facts.user,
    values: valuesBody(values),
    version: facts.version,
    waitedSinceMs: facts.waitedSinceMs,
    wakeAtMs: facts.wakeAtMs,
  };
}

/** How a call ended. */
export interface CallSettlement {
  readonly place: CallPlace;
  readonly tool: string;
  readonly version?: string | undefined;
  readonly outcome: "completed" | "failed" | "unknown";
  readonly effect: Effect;
  /** Error code unless completed. */
  readonly code?: ErrorCode | undefined;
  /** Attempts made, the first included. */
  readonly attemptsCount: number;
  /** Milliseconds from the gate to the outcome. */
  readonly durationMs: number;
  /** Cost in micros of USD, and whether it was measured or estimated. */
  readonly costMicrosUsd?: number | undefined;
  readonly label?: Label | undefined;
  /** SHA-256 of the result's canonical JSON as the tool gave it. */
  readonly resultDigest?: string | undefined;
  /** Characters cut from what the model saw; left out when 0. */
  readonly cutChars?: number | undefined;
  /** Values redacted, by kind. */
  readonly redactions?: Readonly<Record<string, number>> | undefined;
  readonly notices?: readonly string[] | undefined;
  readonly isFallback?: boolean | undefined;
  /** Wall time up to which the result is true. */
  readonly asOfMs?: number | undefined;
  /** A second attempt was begun beside the first, since that took long. */
  readonly isHedged?: boolean | undefined;
  /** The earlier call whose result was given again; this one asked nobody. */
  readonly cachedFrom?: string | undefined;
  /** Settled after the process that made the call was gone. */
  readonly isRecovered?: boolean | undefined;
  /** Who found out what became of it, where that was a person. Why they say so is the sealed `note`. */
  readonly resolvedBy?: string | undefined;
  /** Sealed `result`, or `error` with an upstream's words. */
  readonly values?: SealedValues | undefined;
}

/** Body of `call-settled`. */
export interface SettledBody {
  readonly asOfMs?: number | undefined;
  readonly attemptsCount: number;
  readonly cachedFrom?: string | undefined;
  readonly code?: ErrorCode | undefined;
  readonly costMicrosUsd?: number | undefined;
  readonly cutChars?: number | undefined;
  readonly durationMs: number;
  readonly effect: Effect;
  readonly isFallback?: true | undefined;
  readonly isHedged?: true | undefined;
  readonly isRecovered?: true | undefined;
  readonly label?: Label | undefined;
  readonly notices?: readonly string[] | undefined;
  readonly outcome: "completed" | "failed" | "unknown";
  readonly redactions?: Readonly<Record<string, number>> | undefined;
  readonly resolvedBy?: string | undefined;
  readonly resultDigest?: string | undefined;
  readonly tool: string;
  readonly values?: ValuesBody | undefined;
  readonly version?: string | undefined;
}

/** The outcome of a call, written before anybody is answered. */
export function callSettled(settlement: CallSettlement): EntryDraft {
  return new CallDraft<CallSettlement>("call-settled", settlement, settledBody);
}

function settledBody(settlement: CallSettlement): SettledBody {
  return {
    asOfMs: settlement.asOfMs,
    attemptsCount: settlement.attemptsCount,
    cachedFrom: settlement.cachedFrom,
    code: settlement.code,
    costMicrosUsd: settlement.costMicrosUsd,
    cutChars: settlement.cutChars === 0 ? undefined : settlement.cutChars,
    durationMs: settlement.durationMs,
    effect: settlement.effect,
    isFallback: settlement.isFallback === true ? true : undefined,
    isHedged: settlement.isHedged === true ? true : undefined,
    isRecovered: settlement.isRecovered === true ? true : undefined,
    label: settlement.label,
    notices: settlement.notices === undefined || settlement.notices.length === 0 ? undefined : settlement.notices,
    outcome: settlement.outcome,
    redactions: settlement.redactions,
    resolvedBy: settlement.resolvedBy,
    resultDigest: settlement.resultDigest,
    tool: settlement.tool,
    values: valuesBody(settlement.values),
    version: settlement.version,
  };
}

/** A person's answer to an approval, with what it binds to. `state`: after it; `editedFrom`: digest of what the model sent, where a person changed it; `group`: digest of the group that it was answered with. */
export function approvalDecided(facts: {
  readonly place: CallPlace;
  readonly approvalId: string;
  readonly approve: boolean;
  readonly by: string;
  readonly credentialId: string;
  readonly editedFrom?: string | undefined;
  readonly effectiveDigest: string;
  readonly fingerprint: string;
  readonly group?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly reason?: string | undefined;
  readonly state: string;
  readonly widens?: true | undefined;
}): EntryDraft {
  const { approvalId, approve, by, credentialId, editedFrom, effectiveDigest, fingerprint, group, groups, reason, state, widens } = facts;
  const body = { approvalId, approve, by, credentialId, editedFrom, effectiveDigest, fingerprint, group, groups, reason, state, widens };
  return callEntry("approval-decided", facts.place, body, undefined);
}

/** An approval that ended without an answer being used: it expired, or no longer fitted what would run. */
export function approvalClosed(facts: {
  readonly place: CallPlace;
  readonly approvalId: string;
  readonly reason: string;
  readonly state: "expired" | "void";
}): EntryDraft {
  return callEntry("approval-closed", facts.place, { approvalId: facts.approvalId, reason: facts.reason, state: facts.state }, undefined);
}

/** A policy was put in force. Tenant `""` is the installation's own. */
export function policyActivated(facts: {
  readonly place: EntryPlace;
  readonly version: string;
  readonly previous?: string | undefined;
  readonly by: string;
}): EntryDraft {
  return entry("policy-activated", facts.place, { by: facts.by, previous: facts.previous, version: facts.version });
}

/** A tool was registered, or registered with another definition (`previous` is the fingerprint it had). */
export function toolRegistered(facts: {
  readonly place: EntryPlace;
  readonly tool: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly previous?: string | undefined;
  readonly source: string;
  readonly tier: Tier;
}): EntryDraft {
  const { fingerprint, previous, source, tier, tool, version } = facts;
  return entry("tool-registered", facts.place, { fingerprint, previous, source, tier, tool, version });
}

function supplied(values: SealedValues | undefined, name: string): Supplied {
  return values !== undefined && values.commitments[name] !== undefined ? "supplied" : "not supplied";
}

function valuesBody(values: SealedValues | undefined): ValuesBody | undefined {
  return values === undefined ? undefined : { algorithm: values.algorithm, commitments: values.commitments, keyId: values.keyId };
}

function callEntry(kind: string, place: CallPlace, body: object, values: SealedValues | undefined): EntryDraft {
  return {
    tenant: place.tenant,
    kind,
    atMs: place.atMs,
    callId: place.callId,
    sessionId: place.sessionId,
    runId: place.runId,
    body: asJson(body),
    sealed: values?.sealed,
  };
}

/** An entry without private values. For builders only; members of `body` stand in canonical order. */
export function entry(kind: string, place: EntryPlace, body: object): EntryDraft {
  return { tenant: place.tenant, kind, atMs: place.atMs, sessionId: place.sessionId, runId: place.runId, body: asJson(body) };
}

/** The types above hold only JSON; members that are `undefined` are left out by the canonical form. */
function asJson(body: object): Json {
  return body as Json;
}
