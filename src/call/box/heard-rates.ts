/**
 * What other processes said that they let through, charged to the limits here exactly once, in whatever order and however often it is heard: as a row of the
 * store, which holds all that a process counted, or sooner over a channel, which tells what came since the turn before and can lose it. After a gap nothing more is
 * taken from the channel until the whole is heard again, which says what was missed.
 */
import type { RateExchange } from "../../budget/throttle.ts";
import type { Counts } from "../../store/process-news.ts";

/** Limits that processes keep together, by the name under which they tell of them. */
export type SharedRates = Readonly<Record<string, RateExchange>>;

/** What one process said. `turn` is undefined for a program that knows no turns. */
export interface HeardCounts {
  readonly process: string;
  readonly turn: number | undefined;
  readonly isWhole: boolean;
  readonly rates: Counts;
}

interface Heard {
  turn: number | undefined;
  atMs: number;
  counts: Map<string, Map<string, number>>;
}

/** Keeps count of the other processes. */
export interface HeardRates {
  hear(news: HeardCounts, nowMonotonicMs: number): void;
  /** From now on a process that was never heard of is a new one, all of whose calls count. Before, what it says is over, or was taken from a bucket nobody had. */
  begun(): void;
  /** Forgets those that were not heard since. */
  forget(beforeMonotonicMs: number): void;
}

/** Starts with nobody heard; at most `processesMax` are kept. */
export function createHeardRates(rates: SharedRates, { processesMax }: { readonly processesMax: number }): HeardRates {
  const heard = new Map<string, Heard>();
  let isBegun = false;

  function charge(name: string, key: string, count: number, nowMs: number): void {
    if (count > 0) rates[name]?.charge(key, count, nowMs);
  }

  function hearWhole({ process, turn, rates: said }: HeardCounts, nowMs: number): void {
    const before = heard.get(process);
    if (before?.turn !== undefined && turn !== undefined && turn <= before.turn) {
      before.atMs = nowMs;
      return;
    }
    const counts = new Map(Object.entries(said).map(([name, keys]) => [name, new Map(Object.entries(keys))]));
    heard.set(process, { turn, atMs: nowMs, counts });
    if (before === undefined && !isBegun) return;
    for (const [name, keys] of counts)
      for (const [key, count] of keys) {
        const earlier = before?.counts.get(name)?.get(key) ?? 0;
        // A key that was not used for a while is counted anew.
        charge(name, key, count >= earlier ? count - earlier : count, nowMs);
      }
  }

  function hearChange({ process, turn, rates: said }: HeardCounts, nowMs: number): void {
    const known = heard.get(process);
    const isFirst = known === undefined && isBegun && turn === 1;
    if (!isFirst && (known?.turn === undefined || turn !== known.turn + 1)) return;
    const here: Heard = known ?? { turn, atMs: nowMs, counts: new Map() };
    here.turn = turn;
    here.atMs = nowMs;
    heard.set(process, here);
    for (const [name, keys] of Object.entries(said)) {
      const counts = here.counts.get(name) ?? new Map<string, number>();
      here.counts.set(name, counts);
      for (const [key, count] of Object.entries(keys)) {
        counts.set(key, (counts.get(key) ?? 0) + count);
        charge(name, key, count, nowMs);
      }
    }
  }

  return {
    hear(news, nowMs) {
      if (!heard.has(news.process) && heard.size >= processesMax) return;
      if (news.isWhole) hearWhole(news, nowMs);
      else hearChange(news, nowMs);
    },
    begun() {
      isBegun = true;
    },
    forget(beforeMs) {
      for (const [process, { atMs }] of heard) if (atMs < beforeMs) heard.delete(process);
    },
  };
}
