import { approvalKey, pendingCounter } from "../approvals/approvals.ts";
import { approvalSummary } from "../approvals/card.ts";
import type { Approval } from "../domain/approval.ts";
import type { Decision } from "../domain/decision.ts";
import type { Json } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { approvalClosed, callParked } from "../ledger/entries.ts";
import type { CommitResult, EntryDraft, Operation } from "../store/store.ts";
import { askClaim, refuseAsk } from "./ask-rates.ts";
import { deferralOver } from "./deferral-rows.ts";
import { pendingApproval, stopWith } from "./endings.ts";
import { keyClaim, meaningClaim, meaningRowKey } from "./gate.ts";
import { parkedKind, type ParkedCall } from "./parked.ts";
import { askedTexts, callFacts, prepareVault, seal } from "./record.ts";
import { barredIn, originsOf } from "./traced-origins.ts";
import type { Ending } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Parks a call until a person answers: the question, the claims on key and meaning, and the entry, in one transaction. Nothing is held in memory.
 * Where the same call was made at the same moment, this one is judged again and joins it.
 */
export async function park(state: CallState, decision: Decision): Promise<Ending> {
  const { runtime } = state;
  await prepareVault(state);
  const approval = newApproval(state, decision);
  const values = seal(state, parkedKind, askedTexts(state));
  const entry = callParked({
    ...callFacts(state, values),
    approvalId: approval.id,
    gate: approval.gate,
    expiresAtMs: approval.expiresAtMs,
  });
  const voided = voidEarlier(state);
  const operations = [
    askClaim(state),
    ...parkOperations(state, approval, values.sealed),
    ...voided.operations,
    ...runtime.notices.asked(approval),
  ];
  let result: CommitResult;
  try {
    result = await runtime.store.commit({ operations, entries: [entry, ...voided.entries] });
  } catch (cause) {
    return stopWith(
      toolCallError("LEDGER_UNAVAILABLE", "the question to a person could not be recorded, so nothing was done; try again later", {
        cause,
      }),
    );
  }
  if (result.kind === "committed") {
    runtime.observe(state, "approve", "suspend", approval.summary);
    runtime.tellAsked(approval);
    runtime.notices.nudge();
    return { kind: "stop", outcome: pendingApproval(approval) };
  }
  if (result.reason === "counter") return await refuseAsk(state, result, result.index > 0);
  return { kind: "again", from: "identify" };
}

function newApproval(state: CallState, decision: Decision): Approval {
  const { runtime, session, registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const ask = decision.ask ?? { gate: "approval", approvers: ["approver"], quorum: 1, needsFreshAuthentication: false };
  const nowMs = runtime.clock.now();
  return {
    id: runtime.ids.next("apr"),
    tenant: session.principal.tenant,
    callId: state.callId,
    sessionId: session.id,
    principal: session.principal,
    callerCredentialId: session.credentialId,
    tool: tool.name,
    version: tool.version,
    toolFingerprint: tool.fingerprint,
    effectiveDigest: state.effectiveDigest,
    gate: ask.gate,
    approvers: ask.approvers,
    quorum: ask.quorum,
    ...(ask.isOfEach === true && { isOfEach: true, wanted: ask.approvers }),
    needsFreshAuthentication: ask.needsFreshAuthentication,
    reasons: decision.reasons,
    factDigests: decision.factDigests,
    policyVersion: decision.policyVersion,
    ...tracedOrigins(state),
    summary: approvalSummary(tool, state.args),
    state: "pending",
    answers: [],
    createdAtMs: nowMs,
    expiresAtMs: nowMs + runtime.limits.approvalExpiryMs,
  };
}

/** What the trace found, for the card. */
function tracedOrigins({ traced, session, runtime }: CallState): Pick<Approval, "asked" | "origins" | "barred"> {
  if (traced === undefined) return {};
  const originsMax = runtime.limits.approvalOriginsMax;
  const barred = barredIn(traced);
  return {
    asked: traced.intent,
    origins: originsOf(traced, { sessionId: session.id, originsMax }),
    ...(barred.length > 0 && { barred: barred.slice(0, originsMax) }),
  };
}

function parkOperations(state: CallState, approval: Approval, sealed: Uint8Array): Operation[] {
  const { tenant, user } = state.session.principal;
  const dueMs = approval.expiresAtMs;
  return [
    { op: "add", key: pendingCounter(tenant, user), delta: 1, max: state.runtime.limits.approvalsPendingMax },
    ...parkedClaims(state, { approvalId: approval.id, dueMs, sealed }),
    { op: "put", key: approvalKey(tenant, approval.id), body: approval as unknown as Json, expect: "absent", dueMs },
  ];
}

/** What a call holds while it waits, for a person or a time: its session, key and meaning, and what it is woken from. */
export function parkedClaims(
  state: CallState,
  { approvalId, dueMs, sealed }: { readonly approvalId: string | undefined; readonly dueMs: number; readonly sealed: Uint8Array },
): Operation[] {
  const { session, key, runtime } = state;
  const { tenant } = session.principal;
  const { arguments: _arguments, raw: _raw, ...call } = state.call;
  const { said: _said, reasoning: _reasoning, ...turn } = state.turn;
  const keyRow = (key as NonNullable<typeof key>).row.key;
  const parked: ParkedCall = {
    approvalId,
    sinceMs: state.waitingSinceMs ?? state.startedAtMs,
    sessionId: session.id,
    call,
    turn,
    keyRow,
    sealed: Buffer.from(sealed).toString("base64"),
  };
  const meaning = meaningRowKey(state);
  return [
    { op: "expect", key: session.rowKey, version: session.rowVersion },
    {
      op: "put",
      key: (key as NonNullable<typeof key>).row,
      body: keyClaim(state, "pending", { approvalId, deadlineMs: dueMs }) as unknown as Json,
      expect: state.keyRow?.version ?? "absent",
      dueMs,
    },
    ...(meaning === undefined
      ? []
      : [
          {
            op: "put",
            key: meaning,
            body: meaningClaim(state, "pending") as unknown as Json,
            expect: state.meaningRow?.version ?? "absent",
            dueMs: dueMs + runtime.limits.duplicateWindowMs,
          } as const,
        ]),
    { op: "put", key: { space: "parked", tenant, key: state.callId }, body: parked as unknown as Json },
  ];
}

/** An approval that no longer fits is void from the moment another is asked for; a call that was put off and now asks is put off no more. */
function voidEarlier(state: CallState): { readonly operations: readonly Operation[]; readonly entries: readonly EntryDraft[] } {
  if (state.deferral !== undefined) return { operations: deferralOver(state.deferral), entries: [] };
  if (state.approval === undefined) return { operations: [], entries: [] };
  const { approval, version } = state.approval;
  const place = { tenant: approval.tenant, callId: approval.callId, sessionId: approval.sessionId, atMs: state.runtime.clock.now() };
  return {
    operations: [
      {
        op: "put",
        key: approvalKey(approval.tenant, approval.id),
        body: { ...approval, state: "void" } as unknown as Json,
        expect: version,
      },
    ],
    entries: [approvalClosed({ place, approvalId: approval.id, reason: "it no longer fitted what would run", state: "void" })],
  };
}
