import { errorBody } from "../errors/wire.ts";
import type { Approval } from "../domain/approval.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import type { Tool } from "../domain/tool.ts";
import type { TrailItem } from "../ledger/trail.ts";
import type { Reply } from "./route.ts";

/** The body of an answer, the same whether the call was made now or is looked up later. Members without a value are left out. */
export function answerBody(answer: Answer): JsonObject {
  return {
    callId: answer.callId,
    sessionId: answer.sessionId,
    tool: answer.tool,
    version: answer.version,
    providerCallId: answer.providerCallId,
    traceId: answer.traceId,
    outcome: outcomeBody(answer.outcome),
  } as unknown as JsonObject;
}

// `undefined` members vanish when this is written as JSON.
function outcomeBody(outcome: Outcome): object {
  switch (outcome.kind) {
    case "completed":
      return outcome;
    case "pending":
      return outcome;
    case "denied":
      return { kind: outcome.kind, ...errorBody(outcome.error) };
    case "failed":
    case "unknown":
      return { kind: outcome.kind, ...errorBody(outcome.error), isReplay: outcome.isReplay };
  }
}

/** The reply to a call: 200 when it is done, 202 when it waits, a problem with the error's own status otherwise. */
export function answerReply(answer: Answer): Reply {
  const { outcome } = answer;
  if (outcome.kind === "completed") return { kind: "json", status: 200, body: answerBody(answer) };
  if (outcome.kind === "pending") {
    const seconds = outcome.retryAfterMs === undefined ? undefined : String(Math.max(1, Math.ceil(outcome.retryAfterMs / 1_000)));
    const location = `/v1/calls/${encodeURIComponent(answer.callId)}`;
    return {
      kind: "json",
      status: 202,
      body: answerBody(answer),
      headers: { location, ...(seconds !== undefined && { "retry-after": seconds }) },
    };
  }
  return { kind: "problem", error: outcome.error, extra: answerBody(answer) };
}

/** What an approver sees of an approval. */
export function approvalBody(approval: Approval): JsonObject {
  return {
    id: approval.id,
    state: approval.state,
    summary: approval.summary,
    callId: approval.callId,
    sessionId: approval.sessionId,
    user: approval.principal.user,
    roles: approval.principal.roles,
    tool: approval.tool,
    version: approval.version,
    gate: approval.gate,
    approvers: approval.approvers,
    quorum: approval.quorum,
    isOfEach: approval.isOfEach,
    wanted: approval.wanted,
    needsFreshAuthentication: approval.needsFreshAuthentication,
    reasons: approval.reasons,
    answers: approval.answers.map(({ by, approve, groups, reason, atMs, effectiveDigest, widens }) => ({
      by,
      approve,
      groups,
      reason,
      atMs,
      effectiveDigest,
      widens,
    })),
    effectiveDigest: approval.effectiveDigest,
    edited: approval.edited,
    createdAtMs: approval.createdAtMs,
    expiresAtMs: approval.expiresAtMs,
  } as unknown as JsonObject;
}

/** What a listing says of a tool. */
export function toolBody(tool: Tool): JsonObject {
  const { name, version, title, description, tier, idempotency, source, isSensitive, isEgress, inputSchema, argumentRoles, fingerprint } =
    tool;
  return {
    name,
    version,
    title,
    description,
    tier,
    idempotency,
    source,
    isSensitive,
    isEgress,
    inputSchema,
    argumentRoles,
    fingerprint,
  } as unknown as JsonObject;
}

/** A ledger entry; private values only where `withPrivate`. */
export function entryBody(trail: TrailItem, withPrivate: boolean): JsonObject {
  const { writer, epoch, seq, kind, atMs, callId, sessionId, runId } = trail.entry;
  return {
    writer,
    epoch,
    seq,
    kind,
    atMs,
    callId,
    sessionId,
    runId,
    body: trail.body,
    ...(withPrivate && { private: trail.private }),
  } as unknown as JsonObject;
}
