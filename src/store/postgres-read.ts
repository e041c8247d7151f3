import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json } from "../domain/json.ts";
import { databaseProblem, faultOf, type Columns, type DatabaseAddress, type Queryable } from "./postgres-driver.ts";
import { keyArrays } from "./postgres-statements.ts";
import { readText, storedText } from "./postgres-wire.ts";
import { prefixEnd } from "./row-key.ts";
import type { Batch, BatchQuery, DueQuery, Entry, EntryQuery, Row, RowKey, RowRange, WriterHead } from "./store.ts";

/** Every question that the database answers. Each sees what was committed when it is asked. */
export interface PostgresQueries {
  rows(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  values(keys: readonly RowKey[]): Promise<readonly number[]>;
  scan(range: RowRange): Promise<readonly Row[]>;
  due(query: DueQuery): Promise<readonly Row[]>;
  entries(query: EntryQuery): Promise<readonly Entry[]>;
  batches(query: BatchQuery): Promise<readonly Batch[]>;
  writers(): Promise<readonly WriterHead[]>;
}

const rowColumns = "space, tenant, key, version, body, due_ms";
const entryColumns = "writer, epoch, seq, tenant, kind, at_ms, call_id, session_id, run_id, text, sealed";
/** Kinds that nearly every call has; they are left out of the index by kind. */
const denseKinds: ReadonlySet<string> = new Set(["call-intended", "call-settled"]);

const keysGiven = "unnest($1::text[], $2::text[], $3::text[]) with ordinality as u(space, tenant, key, place)";
// `offset 0` keeps the look-up a look-up: without it the planner may join the keys with the whole table while its statistics say that it is small.
const oneByKey = (table: string, columns: string): string =>
  `select u.place, ${columns} from ${keysGiven}
    cross join lateral (select * from signalbox.${table} t where t.space = u.space and t.tenant = u.tenant and t.key = u.key offset 0) r`;
const rowsByKey = oneByKey("rows", "r.space, r.tenant, r.key, r.version, r.body, r.due_ms");
const valuesByKey = oneByKey("counters", "r.value");
const fewRows = Array.from({ length: fixedBounds.fewKeysMax }, (_, index) => {
  const one = (at: number): string =>
    `select ${at + 1}::bigint, ${rowColumns} from signalbox.rows where space = $${at * 3 + 1} and tenant = $${at * 3 + 2} and key = $${at * 3 + 3}`;
  return Array.from({ length: index + 1 }, (__, at) => one(at)).join(" union all ");
});
const dueRows = `select ${rowColumns} from signalbox.rows where space = $1 and due_ms is not null and due_ms <= $2 order by due_ms, tenant, key limit $3`;
const batchRows = `select writer, epoch, seq, batch_count, batch_root, batch_previous, batch_head from signalbox.entries
  where epoch = $1 and writer = $2 and seq > $3 and batch_count is not null and seq - batch_count + 1 > $3 order by seq limit $4`;
const writerHeads = `select writer, epoch, seq, head from signalbox.closed_heads
  union all select id, (select value::bigint from signalbox.meta where name = 'epoch'), seq, head from signalbox.writers order by 2, 1`;

/** The questions on a target. */
export function postgresQueries(target: Queryable): PostgresQueries {
  return {
    async rows(keys) {
      const found: (Row | undefined)[] = keys.map(() => undefined);
      if (keys.length === 0) return found;
      const few = fewRows[keys.length - 1];
      const answer =
        few === undefined
          ? target.query(rowsByKey, keyArrays(asItems(keys)), "signalbox-rows")
          : target.query(few, keys.flatMap(storedKey), `signalbox-rows-${keys.length}`);
      for (const [place, ...columns] of await answer) found[(place as number) - 1] = toRow(columns);
      return found;
    },
    async values(keys) {
      const found = keys.map(() => 0);
      if (keys.length === 0) return found;
      for (const [place, value] of await target.query(valuesByKey, keyArrays(asItems(keys)), "signalbox-values"))
        found[(place as number) - 1] = value as number;
      return found;
    },
    async scan(range) {
      const { sql, values } = scanSql(range);
      return (await target.query(sql, values)).map(toRow);
    },
    due: async ({ space, untilMs, limit }) => (await target.query(dueRows, [storedText(space), untilMs, limit])).map(toRow),
    async entries(query) {
      const { sql, values } = entriesSql(query);
      return (await target.query(sql, values)).map(toEntry);
    },
    batches: async ({ writer, epoch, afterSeq = 0, limit }) =>
      (await target.query(batchRows, [epoch, writer, afterSeq, limit])).map(toBatch),
    writers: async () => (await target.query(writerHeads)).map(toHead),
  };
}

/** A target that repeats a question whose connection was lost, for at most `storeReconnectMs`; its problems may cross boundaries. */
export function patient(target: Queryable, address: DatabaseAddress, clock: Clock): Queryable {
  return {
    async query(text, values, name) {
      let waitedMs = 0;
      for (let delayMs = fixedBounds.storeRetryBaseMs; ; delayMs = Math.min(fixedBounds.storeRetryCapMs, delayMs * 2)) {
        try {
          return await target.query(text, values, name);
        } catch (cause) {
          if (faultOf(cause) !== "lost" || waitedMs >= address.limits.storeReconnectMs) throw databaseProblem(cause, address);
        }
        const pauseMs = delayMs;
        await new Promise<void>((resolve) => clock.after(pauseMs, resolve, "process"));
        waitedMs += pauseMs;
      }
    },
  };
}

interface Query {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

function scanSql({ space, tenant, prefix = "", after, ascending = true, limit }: RowRange): Query {
  const values: (string | number)[] = [storedText(space), storedText(tenant), storedText(prefix)];
  const terms = ["space = $1", "tenant = $2", "key >= $3"];
  const where = (term: string, value: string | undefined): void => {
    if (value !== undefined) terms.push(`${term} $${values.push(storedText(value))}`);
  };
  where("key <", prefixEnd(prefix));
  where(ascending ? "key >" : "key <", after);
  const limitPlace = values.push(limit);
  const order = ascending ? "asc" : "desc";
  return {
    sql: `select ${rowColumns} from signalbox.rows where ${terms.join(" and ")} order by key ${order} limit $${limitPlace}`,
    values,
  };
}

function entriesSql(query: EntryQuery): Query {
  const terms: string[] = [];
  const values: (string | number)[] = [];
  const where = (term: string, value: string | number | undefined): void => {
    if (value !== undefined) terms.push(`${term} $${values.push(typeof value === "string" ? storedText(value) : value)}`);
  };
  if (query.kind !== undefined && !denseKinds.has(query.kind)) terms.push("kind not in ('call-intended', 'call-settled')");
  where("call_id =", query.callId);
  where("session_id =", query.sessionId);
  where("run_id =", query.runId);
  where("kind =", query.kind);
  where("tenant =", query.tenant);
  where("epoch =", query.epoch);
  where("writer =", query.writer);
  where("writer <>", query.exceptWriter);
  where("seq >", query.afterSeq);
  where("at_ms >=", query.sinceMs);
  const condition = terms.length === 0 ? "" : `where ${terms.join(" and ")}`;
  const order = (query.newestFirst === true ? ["epoch desc", "writer desc", "seq desc"] : ["epoch", "writer", "seq"]).join(", ");
  return { sql: `select ${entryColumns} from signalbox.entries ${condition} order by ${order} limit $${values.push(query.limit)}`, values };
}

function storedKey({ space, tenant, key }: RowKey): readonly string[] {
  return [storedText(space), storedText(tenant), storedText(key)];
}

function asItems(keys: readonly RowKey[]): readonly { readonly key: RowKey }[] {
  return keys.map((key) => ({ key }));
}

function toRow(columns: Columns): Row {
  const [space, tenant, key, version, body, dueMs] = columns as readonly [string, string, string, number, string, number | null];
  return {
    space: readText(space),
    tenant: readText(tenant),
    key: readText(key),
    version,
    body: JSON.parse(body) as Json,
    dueMs: dueMs ?? undefined,
  };
}

function toEntry(columns: Columns): Entry {
  const [writer, epoch, seq, tenant, kind, atMs, callId, sessionId, runId, text, sealed] = columns;
  return {
    writer: writer as string,
    epoch: epoch as number,
    seq: seq as number,
    tenant: readText(tenant as string),
    kind: readText(kind as string),
    atMs: atMs as number,
    callId: readOptional(callId),
    sessionId: readOptional(sessionId),
    runId: readOptional(runId),
    text: text as string,
    sealed: (sealed as Uint8Array | null) ?? undefined,
  };
}

function readOptional(column: unknown): string | undefined {
  return typeof column === "string" ? readText(column) : undefined;
}

function toBatch(columns: Columns): Batch {
  const [writer, epoch, lastSeq, count, root, previous, head] = columns as readonly [
    string,
    number,
    number,
    number,
    string,
    string,
    string,
  ];
  return { writer, epoch, firstSeq: lastSeq - count + 1, count, root, previous, head };
}

function toHead(columns: Columns): WriterHead {
  const [writer, epoch, seq, head] = columns as readonly [string, number, number, string];
  return { writer, epoch, seq, head };
}
