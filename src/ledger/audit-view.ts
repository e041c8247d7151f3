import type { Json } from "../domain/json.ts";
import type { Store } from "../store/store.ts";
import type { CallBody, SettledBody } from "./entries.ts";
import { member, textMember } from "./members.ts";
import { trail, type TrailItem, type TrailQuery } from "./trail.ts";
import type { Vault } from "./vault.ts";

/**
 * The auditors' view: what happened in a call, session or run as rows of six linked tables, from one query of the ledger. `runId`, `callId` and
 * `stepId` link them; `entry` names the ledger entry behind a row, so that a receipt for it can be had.
 */
export interface AuditView {
  readonly run: readonly RunRow[];
  readonly step: readonly StepRow[];
  readonly tool_call: readonly ToolCallRow[];
  readonly authz_decision: readonly AuthzDecisionRow[];
  readonly tool_result: readonly ToolResultRow[];
  readonly compensation_action: readonly CompensationActionRow[];
  /** False when the query's limit cut the trail. */
  readonly isComplete: boolean;
}

/** Where a row was recorded: `writer/epoch/seq`. */
export type EntryName = string;

/** Who asked, and in which conversation. Calls outside a run share the row of their session. */
export interface RunRow {
  readonly runId: string;
  readonly tenant: string;
  readonly sessionId: string | undefined;
  readonly user: string;
  readonly credentialId: string;
  readonly conversationId: string | undefined;
  readonly startedAtMs: number;
  readonly lastAtMs: number;
}

/** One call's place in its run. */
export interface StepRow {
  readonly stepId: string;
  readonly runId: string;
  /** From 1, in the order in which the calls began. */
  readonly index: number;
  readonly parentStepId: string | undefined;
  readonly purpose: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  /** `completed`, `failed`, `unknown`, `denied`, `parked`, or `open` where no end is recorded. */
  readonly state: string;
}

/** What was asked for, with which stated reasoning. Private values are `undefined` where erased or altered; see `values`. */
export interface ToolCallRow {
  readonly entry: EntryName;
  readonly callId: string;
  readonly stepId: string;
  readonly tool: string;
  readonly version: string | undefined;
  readonly fingerprint: string | undefined;
  readonly key: string | undefined;
  readonly arguments: Json | undefined;
  readonly values: TrailItem["values"];
  /** The words themselves, or `not supplied`; `undefined` where they were erased. */
  readonly reasoning: Json | undefined;
  readonly said: Json | undefined;
  readonly model: string;
  readonly traceId: string | undefined;
  readonly requestDigest: string | undefined;
  readonly effectiveDigest: string | undefined;
  readonly atMs: number;
}

/** Who allowed or refused it, under which policy: rules (`policy`) and people (`person`). */
export interface AuthzDecisionRow {
  readonly entry: EntryName;
  readonly callId: string;
  readonly by: "policy" | "person";
  /** The approver, or the version of the policy. */
  readonly decidedBy: string;
  readonly effect: string;
  /** Ids of the rules that spoke. */
  readonly rules: readonly string[];
  readonly reason: string;
  readonly approvalId: string | undefined;
  readonly atMs: number;
}

/** What came back. */
export interface ToolResultRow {
  readonly entry: EntryName;
  readonly callId: string;
  readonly outcome: string;
  readonly effect: string;
  readonly code: string | undefined;
  readonly result: Json | undefined;
  readonly values: TrailItem["values"];
  readonly attemptsCount: number;
  readonly durationMs: number;
  readonly costMicrosUsd: number | undefined;
  readonly atMs: number;
}

/** What was undone. */
export interface CompensationActionRow {
  readonly entry: EntryName;
  readonly callId: string;
  /** The call that is undone. */
  readonly compensatesCallId: string | undefined;
  readonly tool: string;
  /** As in `StepRow.state`. */
  readonly state: string;
  readonly atMs: number;
}

/** The auditors' view of one call, session or run of a tenant. */
export async function auditView(store: Pick<Store, "entries">, vault: Vault, query: Omit<TrailQuery, "kind">): Promise<AuditView> {
  const items = await trail(store, vault, query);
  // Several entries may tell of one call: it waited, then ran. Its first gives the arguments, its last the state.
  const asked = items.filter((item) => askingKinds.has(item.entry.kind));
  const firsts = [...Map.groupBy(asked, callIdOf).values()].map((ofCall) => ofCall[0] as TrailItem);
  const states = callStates(items);
  const compensations = firsts.filter((item) => callBody(item).purpose === "compensate");
  return {
    run: runRows(items, firsts),
    step: firsts.map((item, index) => stepRow(item, index + 1, states)),
    tool_call: firsts.map(toolCallRow),
    authz_decision: items.flatMap(decisionRows),
    tool_result: items.filter((item) => item.entry.kind === "call-settled").map(resultRow),
    compensation_action: compensations.map((item) => ({
      entry: entryName(item),
      callId: callIdOf(item),
      compensatesCallId: callBody(item).parentCallId,
      tool: callBody(item).tool,
      state: states.get(callIdOf(item))?.state ?? "open",
      atMs: item.entry.atMs,
    })),
    isComplete: items.length < query.limit,
  };
}

const askingKinds = new Set(["call-intended", "call-denied", "call-parked", "call-deferred"]);

interface CallState {
  readonly state: string;
  readonly endedAtMs: number | undefined;
}

function callStates(items: readonly TrailItem[]): ReadonlyMap<string, CallState> {
  const states = new Map<string, CallState>();
  for (const item of items) {
    const { kind, atMs } = item.entry;
    if (kind === "call-intended") states.set(callIdOf(item), { state: "open", endedAtMs: undefined });
    else if (kind === "call-parked") states.set(callIdOf(item), { state: "parked", endedAtMs: undefined });
    else if (kind === "call-deferred") states.set(callIdOf(item), { state: "deferred", endedAtMs: undefined });
    else if (kind === "call-denied") states.set(callIdOf(item), { state: "denied", endedAtMs: atMs });
    else if (kind === "call-settled") states.set(callIdOf(item), { state: (item.body as unknown as SettledBody).outcome, endedAtMs: atMs });
  }
  return states;
}

function runRows(items: readonly TrailItem[], firsts: readonly TrailItem[]): readonly RunRow[] {
  const lastAtMs = new Map<string, number>();
  for (const item of items) lastAtMs.set(runIdOf(item), item.entry.atMs);
  return [...Map.groupBy(firsts, runIdOf)].map(([runId, [first]]) => {
    const { entry } = first as TrailItem;
    const { user, credentialId, conversationId } = callBody(first as TrailItem);
    const startedAtMs = entry.atMs;
    return {
      runId,
      tenant: entry.tenant,
      sessionId: entry.sessionId,
      user,
      credentialId,
      conversationId,
      startedAtMs,
      lastAtMs: lastAtMs.get(runId) ?? startedAtMs,
    };
  });
}

function stepRow(item: TrailItem, index: number, states: ReadonlyMap<string, CallState>): StepRow {
  const { parentCallId, purpose } = callBody(item);
  const callId = callIdOf(item);
  const { state, endedAtMs } = states.get(callId) ?? { state: "open", endedAtMs: undefined };
  return {
    stepId: callId,
    runId: runIdOf(item),
    index,
    parentStepId: parentCallId,
    purpose,
    startedAtMs: item.entry.atMs,
    endedAtMs,
    state,
  };
}

function toolCallRow(item: TrailItem): ToolCallRow {
  const body = callBody(item);
  return {
    entry: entryName(item),
    callId: callIdOf(item),
    stepId: callIdOf(item),
    tool: body.tool,
    version: body.version,
    fingerprint: body.fingerprint,
    key: body.key,
    arguments: item.private?.["arguments"],
    values: item.values,
    reasoning: body.reasoning === "supplied" ? item.private?.["reasoning"] : body.reasoning,
    said: body.said === "supplied" ? item.private?.["said"] : body.said,
    model: body.model,
    traceId: body.traceId,
    requestDigest: body.requestDigest,
    effectiveDigest: body.effectiveDigest,
    atMs: item.entry.atMs,
  };
}

function decisionRows(item: TrailItem): readonly AuthzDecisionRow[] {
  const common = { entry: entryName(item), callId: callIdOf(item), atMs: item.entry.atMs };
  if (item.entry.kind === "approval-decided") {
    const decidedBy = textMember(item.body, "by");
    return [
      {
        ...common,
        by: "person",
        decidedBy,
        effect: member(item.body, "approve") === true ? "allow" : "deny",
        rules: [],
        reason: textMember(item.body, "reason"),
        approvalId: textMember(item.body, "approvalId"),
      },
    ];
  }
  if (!askingKinds.has(item.entry.kind)) return [];
  const { decision, approvalId, reason } = callBody(item);
  if (decision === undefined) {
    // Stopped before any rule was asked, such as by a limit or invalid arguments.
    return item.entry.kind === "call-denied"
      ? [{ ...common, by: "policy", decidedBy: "", effect: "deny", rules: [], reason: reason ?? "", approvalId }]
      : [];
  }
  const rules = decision.reasons.map(({ rule }) => rule);
  const text = decision.reasons.map((one) => one.reason).join("; ");
  return [{ ...common, by: "policy", decidedBy: decision.policyVersion, effect: decision.effect, rules, reason: text, approvalId }];
}

function resultRow(item: TrailItem): ToolResultRow {
  const { outcome, effect, code, attemptsCount, durationMs, costMicrosUsd } = item.body as unknown as SettledBody;
  const result = item.private?.["result"];
  return {
    entry: entryName(item),
    callId: callIdOf(item),
    outcome,
    effect,
    code,
    result,
    values: item.values,
    attemptsCount,
    durationMs,
    costMicrosUsd,
    atMs: item.entry.atMs,
  };
}

function callBody(item: TrailItem): CallBody {
  return item.body as unknown as CallBody;
}

function callIdOf(item: TrailItem): string {
  return item.entry.callId ?? "";
}

function runIdOf(item: TrailItem): string {
  return item.entry.runId ?? item.entry.sessionId ?? "";
}

function entryName({ entry }: TrailItem): EntryName {
  return `${entry.writer}/${entry.epoch}/${entry.seq}`;
}
