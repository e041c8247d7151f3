/** What this process has let through since it started, by limit and key, for telling the others. */
import type { Counts } from "../../store/process-news.ts";
import type { SharedRates } from "./heard-rates.ts";

/** Adds up what the limits let through. */
export interface OwnCounts {
  /** What came since this was last asked; undefined where there was nothing. */
  since(nowMonotonicMs: number): Counts | undefined;
  /** All of it, at most `keysMax` keys, the latest used. */
  all(): Counts;
}

/** Starts at nothing. A key that was not used for `keepMs` goes; its count then starts anew. */
export function createOwnCounts(rates: SharedRates, { keysMax, keepMs }: { readonly keysMax: number; readonly keepMs: number }): OwnCounts {
  const totals = new Map<string, Map<string, { count: number; atMs: number }>>();
  return {
    since(nowMs) {
      const changes: Record<string, Record<string, number>> = {};
      for (const [name, rate] of Object.entries(rates)) {
        const keys = totals.get(name) ?? new Map<string, { count: number; atMs: number }>();
        totals.set(name, keys);
        // The longest unused come first.
        for (const [key, { atMs }] of keys) {
          if (atMs >= nowMs - keepMs) break;
          keys.delete(key);
        }
        const taken = rate.takenSince();
        for (const [key, count] of taken) {
          const before = keys.get(key)?.count ?? 0;
          keys.delete(key);
          keys.set(key, { count: before + count, atMs: nowMs });
        }
        if (taken.size > 0) changes[name] = Object.fromEntries(taken);
      }
      return Object.keys(changes).length > 0 ? changes : undefined;
    },
    all() {
      const told: Record<string, Record<string, number>> = {};
      let room = keysMax;
      for (const [name, keys] of totals) {
        const latest = room > 0 ? [...keys].slice(-room) : [];
        room -= latest.length;
        told[name] = Object.fromEntries(latest.map(([key, { count }]) => [key, count]));
      }
      return told;
    },
  };
}
