/**
 * FLOOR, frozen: what SQLite itself needs for the bytes and rows of a call. No decisions, no hashes, no JSON: every text is ready. The file has the
 * pragmas of the product, and the tables and indexes that the product had when this was frozen.
 */
import { DatabaseSync } from "node:sqlite";

/** One row that a unit writes. In keys and ids `#` stands for the call and `@` for the session, so that rows lie where those of real calls lie. */
export type RawWrite =
  | {
      readonly kind: "row";
      readonly space: string;
      readonly key: string;
      readonly version: number;
      readonly body: string;
      readonly dueMs: number | null;
    }
  | { readonly kind: "delete"; readonly space: string; readonly key: string }
  | { readonly kind: "counter"; readonly space: string; readonly key: string; readonly delta: number }
  | { readonly kind: "entry"; readonly entry: string; readonly text: string; readonly sealed: Uint8Array };

/** Rows of the gate and of the settle of one call. */
export interface RawCall {
  readonly gate: readonly RawWrite[];
  readonly settle: readonly RawWrite[];
}

const pragmas = "pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -65536; pragma wal_autocheckpoint = 2000";

/** Two commits of one blob each: gate and settle as bytes. Returns how to make them. */
export function openRawBytes(path: string): { readonly gate: (bytes: string) => void; readonly close: () => void } {
  const db = new DatabaseSync(path);
  db.exec(`${pragmas}; create table raw(id integer primary key, body text)`);
  const insert = db.prepare("insert into raw(body) values(?)");
  return { gate: (bytes) => void insert.run(bytes), close: () => db.close() };
}

/** The same rows, written raw: all that waits in one transaction, or each unit in its own. */
export function openRawRows(
  path: string,
  isBatched: boolean,
): { readonly commit: (writes: readonly RawWrite[], call: RawNames) => Promise<void>; readonly close: () => void } {
  const db = new DatabaseSync(path);
  db.exec(`${pragmas};
    create table entries(id integer primary key, kind text, at_ms integer, call_id text, session_id text, text text, sealed blob);
    create index entries_call on entries(call_id);
    create index entries_session on entries(session_id);
    create table rows(space text, tenant text, key text, version integer, body text, due_ms integer, primary key(space, tenant, key)) without rowid;
    create index rows_due on rows(space, due_ms) where due_ms is not null;
    create table counters(space text, tenant text, key text, value integer, primary key(space, tenant, key)) without rowid;`);
  const write = rawWriter(db);
  const begin = db.prepare("begin immediate");
  const end = db.prepare("commit");
  let queue: { readonly writes: readonly RawWrite[]; readonly call: RawNames; readonly resolve: () => void }[] = [];
  const flush = (): void => {
    const group = queue;
    queue = [];
    begin.run();
    for (const { writes, call } of group) for (const one of writes) write(one, call);
    end.run();
    for (const { resolve } of group) resolve();
  };
  return {
    commit: (writes, call) =>
      new Promise((resolve) => {
        queue.push({ writes, call, resolve });
        if (!isBatched) flush();
        else if (queue.length === 1) setImmediate(flush);
      }),
    close: () => db.close(),
  };
}

/** What the signs stand for in one call. */
export interface RawNames {
  readonly call: string;
  readonly session: string;
}

function rawWriter(db: DatabaseSync): (write: RawWrite, names: RawNames) => void {
  const row = db.prepare(
    "insert into rows values(?, 'acme', ?, ?, ?, ?) on conflict do update set version = excluded.version, body = excluded.body, due_ms = excluded.due_ms",
  );
  const remove = db.prepare("delete from rows where space = ? and tenant = 'acme' and key = ?");
  const counter = db.prepare("insert into counters values(?, 'acme', ?, ?) on conflict do update set value = value + excluded.value");
  const entry = db.prepare("insert into entries(kind, at_ms, call_id, session_id, text, sealed) values(?, 1700000000000, ?, ?, ?, ?)");
  return (write, { call, session }) => {
    const named = (text: string): string => text.replace("@", session).replace("#", call);
    if (write.kind === "row") row.run(write.space, named(write.key), write.version, write.body, write.dueMs);
    else if (write.kind === "delete") remove.run(write.space, named(write.key));
    else if (write.kind === "counter") counter.run(write.space, named(write.key), write.delta);
    else entry.run(write.entry, call, session, write.text, write.sealed);
  };
}
