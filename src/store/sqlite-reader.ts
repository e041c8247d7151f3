import { DatabaseSync } from "node:sqlite";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { LogProblem, logSalts, readFrames, type LogOwner } from "./log-file.ts";
import type { ChangedRow, Frame } from "./log-frame.ts";
import { latestOf, type Changes } from "./overlay.ts";
import { compareKeys, rowId } from "./row-key.ts";
import { lastFrameIn, logDamage, Tables } from "./sqlite-bring-in.ts";
import { sqliteQueries, type SqliteQueries } from "./sqlite-read.ts";
import { migrate } from "./sqlite-schema.ts";
import { rowOf } from "./sqlite-state.ts";
import type { DueQuery, Row, RowKey, RowRange, Store, WriterHead } from "./store.ts";

/** What may be asked of a store file that another process writes. */
export type StoreReader = Pick<Store, "read" | "scan" | "due" | "counters" | "entries" | "batches" | "writers" | "close">;

/** A store file that is only read. */
export interface ReaderParts {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly queries: SqliteQueries;
}

/**
 * Answers from the tables, with what still waits in the commit log laid over them. For people and tools: the log is read for every question that it can
 * have a part in.
 */
export function createReader(parts: ReaderParts): StoreReader {
  const { db, queries } = parts;
  const changes = <Value>(ask: (changes: Changes) => Value): Value => atOnce(parts, (frames) => ask(latestOf(frames())));
  /** What is in the tables, and after it, or before it where the newest come first, what the log holds. */
  const ledger = <Item>(ask: (queries: SqliteQueries) => readonly Item[], limit: number, newestFirst = false): readonly Item[] =>
    atOnce(parts, (frames) => {
      const found = ask(queries);
      // Entries of the log come after all others.
      if (!newestFirst && found.length >= limit) return found;
      const waiting = askFrames(queries, frames(), ask);
      return (newestFirst ? [...waiting, ...found] : [...found, ...waiting]).slice(0, limit);
    });

  return {
    read: async (keys) => changes(({ rows }) => keys.map((key) => rowIn(rows, queries, key))),
    scan: async (range) => changes(({ rows }) => scanOver(rows, queries, range)),
    due: async (query) => changes(({ rows }) => dueOver(rows, queries, query)),
    counters: async (keys) => changes(({ counters }) => keys.map((key) => counters.get(rowId(key))?.value ?? queries.value(key))),
    entries: async (query) => ledger((one) => one.entries(query), query.limit, query.newestFirst),
    batches: async (query) => ledger((one) => one.batches(query), query.limit),
    writers: async () =>
      atOnce(parts, (frames) => {
        const heads = queries.writers();
        return [...heads.slice(0, -1), ...askFrames(queries, frames(), (one) => one.writers())];
      }),
    close: async () => {
      if (db.isOpen) db.close();
    },
  };
}

/** Tables and log as of one moment. A log that is brought in while it is read is read again, together with the tables. */
function atOnce<Value>({ path, db, queries }: ReaderParts, ask: (frames: () => readonly Frame[]) => Value): Value {
  for (let read = 1; ; read += 1) {
    db.exec("begin");
    try {
      return ask(() => framesAfter(path, queries.writers().at(-1) as WriterHead, lastFrameIn(db)));
    } catch (cause) {
      if (!(cause instanceof LogProblem)) throw cause;
      if (read === fixedBounds.logReadsMax) throw logDamage(cause);
    } finally {
      db.exec("commit");
    }
  }
}

/** What the log holds after a frame. Throws a `LogProblem` where a file was used again meanwhile. */
function framesAfter(path: string, owner: LogOwner, afterFrame: number): readonly Frame[] {
  const salts = logSalts(path);
  const frames = readFrames(path, owner, { afterFrame });
  if (logSalts(path) !== salts) throw new LogProblem("the log was brought in while it was read");
  return frames;
}

/** Asks a store in memory into which frames were brought, and which goes on where the tables end. */
function askFrames<Item>(
  queries: SqliteQueries,
  frames: readonly Frame[],
  ask: (queries: SqliteQueries) => readonly Item[],
): readonly Item[] {
  const db = new DatabaseSync(":memory:");
  try {
    const { writer, epoch, seq, head } = queries.writers().at(-1) as WriterHead;
    migrate(db, ":memory:", { writer, atMs: 0 });
    db.prepare("update epochs set epoch = ?, last_seq = ?, head = ?").run(epoch, seq, head);
    const waiting = sqliteQueries(db);
    new Tables(db, waiting).bringIn(frames, false);
    return ask(waiting);
  } finally {
    db.close();
  }
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
