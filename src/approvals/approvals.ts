import type { Approval, ApprovalAnswer } from "../domain/approval.ts";
import type { Decision } from "../domain/decision.ts";
import type { Credential } from "../domain/principal.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { RowKey } from "../store/store.ts";

/** Where approvals live. */
export function approvalKey(tenant: string, id: string): RowKey {
  return { space: "approval", tenant, key: id };
}

/** Counts the pending approvals of one principal, so that nobody is flooded. */
export function pendingCounter(tenant: string, user: string): RowKey {
  return { space: "approvals-pending", tenant, key: user };
}

/** Who is answering, and when. */
export interface AnswerAttempt {
  readonly credential: Credential;
  readonly by: string;
  readonly approve: boolean;
  readonly reason: string | undefined;
  readonly nowMs: number;
  readonly freshAuthenticationMs: number;
}

/**
 * The approval after one more answer, or why it may not be given. One no is enough; a yes counts once per person and credential until the quorum
 * is reached.
 */
export function answerApproval(
  approval: Approval,
  attempt: AnswerAttempt,
): { readonly kind: "answered"; readonly approval: Approval } | { readonly kind: "refused"; readonly error: ToolCallError } {
  const refusal = refuseAnswer(approval, attempt);
  if (refusal !== undefined) return { kind: "refused", error: toolCallError("APPROVAL_INVALID", refusal, { approvalId: approval.id }) };
  const answer: ApprovalAnswer = {
    by: attempt.by,
    credentialId: attempt.credential.id,
    approve: attempt.approve,
    reason: attempt.reason,
    atMs: attempt.nowMs,
  };
  const answers = [...approval.answers, answer];
  const yesCount = answers.filter((given) => given.approve).length;
  const state = !attempt.approve ? "rejected" : yesCount >= approval.quorum ? "approved" : "pending";
  return { kind: "answered", approval: { ...approval, answers, state } };
}

function refuseAnswer(approval: Approval, attempt: AnswerAttempt): string | undefined {
  const { credential, nowMs } = attempt;
  if (approval.state !== "pending") return `this approval is already ${approval.state}`;
  if (nowMs >= approval.expiresAtMs) return "this approval has expired";
  if (credential.id === approval.callerCredentialId || credential.actsFor.length > 0)
    return "a credential that makes calls cannot answer approvals; use an approver's";
  if (!credential.approves.some((group) => approval.approvers.includes(group)))
    return `this approval wants one of the groups ${approval.approvers.map((group) => `\`${group}\``).join(", ")}`;
  if (approval.gate === "approval" && attempt.by === approval.principal.user) return "the person who asked cannot approve their own call";
  if (approval.gate === "confirmation" && attempt.by !== approval.principal.user) return "only the user who asked can confirm this call";
  if (approval.answers.some((given) => given.by === attempt.by || given.credentialId === credential.id))
    return "this person or credential has already answered; another must";
  if (approval.needsFreshAuthentication && !isFresh(credential, attempt)) return "this call is privileged: authenticate again, then answer";
  return undefined;
}

function isFresh(credential: Credential, attempt: AnswerAttempt): boolean {
  return credential.authenticatedAtMs !== undefined && attempt.nowMs - credential.authenticatedAtMs <= attempt.freshAuthenticationMs;
}

/**
 * Whether a given approval still covers the call that would run now: the same tool definition, arguments and facts, and no reason to ask that the
 * approver did not see. Returns why not.
 */
export function approvalCovers(
  approval: Approval,
  call: {
    readonly toolFingerprint: string;
    readonly effectiveDigest: string;
    readonly decision: Decision;
    readonly nowMs: number;
  },
): string | undefined {
  if (call.nowMs >= approval.expiresAtMs) return "the approval has expired";
  if (approval.toolFingerprint !== call.toolFingerprint) return "the tool's definition changed after the approval";
  if (approval.effectiveDigest !== call.effectiveDigest) return "the arguments changed after the approval";
  const seen = new Set(approval.reasons.map((reason) => reason.rule));
  for (const reason of call.decision.reasons) {
    if (reason.effect === "ask" && !seen.has(reason.rule)) return `a new reason to ask appeared: \`${reason.rule}\``;
  }
  for (const [fact, digest] of Object.entries(call.decision.factDigests)) {
    if (approval.factDigests[fact] !== digest) return `the fact \`${fact}\` changed after the approval`;
  }
  const ask = call.decision.ask;
  if (ask !== undefined && (ask.gate !== approval.gate || ask.quorum > approval.quorum || isStricter(ask, approval)))
    return "the policy now asks somebody else";
  return undefined;
}

function isStricter(ask: NonNullable<Decision["ask"]>, approval: Approval): boolean {
  if (ask.needsFreshAuthentication && !approval.needsFreshAuthentication) return true;
  return approval.approvers.some((group) => !ask.approvers.includes(group));
}
