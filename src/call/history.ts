import type { Json } from "../domain/json.ts";
import type { Operation, Row, RowKey } from "../store/store.ts";
import type { Runtime, CallState } from "./runtime.ts";
import type { HistoryClaim, HistoryFinding } from "../policy/call-history.ts";
import type { HeldHistory } from "./held.ts";

/** Which data classes a principal has used, and when last. */
interface UsedClasses {
  readonly classes: Readonly<Record<string, number>>;
}

/** Spaces of the store that hold history; their rows are over when they are due. */
export const historySpaces = ["sequence", "sequence-count", "separation"] as const;

function keyOf(tenant: string, claim: HistoryClaim): RowKey {
  const space = claim.kind === "limit" ? "sequence-count" : claim.kind === "separation" ? "separation" : "sequence";
  return { space, tenant, key: claim.key };
}

/** Looks the history up and says what in it speaks against the call. What it finds is only as good as this moment; the gate makes it exact. */
export async function lookBack(
  state: CallState,
  claims: readonly HistoryClaim[],
): Promise<{ readonly held: HeldHistory; readonly findings: readonly HistoryFinding[] }> {
  const { rows, atMs, findings } = await standing(state.runtime, state.session.principal.tenant, claims);
  return { held: { claims, rows, overruled: new Set(findings.map(({ id }) => id)), atMs }, findings };
}

/** What the history says against claims that nobody makes now. */
export async function findClaims(
  parts: Pick<Runtime, "store" | "clock">,
  tenant: string,
  claims: readonly HistoryClaim[],
): Promise<readonly HistoryFinding[]> {
  return claims.length === 0 ? [] : (await standing(parts, tenant, claims)).findings;
}

async function standing(
  { store, clock }: Pick<Runtime, "store" | "clock">,
  tenant: string,
  claims: readonly HistoryClaim[],
): Promise<Pick<HeldHistory, "rows" | "atMs"> & { readonly findings: readonly HistoryFinding[] }> {
  const keys = claims.map((claim) => keyOf(tenant, claim));
  const [rows, values] = await Promise.all([store.read(keys), store.counters(keys)]);
  const atMs = clock.now();
  const findings = claims.flatMap((claim, index) => findingOf(claim, { row: rows[index], value: values[index] ?? 0, atMs }) ?? []);
  return { rows, atMs, findings };
}

/** Where the claims of a call stand, in their order. */
export function claimKeys({ history, session }: CallState): readonly RowKey[] {
  return (history?.claims ?? []).map((claim) => keyOf(session.principal.tenant, claim));
}

/** The rules that a call counts for, each once, for the record. */
export function claimedRules({ claims }: HeldHistory): readonly string[] {
  return [...new Set(claims.flatMap((claim) => (claim.kind === "mark" ? [] : [claim.rule.id])))];
}

interface Found {
  readonly row: Pick<Row, "body"> | undefined;
  readonly value: number;
  readonly atMs: number;
}

/** What one claim finds against a call in what stands under its key. */
export function findingOf(claim: HistoryClaim, { row, value, atMs }: Found): HistoryFinding | undefined {
  switch (claim.kind) {
    case "mark":
      return undefined;
    case "limit":
      if (value + claim.delta <= claim.max) return undefined;
      return finding(claim.rule, "BUDGET_EXCEEDED", "allows no more of these calls in its window of time", claim.windowEndMs - atMs);
    case "after": {
      const lastMs = (row?.body as { readonly atMs: number } | undefined)?.atMs;
      if (lastMs !== undefined && atMs - lastMs <= claim.windowMs) return undefined;
      const tools = claim.tools.map((tool) => `\`${tool}\``).join(", ");
      return finding(claim.rule, "PERMISSION_DENIED", `wants one of ${tools} to have completed before`);
    }
    case "separation": {
      const used = freshClasses(row, claim.keepMs, atMs);
      const together = new Set([...used, ...claim.classes]);
      if (together.size <= claim.atMost || together.size === used.length) return undefined;
      return finding(claim.rule, "PERMISSION_DENIED", "keeps apart what this call would bring together");
    }
  }
}

function finding(
  rule: HistoryFinding | HistoryClaimRule,
  code: HistoryFinding["code"],
  what: string,
  retryAfterMs?: number,
): HistoryFinding {
  const { id, effect, approvers, reason } = rule;
  return { id, effect, approvers, reason, code, message: `the rule \`${id}\` ${what}`, retryAfterMs };
}

type HistoryClaimRule = Extract<HistoryClaim, { readonly kind: "limit" }>["rule"];

function freshClasses(row: Pick<Row, "body"> | undefined, keepMs: number, atMs: number): readonly string[] {
  const { classes } = (row?.body as unknown as UsedClasses | undefined) ?? { classes: {} };
  return Object.entries(classes).flatMap(([name, lastMs]) => (atMs - lastMs <= keepMs ? [name] : []));
}

/** What the gate claims: exact over all processes, since it is one transaction with the intent. */
export function historyClaims(state: CallState): readonly Operation[] {
  const { history, session } = state;
  if (history === undefined) return [];
  const { tenant } = session.principal;
  return history.claims.flatMap((claim, index) => gateOperation(claim, keyOf(tenant, claim), history, history.rows[index]) ?? []);
}

function gateOperation(claim: HistoryClaim, key: RowKey, held: HeldHistory, row: Row | undefined): Operation | undefined {
  switch (claim.kind) {
    case "mark":
      return undefined;
    case "limit": {
      const add = { op: "add", key, delta: claim.delta, dueMs: claim.windowEndMs } as const;
      return held.overruled.has(claim.rule.id) ? add : { ...add, max: claim.max };
    }
    case "after":
      return held.overruled.has(claim.rule.id) ? undefined : { op: "expect", key, version: "present" };
    case "separation":
      return separationOperation(claim, key, held, row);
  }
}

type SeparationClaim = Extract<HistoryClaim, { readonly kind: "separation" }>;

/** How much of the time that a use counts may pass before it is noted again. */
const refreshShare = 0.05;

/** The row is written again only where a class is new, or its note has grown old; otherwise it must merely be the row that was looked at. */
function separationOperation(claim: SeparationClaim, key: RowKey, held: HeldHistory, row: Row | undefined): Operation {
  const { classes } = (row?.body as unknown as UsedClasses | undefined) ?? { classes: {} };
  const staleMs = held.atMs - claim.keepMs * refreshShare;
  if (row !== undefined && claim.classes.every((name) => (classes[name] ?? 0) > staleMs))
    return { op: "expect", key, version: row.version };
  const fresh = Object.entries(classes).filter(([, lastMs]) => held.atMs - lastMs <= claim.keepMs);
  const used = Object.fromEntries([...fresh, ...claim.classes.map((name): [string, number] => [name, held.atMs])]);
  return { op: "put", key, body: { classes: used } as Json, expect: row?.version ?? "absent", dueMs: held.atMs + claim.keepMs };
}

/** What settling does with the claims: a call that certainly had no effect is given back, a completed one leaves its marks. */
export function historySettled(
  state: CallState,
  ending: { readonly isCompleted: boolean; readonly hadNoEffect: boolean; readonly nowMs: number },
): readonly Operation[] {
  const { history, session } = state;
  if (history === undefined) return [];
  const { tenant } = session.principal;
  return history.claims.flatMap((claim): readonly Operation[] => {
    const key = keyOf(tenant, claim);
    if (claim.kind === "limit" && !ending.isCompleted && ending.hadNoEffect) return [{ op: "add", key, delta: -claim.delta }];
    if (claim.kind !== "mark" || !ending.isCompleted) return [];
    return [{ op: "put", key, body: { atMs: ending.nowMs }, dueMs: ending.nowMs + claim.windowMs }];
  });
}
