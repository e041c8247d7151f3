import type { ToolCallError } from "../errors/tool-call-error.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { rowId } from "../store/row-key.ts";
import type { Row } from "../store/store.ts";
import { claimKeys, findingOf, historyClaims } from "./history.ts";
import type { CallState } from "./runtime.ts";

/** Whether calls that were each allowed may also be made one after another. */
export type LookTogether =
  | { readonly kind: "clear" }
  | { readonly kind: "refused"; readonly state: CallState; readonly error: ToolCallError };

/** What stands under the keys of history, as the calls before would leave it. */
interface Standing {
  readonly rows: Map<string, Row | undefined>;
  readonly counts: Map<string, number>;
  readonly atMs: number;
}

/**
 * Looks the history of several calls up anew and goes through them in order, each as if those before it had been made. Where a rule speaks against one
 * that it did not speak against alone, that call is refused, also where the rule would ask: a set cannot wait for a person. Otherwise the claims of
 * each build on those before, so that one transaction can make all of them.
 */
export async function lookBackTogether(states: readonly CallState[]): Promise<LookTogether> {
  const keys = states.flatMap(claimKeys);
  if (keys.length === 0) return { kind: "clear" };
  const { runtime } = states[0] as CallState;
  const [rows, counts] = await Promise.all([runtime.store.read(keys), runtime.store.counters(keys)]);
  const standing: Standing = {
    rows: new Map(keys.map((key, index) => [rowId(key), rows[index]])),
    counts: new Map(keys.map((key, index) => [rowId(key), counts[index] ?? 0])),
    atMs: runtime.clock.now(),
  };
  for (const state of states) {
    const error = speaksAgainst(state, standing);
    if (error !== undefined) return { kind: "refused", state, error };
  }
  return { kind: "clear" };
}

function speaksAgainst(state: CallState, standing: Standing): ToolCallError | undefined {
  const { history } = state;
  if (history === undefined) return undefined;
  const { atMs } = standing;
  const keys = claimKeys(state).map(rowId);
  const rows = keys.map((key) => standing.rows.get(key));
  for (const [index, claim] of history.claims.entries()) {
    const found = findingOf(claim, { row: rows[index], value: standing.counts.get(keys[index] as string) ?? 0, atMs });
    if (found === undefined || history.overruled.has(found.id)) continue;
    return toolCallError(found.code, `${found.message}, together with the other calls of this set`, { retryAfterMs: found.retryAfterMs });
  }
  state.history = { ...history, rows, atMs };
  apply(state, standing);
  return undefined;
}

/** What the call leaves behind for the next one. */
function apply(state: CallState, { rows, counts }: Standing): void {
  for (const operation of historyClaims(state)) {
    const key = rowId(operation.key);
    if (operation.op === "add") counts.set(key, (counts.get(key) ?? 0) + operation.delta);
    if (operation.op === "put") rows.set(key, { ...operation.key, version: (rows.get(key)?.version ?? 0) + 1, body: operation.body });
  }
}
