/**
 * A yes that a person gave to one call and, by it, to further ones to the same target in the same session. It covers nothing that the person did not
 * see: the same tool definition, targets, commands and credentials; no larger amount, no other fact, no new reason to ask; and it is never privileged.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Approval } from "../domain/approval.ts";
import type { Decision } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import type { RowKey } from "../store/store.ts";
import { approvalCovers } from "./approvals.ts";
import { leavesOf } from "./card.ts";

/** What is kept of it. */
export interface Widening {
  readonly approval: Approval;
  readonly amounts: Readonly<Record<string, Json>>;
  readonly expiresAtMs: number;
}

/** What one call is bound to. */
export interface Bound {
  readonly digest: string;
  readonly amounts: Readonly<Record<string, Json>>;
}

const boundRoles: ReadonlySet<ArgumentRole | undefined> = new Set(["target", "command", "credential"]);

/** What a call would be bound to; undefined where it can never be widened: it is privileged, or names no target. */
export function boundOf(tool: Pick<Tool, "tier" | "argumentRoles">, args: JsonObject): Bound | undefined {
  if (tool.tier === "privileged") return undefined;
  const leaves = leavesOf(args, tool.argumentRoles);
  if (leaves.length >= fixedBounds.argumentLeavesMax || !leaves.some(({ role }) => role === "target")) return undefined;
  const bound = leaves.filter(({ role }) => boundRoles.has(role)).map(({ pointer, value }) => [pointer, value] as const);
  const amounts = leaves.filter(({ role }) => role === "amount").map(({ pointer, value }) => [pointer, value] as const);
  return { digest: sha256Hex(canonicalJson(Object.fromEntries(bound))), amounts: Object.fromEntries(amounts) };
}

/** Where a widened yes lives: it is found only by the same session, tool and targets. */
export function wideningKey(approval: Pick<Approval, "tenant" | "sessionId" | "tool">, { digest }: Bound): RowKey {
  return { space: "widening", tenant: approval.tenant, key: `${approval.sessionId}/${approval.tool}/${digest}` };
}

/** Why a widened yes does not cover a call; undefined where it does. */
export function wideningCovers(
  { approval, amounts, expiresAtMs }: Widening,
  call: { readonly tool: Tool; readonly bound: Bound; readonly decision: Decision; readonly nowMs: number },
): string | undefined {
  const { tool, bound, decision, nowMs } = call;
  const larger = Object.entries(bound.amounts).find(([pointer, value]) => !isAtMost(value, amounts[pointer]));
  if (larger !== undefined) return `\`${larger[0]}\` is more than was approved`;
  const { effectiveDigest } = approval;
  return approvalCovers({ ...approval, expiresAtMs }, { toolFingerprint: tool.fingerprint, effectiveDigest, decision, nowMs });
}

function isAtMost(value: Json, approved: Json | undefined): boolean {
  if (typeof value === "number" && typeof approved === "number") return value >= 0 && value <= approved;
  return approved !== undefined && canonicalJson(value) === canonicalJson(approved);
}
