import type { Approval } from "../domain/approval.ts";
import type { Credential } from "../domain/principal.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { RouteRequest } from "./route.ts";

/** An approval that the credential may see; `NOT_FOUND` for any other, whether it is there or not. */
export async function visibleApproval({ services, credential }: RouteRequest, id: string): Promise<Approval> {
  const approval = await services.box.approvals.get(id, credential.tenant);
  if (!maySee(approval, credential)) throw toolCallError("NOT_FOUND", "no such approval here");
  return approval;
}

/** The person behind a credential where one is known, else the credential itself. */
export function nameOf({ person, id }: Credential): string {
  return person?.user ?? id;
}

/** Whether an approval is a credential's business. */
export function maySee(approval: Approval, credential: Credential): boolean {
  // A confirmation is between the user and nobody else.
  if (approval.gate === "confirmation" && !credential.administers && nameOf(credential) !== approval.principal.user) return false;
  return credential.administers || approval.approvers.some((group) => credential.approves.includes(group));
}
