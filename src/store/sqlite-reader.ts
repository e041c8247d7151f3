import type { DatabaseSync } from "node:sqlite";
import { compareKeys, rowId } from "./row-key.ts";
import { readChanges, type ChangedRow, type Changes } from "./sqlite-changes.ts";
import type { SqliteQueries } from "./sqlite-read.ts";
import { rowOf } from "./sqlite-state.ts";
import type { DueQuery, Row, RowKey, RowRange, Store } from "./store.ts";

/** What may be asked of a store file that another process writes. */
export type StoreReader = Pick<Store, "read" | "scan" | "due" | "counters" | "entries" | "batches" | "writers" | "close">;

/** Answers from the tables, with what still waits in the log of changes laid over them. For people and tools: the log is read for every question. */
export function createReader(db: DatabaseSync, queries: SqliteQueries): StoreReader {
  /** Log and tables as of one moment. */
  function atOnce<Value>(ask: (changes: Changes) => Value): Value {
    db.exec("begin");
    try {
      return ask(readChanges(db));
    } finally {
      db.exec("commit");
    }
  }

  return {
    read: async (keys) => atOnce(({ rows }) => keys.map((key) => rowIn(rows, queries, key))),
    scan: async (range) => atOnce(({ rows }) => scanOver(rows, queries, range)),
    due: async (query) => atOnce(({ rows }) => dueOver(rows, queries, query)),
    counters: async (keys) => atOnce(({ counters }) => keys.map((key) => counters.get(rowId(key))?.value ?? queries.value(key))),
    entries: async (query) => queries.entries(query),
    batches: async (query) => queries.batches(query),
    writers: async () => queries.writers(),
    close: async () => {
      if (db.isOpen) db.close();
    },
  };
}

type ChangedRows = ReadonlyMap<string, ChangedRow>;

function countIn(rows: ChangedRows, space: string): number {
  let count = 0;
  for (const { key } of rows.values()) if (key.space === space) count += 1;
  return count;
}

function rowIn(rows: ChangedRows, queries: SqliteQueries, key: RowKey): Row | undefined {
  const changed = rows.get(rowId(key));
  return changed === undefined ? queries.row(key) : rowOf(changed);
}

/** Rows of the tables that were not changed since, with those changed rows that belong to the answer. */
function laidOver(rows: ChangedRows, found: readonly Row[], belongs: (row: Row) => boolean): Row[] {
  const changed = [...rows.values()].flatMap((one) => rowOf(one) ?? []);
  return [...found.filter((row) => !rows.has(rowId(row))), ...changed.filter(belongs)];
}

/** A scan of the table with changed rows laid over it. */
export function scanOver(rows: ChangedRows, queries: SqliteQueries, range: RowRange): Row[] {
  const { space, tenant, prefix = "", after, ascending = true, limit } = range;
  const sign = ascending ? 1 : -1;
  const belongs = (row: Row): boolean =>
    row.space === space &&
    row.tenant === tenant &&
    row.key.startsWith(prefix) &&
    (after === undefined || compareKeys(row.key, after) * sign > 0);
  // As many more as may have been deleted or moved since.
  const found = queries.scan({ ...range, limit: limit + countIn(rows, space) });
  return laidOver(rows, found, belongs)
    .sort((left, right) => compareKeys(left.key, right.key) * sign)
    .slice(0, limit);
}

/** Due rows of the table with changed rows laid over them. */
export function dueOver(rows: ChangedRows, queries: SqliteQueries, query: DueQuery): Row[] {
  const { space, untilMs, limit } = query;
  const belongs = (row: Row): boolean => row.space === space && row.dueMs !== undefined && row.dueMs <= untilMs;
  const found = queries.due({ ...query, limit: limit + countIn(rows, space) });
  return laidOver(rows, found, belongs)
    .sort(
      (left, right) => (left.dueMs ?? 0) - (right.dueMs ?? 0) || compareKeys(left.tenant, right.tenant) || compareKeys(left.key, right.key),
    )
    .slice(0, limit);
}
