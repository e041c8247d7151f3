import type { Answer } from "./outcome.ts";
import type { Gate } from "./decision.ts";
import type { Approval } from "./approval.ts";
import type { ToolCallError } from "../errors/tool-call-error.ts";

/** Pending questions of one conversation about the same tool, for the same reasons. */
export interface ApprovalGroup {
  /** SHA-256 of exactly these members with their arguments: what an answer is given for. */
  readonly digest: string;
  readonly sessionId: string;
  readonly user: string;
  readonly tool: string;
  readonly version: string;
  readonly gate: Gate;
  readonly approvers: readonly string[];
  readonly quorum: number;
  /** Each of `approvers` has to agree by a person of its own. */
  readonly isOfEach?: true | undefined;
  /** What asks, the same for each. */
  readonly rules: readonly string[];
  /** Those with the most values that the user did not say first. */
  readonly members: readonly ApprovalGroupMember[];
}

/** One question of a group. */
export interface ApprovalGroupMember {
  readonly id: string;
  /** One line: what will happen if somebody says yes. */
  readonly summary: string;
  /** JSON pointers of arguments whose values, or addresses in them, the user did not say. */
  readonly notSaid: readonly string[];
  readonly effectiveDigest: string;
  readonly expiresAtMs: number;
}

/** What came of an answer for one member: it counts, or why it does not. */
export type GroupAnswer =
  | { readonly kind: "answered"; readonly approval: Approval; readonly answer: Answer | undefined }
  | { readonly kind: "refused"; readonly id: string; readonly error: ToolCallError };
