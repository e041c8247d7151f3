import { groupApprovals, refuseGroup } from "../../approvals/groups.ts";
import type { Approval } from "../../domain/approval.ts";
import type { ApprovalGroup, GroupAnswer } from "../../domain/approval-group.ts";
import type { Credential } from "../../domain/principal.ts";
import { ToolCallError, toolCallError } from "../../errors/tool-call-error.ts";
import type { ApprovalDesk } from "./approval-desk.ts";
import type { GroupDecision } from "../box/box.ts";
import type { Runtime } from "../runtime.ts";

interface Parts {
  readonly runtime: Pick<Runtime, "clock" | "limits">;
  readonly desk: Pick<ApprovalDesk, "list" | "get" | "decide">;
}

/** Pending questions of a tenant that belong together, of those that `maySee` lets through. */
export async function listGroups(
  { runtime, desk }: Parts,
  tenant: string,
  maySee: (approval: Approval) => boolean,
): Promise<readonly ApprovalGroup[]> {
  const { clock, limits } = runtime;
  const pending = await desk.list({ tenant, state: "pending", limit: limits.pageRowsMax });
  return groupApprovals(pending.filter(maySee), { nowMs: clock.now(), membersMax: limits.approvalGroupMax });
}

/**
 * Answers a group: each member by itself, under its own digest, as if it had been answered alone. Somebody who was faster with one of them is left alone;
 * what came of each is told.
 */
export async function decideGroup(
  { runtime, desk }: Parts,
  decision: GroupDecision,
  credential: Credential,
): Promise<readonly GroupAnswer[]> {
  const { digest, members, approve, by, reason } = decision;
  const { clock, limits } = runtime;
  if (members.length < 2 || members.length > limits.approvalGroupMax || new Set(members).size !== members.length)
    throw toolCallError("REQUEST_INVALID", `a group has 2 to ${limits.approvalGroupMax} members, each named once`);
  const approvals = await Promise.all(members.map((id) => desk.get(id, credential.tenant)));
  const refusal = refuseGroup(approvals, digest, clock.now());
  if (refusal !== undefined) throw toolCallError("APPROVAL_INVALID", refusal);
  return await Promise.all(
    approvals.map(async ({ id, effectiveDigest }): Promise<GroupAnswer> => {
      try {
        const one = { approve, by, digest: effectiveDigest, group: digest, ...(reason !== undefined && { reason }) };
        return { kind: "answered", ...(await desk.decide(id, one, credential)) };
      } catch (error) {
        if (error instanceof ToolCallError) return { kind: "refused", id, error };
        throw error;
      }
    }),
  );
}
