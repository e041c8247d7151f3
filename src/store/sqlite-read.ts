import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Json } from "../domain/json.ts";
import { prefixEnd } from "./row-key.ts";
import type { Batch, BatchQuery, DueQuery, Entry, EntryQuery, Row, RowKey, RowRange, WriterHead } from "./store.ts";
import { readMeta } from "./sqlite-schema.ts";

/** Every question that a store file answers, on one connection. Synchronous; who calls it decides on which thread it runs. */
export interface SqliteQueries {
  row(key: RowKey): Row | undefined;
  /** 0 where there is none. */
  version(key: RowKey): number;
  value(key: RowKey): number;
  /** When a counter is due; `undefined` where it never is, or is none. */
  counterDueMs(key: RowKey): number | undefined;
  scan(range: RowRange): Row[];
  due(query: DueQuery): Row[];
  /** Keys of counters that are due. Looks at every counter of the space. */
  dueCounters(query: DueQuery): RowKey[];
  entries(query: EntryQuery): Entry[];
  batches(query: BatchQuery): Batch[];
  writers(): WriterHead[];
}

type Columns = readonly (string | number | null | Uint8Array)[];

const rowColumns = "space, tenant, key, version, body, due_ms";
const entryColumns = "id, epoch, tenant, kind, at_ms, call_id, session_id, run_id, text, sealed";
/** Kinds that nearly every call has; they are left out of the index by kind. */
const denseKinds: ReadonlySet<string> = new Set(["call-intended", "call-settled"]);

/** Prepares the questions on a connection. */
export function sqliteQueries(db: DatabaseSync): SqliteQueries {
  const writer = readMeta(db, "writer") ?? "";
  const prepared = new Map<string, StatementSync>();

  // The texts come from a fixed set of shapes, so the map is bounded.
  function statement(sql: string): StatementSync {
    let found = prepared.get(sql);
    if (found === undefined) {
      found = db.prepare(sql);
      found.setReturnArrays(true);
      prepared.set(sql, found);
    }
    return found;
  }

  const all = (sql: string, values: readonly SQLInputValue[]): Columns[] => statement(sql).all(...values) as unknown as Columns[];
  const oneRow = statement(`select ${rowColumns} from rows where space = ? and tenant = ? and key = ?`);
  const oneVersion = statement("select version from rows where space = ? and tenant = ? and key = ?");
  const oneValue = statement("select value from counters where space = ? and tenant = ? and key = ?");
  const oneDue = statement("select due_ms from counters where space = ? and tenant = ? and key = ?");
  const get = (query: StatementSync, key: RowKey): Columns | undefined =>
    query.get(key.space, key.tenant, key.key) as unknown as Columns | undefined;

  return {
    row(key) {
      const columns = get(oneRow, key);
      return columns === undefined ? undefined : toRow(columns);
    },
    version: (key) => (get(oneVersion, key)?.[0] as number | undefined) ?? 0,
    value: (key) => (get(oneValue, key)?.[0] as number | undefined) ?? 0,
    counterDueMs: (key) => (get(oneDue, key)?.[0] as number | null | undefined) ?? undefined,
    scan(range) {
      const { sql, values } = scanSql(range);
      return all(sql, values).map(toRow);
    },
    due: ({ space, untilMs, limit }) =>
      all(`select ${rowColumns} from rows where space = ? and due_ms is not null and due_ms <= ? order by due_ms, tenant, key limit ?`, [
        space,
        untilMs,
        limit,
      ]).map(toRow),
    dueCounters: ({ space, untilMs, limit }) =>
      all("select space, tenant, key from counters where space = ? and due_ms <= ? limit ?", [space, untilMs, limit]).map(toKey),
    entries(query) {
      const { sql, values } = entriesSql(query, writer);
      return all(sql, values).map((columns) => toEntry(columns, writer));
    },
    batches: (query) =>
      (query.writer === writer ? all(batchesSql, [query.epoch, query.afterSeq ?? 0, query.afterSeq ?? 0, query.limit]) : []).map(
        (columns) => toBatch(columns, writer),
      ),
    writers: () => all(writersSql, []).map((columns) => toHead(columns, writer)),
  };
}

const batchesSql = `select id, epoch, batch_count, batch_root, batch_previous, batch_head from entries
  where epoch = ? and id > ? and batch_count is not null and id - batch_count + 1 > ? order by id limit ?`;

// A closed epoch keeps its last head; the open one is read from its last batch, unless retention dropped that too.
const writersSql = `select e.epoch, coalesce(l.id, e.last_seq), coalesce(l.batch_head, e.head) from epochs e
  left join (select id, epoch, batch_head from entries order by id desc limit 1) l on l.epoch = e.epoch order by e.epoch`;

interface Query {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

function scanSql({ space, tenant, prefix = "", after, ascending = true, limit }: RowRange): Query {
  const end = prefixEnd(prefix);
  let sql = `select ${rowColumns} from rows where space = ? and tenant = ? and key >= ?`;
  const values: SQLInputValue[] = [space, tenant, prefix];
  if (end !== undefined) {
    sql += " and key < ?";
    values.push(end);
  }
  if (after !== undefined) {
    sql += ascending ? " and key > ?" : " and key < ?";
    values.push(after);
  }
  values.push(limit);
  return { sql: `${sql} order by key ${ascending ? "asc" : "desc"} limit ?`, values };
}

function entriesSql(query: EntryQuery, writer: string): Query {
  const terms: string[] = [];
  const values: SQLInputValue[] = [];
  const where = (term: string, value: SQLInputValue | undefined): void => {
    if (value === undefined) return;
    terms.push(term);
    values.push(value);
  };
  if ((query.writer !== undefined && query.writer !== writer) || query.exceptWriter === writer) terms.push("false");
  if (query.kind !== undefined && !denseKinds.has(query.kind)) terms.push("kind not in ('call-intended', 'call-settled')");
  const referred = (table: string, column: string, value: string | undefined): void => {
    if (value === undefined) return;
    terms.push(`id in (select id from ${table} where ${column} = ?)`);
    values.push(value);
  };
  referred("entry_calls", "call_id", query.callId);
  referred("entry_sessions", "session_id", query.sessionId);
  where("run_id = ?", query.runId);
  where("kind = ?", query.kind);
  where("tenant = ?", query.tenant);
  where("epoch = ?", query.epoch);
  where("id > ?", query.afterSeq);
  where("at_ms >= ?", query.sinceMs);
  values.push(query.limit);
  const condition = terms.length === 0 ? "" : `where ${terms.join(" and ")}`;
  return {
    sql: `select ${entryColumns} from entries ${condition} order by id ${query.newestFirst === true ? "desc" : "asc"} limit ?`,
    values,
  };
}

/** Whether an index leads to the few entries asked for, or they stand together, so that the answer is quick whatever the size of the ledger. */
export function isQuickEntryQuery(query: EntryQuery, limitMax: number): boolean {
  if (query.limit > limitMax) return false;
  if (query.callId !== undefined) return true;
  const { tenant, kind, sessionId, runId, epoch, sinceMs } = query;
  return [tenant, kind, sessionId, runId, epoch, sinceMs].every((filter) => filter === undefined);
}

function toKey(columns: Columns): RowKey {
  return { space: columns[0] as string, tenant: columns[1] as string, key: columns[2] as string };
}

function toRow(columns: Columns): Row {
  return {
    space: columns[0] as string,
    tenant: columns[1] as string,
    key: columns[2] as string,
    version: columns[3] as number,
    body: JSON.parse(columns[4] as string) as Json,
    dueMs: (columns[5] as number | null) ?? undefined,
  };
}

function toEntry(columns: Columns, writer: string): Entry {
  return {
    writer,
    epoch: columns[1] as number,
    seq: columns[0] as number,
    tenant: columns[2] as string,
    kind: columns[3] as string,
    atMs: columns[4] as number,
    callId: (columns[5] as string | null) ?? undefined,
    sessionId: (columns[6] as string | null) ?? undefined,
    runId: (columns[7] as string | null) ?? undefined,
    text: columns[8] as string,
    sealed: (columns[9] as Uint8Array | null) ?? undefined,
  };
}

function toBatch(columns: Columns, writer: string): Batch {
  const lastSeq = columns[0] as number;
  const count = columns[2] as number;
  return {
    writer,
    epoch: columns[1] as number,
    firstSeq: lastSeq - count + 1,
    count,
    root: columns[3] as string,
    previous: columns[4] as string,
    head: columns[5] as string,
  };
}

function toHead(columns: Columns, writer: string): WriterHead {
  return { writer, epoch: columns[0] as number, seq: columns[1] as number, head: columns[2] as string };
}
