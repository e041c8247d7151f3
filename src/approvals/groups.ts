/**
 * Questions that belong together: the same tool, asked about for the same reasons, in one conversation. They are shown and answered as a group, and each is
 * still bound to its own arguments: an answer names the group's digest, which holds exactly the members that were shown. A member that came later, was
 * answered or was changed makes another digest. Privileged calls stand alone.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Approval } from "../domain/approval.ts";
import type { ApprovalGroup } from "../domain/approval-group.ts";

/** Groups of at least two pending questions, at most `membersMax` each; what is over begins another group. The oldest first. */
export function groupApprovals(
  approvals: readonly Approval[],
  { nowMs, membersMax }: { readonly nowMs: number; readonly membersMax: number },
): readonly ApprovalGroup[] {
  const byKind = new Map<string, Approval[]>();
  for (const approval of approvals) {
    if (!mayBeGrouped(approval, nowMs)) continue;
    const kind = kindOf(approval);
    byKind.set(kind, [...(byKind.get(kind) ?? []), approval]);
  }
  const groups: ApprovalGroup[] = [];
  for (const members of byKind.values())
    for (let from = 0; from < members.length; from += membersMax) {
      const some = members.slice(from, from + membersMax);
      if (some.length > 1) groups.push(groupOf(some));
    }
  return groups;
}

/** Whether questions may be answered as the group of a digest; says why not. */
export function refuseGroup(approvals: readonly Approval[], digest: string, nowMs: number): string | undefined {
  const [first] = approvals;
  const isWhole =
    first !== undefined &&
    approvals.length > 1 &&
    approvals.every((approval) => mayBeGrouped(approval, nowMs) && kindOf(approval) === kindOf(first)) &&
    digestOf(approvals) === digest;
  return isWhole ? undefined : "this group is no longer what you were shown; look at it again";
}

function mayBeGrouped({ state, needsFreshAuthentication, expiresAtMs }: Approval, nowMs: number): boolean {
  return state === "pending" && !needsFreshAuthentication && nowMs < expiresAtMs;
}

/** What members have in common. Rules of the flow name the argument that they blame, so a call that is odd in another way stands apart. */
function kindOf(approval: Approval): string {
  const { tenant, sessionId, tool, version, toolFingerprint, gate, approvers, quorum, isOfEach, asked } = approval;
  const kind = {
    tenant,
    sessionId,
    tool,
    version,
    toolFingerprint,
    gate,
    approvers,
    quorum,
    isOfEach: isOfEach ?? false,
    asked: asked ?? null,
    rules: rulesOf(approval),
  };
  return canonicalJson(kind);
}

function rulesOf({ reasons }: Approval): readonly string[] {
  return [...new Set(reasons.filter(({ effect }) => effect === "ask").map(({ rule }) => rule))].sort();
}

function digestOf(members: readonly Approval[]): string {
  const parts = members.map(({ id, effectiveDigest, toolFingerprint, answers }) => [id, effectiveDigest, toolFingerprint, answers.length]);
  return sha256Hex(canonicalJson(parts.toSorted(([left], [right]) => ((left as string) < (right as string) ? -1 : 1))));
}

function groupOf(members: readonly Approval[]): ApprovalGroup {
  const { sessionId, principal, tool, version, gate, approvers, quorum, isOfEach } = members[0] as Approval;
  const risky = members.toSorted((left, right) => unsaidOf(right).length - unsaidOf(left).length);
  return {
    digest: digestOf(members),
    sessionId,
    user: principal.user,
    tool,
    version,
    gate,
    approvers,
    quorum,
    ...(isOfEach === true && { isOfEach }),
    rules: rulesOf(members[0] as Approval),
    members: risky.map((approval) => ({
      id: approval.id,
      summary: approval.summary,
      notSaid: unsaidOf(approval),
      effectiveDigest: approval.effectiveDigest,
      expiresAtMs: approval.expiresAtMs,
    })),
  };
}

/** Arguments whose values nobody in the conversation gave, as they were traced. */
function unsaidOf({ origins }: Approval): readonly string[] {
  return [...new Set((origins ?? []).filter(({ source }) => source !== "user" && source !== "plan").map(({ pointer }) => pointer))];
}
