import type { Json } from "../domain/json.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import type { Entry, EntryQuery, Store } from "../store/store.ts";
import { isProven, isSealedUnder, valuesProof } from "./values-proof.ts";
import type { Vault } from "./vault.ts";

/** One entry of a trail, read. */
export interface TrailItem {
  readonly entry: Entry;
  /** What the entry proves, as data. */
  readonly body: Json;
  /** Private values by name; `undefined` where there are none, their key was destroyed, or they are not those committed to. */
  readonly private: Readonly<Record<string, Json>> | undefined;
  /** Where the private values stand. */
  readonly values: "none" | "opened" | "erased" | "altered";
}

/** Which entries of one tenant. */
export type TrailQuery = Pick<EntryQuery, "callId" | "sessionId" | "runId" | "kind" | "sinceMs" | "limit"> & { readonly tenant: string };

/** Entries of a call, session or run of one tenant, oldest first, with private values opened and held against their commitments. */
export async function trail(store: Pick<Store, "entries">, vault: Vault, query: TrailQuery): Promise<readonly TrailItem[]> {
  const items: TrailItem[] = [];
  for (const entry of inTime(await store.entries(query))) items.push(await readEntry(entry, vault));
  return items;
}

/** Entries in time: the store answers writer by writer; where several wrote, only their clocks tell the order. One writer's own order is never changed. */
export function inTime(entries: readonly Entry[]): readonly Entry[] {
  const isOneWriter = entries.every((entry) => entry.writer === entries[0]?.writer);
  return isOneWriter ? entries : entries.toSorted((left, right) => left.atMs - right.atMs);
}

/** One entry with its private values opened. */
export async function readEntry(entry: Entry, vault: Vault): Promise<TrailItem> {
  const body = (JSON.parse(entry.text) as { readonly body: Json }).body;
  const proof = valuesProof(body);
  const without = (values: TrailItem["values"]): TrailItem => ({ entry, body, private: undefined, values });
  if (proof === undefined) return without("none");
  if (entry.sealed === undefined || !isSealedUnder(proof, entry.sealed)) return without("altered");
  try {
    const opened = await vault.openValues(entry);
    if (opened === undefined) return without("erased");
    if (!isProven(proof, opened)) return without("altered");
    return { entry, body, private: Object.fromEntries(Object.entries(opened).map(([name, held]) => [name, held.value])), values: "opened" };
  } catch (error) {
    // A trail shows everything else of an entry whose values were tampered with; a store that fails is another matter.
    if (error instanceof ToolCallError && error.code === "LEDGER_UNAVAILABLE") return without("altered");
    throw error;
  }
}
