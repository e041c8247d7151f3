import type { Approval, ApprovalAnswer } from "../domain/approval.ts";
import type { Decision } from "../domain/decision.ts";
import type { Credential } from "../domain/principal.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { RowKey } from "../store/store.ts";
import { groupsCovered, groupsWanted } from "./one-of-each.ts";

/** Where approvals live. */
export function approvalKey(tenant: string, id: string): RowKey {
  return { space: "approval", tenant, key: id };
}

/** Counts the pending approvals of one principal, so that nobody is flooded. */
export function pendingCounter(tenant: string, user: string): RowKey {
  return { space: "approvals-pending", tenant, key: user };
}

/** Arguments as a person changed them, checked. */
export interface ArgumentEdit {
  readonly effectiveDigest: string;
  readonly summary: string;
  readonly pointers: readonly string[];
}

/** Who is answering, and when. */
export interface AnswerAttempt {
  readonly credential: Credential;
  readonly by: string;
  readonly approve: boolean;
  readonly reason: string | undefined;
  /** Digest of the arguments that were shown; needed once somebody changed them. */
  readonly digest?: string | undefined;
  readonly edit?: ArgumentEdit | undefined;
  readonly widens?: boolean | undefined;
  readonly nowMs: number;
  readonly freshAuthenticationMs: number;
}

/**
 * The approval after one more answer, or why it may not be given. One no is enough; a yes counts once per person and credential until the quorum
 * is reached, and only for the arguments that it was given for. Where each group has to agree, a yes stands for one of them.
 */
export function answerApproval(
  approval: Approval,
  given: AnswerAttempt,
): { readonly kind: "answered"; readonly approval: Approval } | { readonly kind: "refused"; readonly error: ToolCallError } {
  // Where the person behind a credential is known, nobody answers under another name.
  const attempt = { ...given, by: given.credential.person?.user ?? given.by };
  const refusal = refuseAnswer(approval, attempt);
  if (refusal !== undefined) return { kind: "refused", error: toolCallError("APPROVAL_INVALID", refusal, { approvalId: approval.id }) };
  const { edit } = attempt;
  const effectiveDigest = edit?.effectiveDigest ?? approval.effectiveDigest;
  const answer: ApprovalAnswer = {
    by: attempt.by,
    credentialId: attempt.credential.id,
    approve: attempt.approve,
    reason: attempt.reason,
    atMs: attempt.nowMs,
    effectiveDigest,
    ...(approval.isOfEach === true && { groups: groupsOf(attempt.credential, approval) }),
    ...(attempt.widens === true && { widens: true }),
  };
  const answers = [...approval.answers, answer];
  const asked = edit === undefined ? approval : edited(approval, edit, attempt.by);
  const yeses = yesesTo(effectiveDigest, approval, answers);
  const wanted = approval.isOfEach === true ? groupsWanted(approval.approvers, groupsIn(yeses)) : undefined;
  const isAgreed = yeses.length >= approval.quorum && (wanted === undefined || wanted.length === 0);
  const state = !attempt.approve ? "rejected" : isAgreed ? "approved" : "pending";
  return { kind: "answered", approval: { ...asked, answers, state, ...(wanted !== undefined && { wanted }) } };
}

function yesesTo(digest: string, approval: Approval, answers = approval.answers): readonly ApprovalAnswer[] {
  return answers.filter((given) => given.approve && digestOf(given, approval) === digest);
}

function groupsOf({ approves }: Credential, { approvers }: Approval): readonly string[] {
  return approvers.filter((group) => approves.includes(group));
}

function groupsIn(yeses: readonly ApprovalAnswer[]): readonly (readonly string[])[] {
  return yeses.map(({ groups }) => groups ?? []);
}

function edited(approval: Approval, { effectiveDigest, summary, pointers }: ArgumentEdit, by: string): Approval {
  const fromDigest = originalDigest(approval);
  // What was traced is true of what the model sent, and of nothing that a person wrote instead.
  const { origins: _traced, barred: _barred, ...rest } = approval;
  return { ...rest, effectiveDigest, summary, edited: { by, fromDigest, pointers } };
}

function originalDigest({ edited: edit, effectiveDigest }: Approval): string {
  return edit?.fromDigest ?? effectiveDigest;
}

function digestOf(given: ApprovalAnswer, approval: Approval): string {
  return given.effectiveDigest ?? originalDigest(approval);
}

/** Whether everybody who said yes to what will run also said yes to further calls to the same target. */
export function isWidened(approval: Approval): boolean {
  const given = yesesTo(approval.effectiveDigest, approval);
  return approval.state === "approved" && given.every(({ widens }) => widens === true);
}

function refuseAnswer(approval: Approval, attempt: AnswerAttempt): string | undefined {
  const { credential, nowMs } = attempt;
  if (approval.state !== "pending") return `this approval is already ${approval.state}`;
  if (nowMs >= approval.expiresAtMs) return "this approval has expired";
  if (credential.id === approval.callerCredentialId || credential.actsFor.length > 0)
    return "a credential that makes calls cannot answer approvals; use an approver's";
  if (!credential.approves.some((group) => approval.approvers.includes(group)))
    return `this approval wants ${approval.isOfEach === true ? "each" : "one"} of the groups ${approval.approvers.map((group) => `\`${group}\``).join(", ")}`;
  if (approval.gate === "approval" && isSamePerson(attempt.by, approval.principal.user))
    return "the person who asked cannot approve their own call";
  if (approval.gate === "confirmation" && attempt.by !== approval.principal.user) return "only the user who asked can confirm this call";
  const answersTo = attempt.edit?.effectiveDigest ?? approval.effectiveDigest;
  const isSame = (given: ApprovalAnswer): boolean => isSamePerson(given.by, attempt.by) || given.credentialId === credential.id;
  if (approval.answers.some((given) => isSame(given) && digestOf(given, approval) === answersTo))
    return "this person or credential has already answered; another must";
  if (attempt.approve) {
    if (approval.quorum > 1 && credential.person === undefined && attempt.by === credential.id)
      return "several people have to agree, and this credential does not say whose it is; name them with `person:`";
    const unseen = refuseUnseen(approval, attempt) ?? refuseUnneeded(approval, credential, answersTo);
    if (unseen !== undefined) return unseen;
  }
  if (approval.needsFreshAuthentication && !isFresh(credential, attempt)) return "this call is privileged: authenticate again, then answer";
  return undefined;
}

/** Whether two names are one person's: systems write one name in several ways, and in doubt it is the same. */
export function isSamePerson(left: string, right: string): boolean {
  const plain = (name: string): string => name.normalize("NFKC").trim().toLowerCase();
  return plain(left) === plain(right);
}

/** Nobody says yes to arguments that somebody else changed after they looked. */
function refuseUnseen({ effectiveDigest, edited: edit }: Approval, { digest }: AnswerAttempt): string | undefined {
  if (digest !== undefined && digest !== effectiveDigest) return "its arguments are no longer those that you were shown; look at it again";
  if (edit !== undefined && digest === undefined)
    return `\`${edit.by}\` changed its arguments; look at them, then answer with the digest \`${effectiveDigest}\``;
  return undefined;
}

/** A yes that stands for no group that still has nobody would leave the question as it is: whoever gives it should know. */
function refuseUnneeded(approval: Approval, credential: Credential, answersTo: string): string | undefined {
  const { approvers, quorum, isOfEach } = approval;
  if (isOfEach !== true) return undefined;
  const people = groupsIn(yesesTo(answersTo, approval));
  const covered = groupsCovered(approvers, people);
  const isOneOfMany = people.length + approvers.length - covered < quorum;
  if (isOneOfMany || groupsCovered(approvers, [...people, groupsOf(credential, approval)]) > covered) return undefined;
  return `your groups have answered already; this approval still wants somebody of ${quoted(groupsWanted(approvers, people))}`;
}

function quoted(groups: readonly string[]): string {
  return groups.map((group) => `\`${group}\``).join(" or ");
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
    if (reason.effect === "ask" && !seen.has(reason.rule) && !isOwnWords(approval, reason.rule))
      return `a new reason to ask appeared: \`${reason.rule}\``;
  }
  for (const [fact, digest] of Object.entries(call.decision.factDigests)) {
    if (approval.factDigests[fact] !== digest) return `the fact \`${fact}\` changed after the approval`;
  }
  const ask = call.decision.ask;
  if (ask !== undefined && (ask.gate !== approval.gate || ask.quorum > approval.quorum || isStricter(ask, approval)))
    return "the policy now asks somebody else";
  return undefined;
}

/** Whether a flow rule blames a value that the approver wrote themself: that nothing in the conversation holds it is no news to them. */
function isOwnWords({ edited: edit }: Approval, rule: string): boolean {
  return edit?.pointers.some((pointer) => /^flow:R\d+:/.test(rule) && rule.endsWith(`:${pointer}`)) ?? false;
}

function isStricter(ask: NonNullable<Decision["ask"]>, approval: Approval): boolean {
  if (ask.needsFreshAuthentication && !approval.needsFreshAuthentication) return true;
  if (ask.isOfEach === true && (approval.isOfEach !== true || ask.approvers.some((group) => !approval.approvers.includes(group))))
    return true;
  return approval.approvers.some((group) => !ask.approvers.includes(group));
}
