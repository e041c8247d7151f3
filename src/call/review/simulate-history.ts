import type { Json } from "../../domain/json.ts";
import type { Reason } from "../../domain/decision.ts";
import { findingOf } from "../history.ts";
import type { HistoryClaim, HistoryFinding } from "../../policy/call-history.ts";

/** Rules over earlier calls, counted anew from the recorded calls of the period. */
export interface SimulatedHistory {
  /**
   * What the history says against a call. Where a rule looks back further than the period reaches, what was recorded of the same rule stands.
   */
  findings(
    claims: readonly HistoryClaim[],
    call: { readonly tenant: string; readonly atMs: number; readonly recorded: readonly Reason[] },
  ): readonly HistoryFinding[];
  /** The call passed: it counts from now on. */
  count(tenant: string, claims: readonly HistoryClaim[], atMs: number): void;
  /** The call has completed: whatever comes only after it may come. */
  mark(tenant: string, claims: readonly HistoryClaim[], atMs: number): void;
}

interface Kept {
  value: number;
  body: Json | undefined;
}

/** A history that begins at `sinceMs` and keeps at most `max` groups, the latest. */
export function simulatedHistory(sinceMs: number, max: number): SimulatedHistory {
  const kept = new Map<string, Kept>();
  const keyOf = (tenant: string, claim: HistoryClaim): string =>
    `${tenant}\u0000${claim.kind === "mark" ? "after" : claim.kind}\u0000${claim.key}`;
  function keep(key: string): Kept {
    const known = kept.get(key) ?? { value: 0, body: undefined };
    kept.delete(key);
    if (kept.size >= max) kept.delete(kept.keys().next().value as string);
    kept.set(key, known);
    return known;
  }
  return {
    findings: (claims, { tenant, atMs, recorded }) =>
      claims.flatMap((claim) => {
        const known = kept.get(keyOf(tenant, claim));
        const row = known?.body === undefined ? undefined : { body: known.body };
        const found = findingOf(claim, { row, value: known?.value ?? 0, atMs });
        if (claim.kind === "mark" || beginOf(claim, atMs) >= sinceMs) return found ?? [];
        // Order cannot be refuted by calls that nobody has looked at; sums and classes can only have been more.
        const before = recorded.find(({ rule }) => rule === claim.rule.id);
        if (claim.kind === "after" && before === undefined) return [];
        return found ?? (before === undefined ? [] : standing(claim, before));
      }),
    count(tenant, claims, atMs) {
      for (const claim of claims) {
        const key = keyOf(tenant, claim);
        if (claim.kind === "limit") keep(key).value += claim.delta;
        if (claim.kind !== "separation") continue;
        const row = keep(key);
        const { classes } = (row.body ?? { classes: {} }) as { readonly classes: Readonly<Record<string, number>> };
        row.body = { classes: { ...classes, ...Object.fromEntries(claim.classes.map((name) => [name, atMs])) } };
      }
    },
    mark(tenant, claims, atMs) {
      for (const claim of claims) if (claim.kind === "mark") keep(keyOf(tenant, claim)).body = { atMs };
    },
  };
}

/** The earliest time that a claim looks back to. */
function beginOf(claim: Exclude<HistoryClaim, { readonly kind: "mark" }>, atMs: number): number {
  switch (claim.kind) {
    case "limit":
      return Math.floor(atMs / windowOf(claim)) * windowOf(claim);
    case "after":
      return atMs - claim.windowMs;
    case "separation":
      return atMs - claim.keepMs;
  }
}

/** The claim's key ends in the number of its window. */
function windowOf({ key, windowEndMs }: Extract<HistoryClaim, { readonly kind: "limit" }>): number {
  return windowEndMs / (Number(key.slice(key.lastIndexOf("/") + 1)) + 1);
}

function standing({ rule }: Exclude<HistoryClaim, { readonly kind: "mark" }>, before: Reason): readonly HistoryFinding[] {
  const { id, effect, approvers } = rule;
  return [{ id, effect, approvers, reason: before.reason, code: "PERMISSION_DENIED", message: before.reason, retryAfterMs: undefined }];
}
