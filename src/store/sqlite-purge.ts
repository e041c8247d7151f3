import { defaultLimits } from "../base/limits.ts";
import { rowId } from "./row-key.ts";
import type { GroupWriter } from "./sqlite-group.ts";
import type { Intake } from "./sqlite-intake.ts";
import type { Offload } from "./sqlite-offload.ts";
import type { SqliteQueries } from "./sqlite-read.ts";
import { dueOver } from "./sqlite-reader.ts";
import type { SqliteState } from "./sqlite-state.ts";
import type { DueQuery, RowKey, Store } from "./store.ts";

/** What a purge works on. */
export interface PurgeParts {
  readonly queries: SqliteQueries;
  readonly group: GroupWriter;
  readonly intake: Intake;
  readonly offload: Offload;
}

/**
 * Deletes what is due as any group changes rows, through the commit log: in slices with a turn of the event loop between them, so that calls never wait
 * longer than a slice.
 */
export function createPurge({ queries, group, intake, offload }: PurgeParts): Store["purge"] {
  const sliceMax = defaultLimits.storeSliceRowsMax;

  /** Deletes the next due rows. They are looked for and deleted in one turn, so that no call changes them in between. */
  async function purgeRowSlice(query: DueQuery): Promise<number> {
    await group.settled();
    let count = 0;
    await group.change((state) => {
      for (const row of dueOver(intake.overlay.rows, queries, query)) {
        const id = rowId(row);
        // The open group has changed it already.
        if (state.version(id, row) !== row.version) continue;
        state.deleteRow(id, row);
        count += 1;
      }
    });
    return count;
  }

  async function purgeDueRows({ space, untilMs, limit }: DueQuery): Promise<number> {
    let count = 0;
    while (count < limit) {
      const wanted = Math.min(sliceMax, limit - count);
      const gone = await purgeRowSlice({ space, untilMs, limit: wanted });
      count += gone;
      if (gone < wanted) break;
      await nextTurn();
    }
    return count;
  }

  async function purgeDueCounters(query: DueQuery): Promise<number> {
    if (query.limit <= 0) return 0;
    await group.settled();
    // The worker sees only the tables.
    await intake.whole();
    const keys = await offload.run({ kind: "due-counters", query });
    let count = 0;
    for (let start = 0; start < keys.length; start += sliceMax) {
      const part = keys.slice(start, start + sliceMax);
      await group.change((state) => {
        for (const key of part) count += takeAway(state, key, query.untilMs) ? 1 : 0;
      });
    }
    return count;
  }

  /** Whether the counter was due still, and is gone now. */
  function takeAway(state: SqliteState, key: RowKey, untilMs: number): boolean {
    const id = rowId(key);
    // What a call has changed since is not due any more, or is found by the next purge.
    if (state.counters.has(id) || intake.overlay.counter(id) !== undefined) return false;
    const dueMs = queries.counterDueMs(key);
    if (dueMs === undefined || dueMs > untilMs) return false;
    state.deleteValue(id, key);
    return true;
  }

  return async (query) => {
    const rowCount = await purgeDueRows(query);
    return rowCount + (await purgeDueCounters({ ...query, limit: query.limit - rowCount }));
  };
}

/** Lets everything that waits run first. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
