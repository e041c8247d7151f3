/**
 * What a store file looks like, and how it came to look so. Migrations expand first and contract a release later: the file says which schema it
 * has and the oldest schema number that a program must know to work with it, so that an older program may go on beside a newer one.
 */
import type { DatabaseSync } from "node:sqlite";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { zeroHead } from "./seal.ts";
import { bringInChanges, schema2 } from "./sqlite-schema-2.ts";

/** Marks a file as ours (`PRAGMA application_id`; "SGBX"). */
export const applicationId = 0x53474258;

/** One step of the schema. Never changed once released. */
export interface Migration {
  /** Counts up from 1. */
  readonly version: number;
  /** The oldest schema number that a program must know to read and write a file after this step. */
  readonly oldestServed: number;
  readonly sql: string;
  /** What must happen before, where SQL does not say it well. */
  readonly before?: (db: DatabaseSync) => void;
}

/** Every step, in order. The program knows the schema of the last one. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    oldestServed: 1,
    // An entry's id is its sequence number. A batch stands on the row of its last entry: one page less to write per commit than a table of its own.
    // Rows, counters and the references to entries by call and session follow later from `changes` and `entries`.
    sql: `
      create table meta(name text primary key, value text not null) without rowid;
      create table epochs(epoch integer primary key, last_seq integer not null, head text not null, opened_ms integer not null, reason text not null);
      create table entries(
        id integer primary key, epoch integer not null, tenant text not null, kind text not null, at_ms integer not null,
        call_id text, session_id text, run_id text, text text not null, sealed blob,
        batch_count integer, batch_root text, batch_previous text, batch_head text);
      create table entry_calls(call_id text not null, id integer not null, primary key(call_id, id)) without rowid;
      create table entry_sessions(session_id text not null, id integer not null, primary key(session_id, id)) without rowid;
      create table changes(id integer primary key, body text not null);
      create index entries_run on entries(run_id) where run_id is not null;
      create index entries_kind on entries(kind) where kind not in ('call-intended', 'call-settled');
      create table rows(
        space text not null, tenant text not null, key text not null, version integer not null, body text not null, due_ms integer,
        primary key(space, tenant, key)) without rowid;
      create index rows_due on rows(space, due_ms) where due_ms is not null;
      create table counters(
        space text not null, tenant text not null, key text not null, value integer not null, due_ms integer,
        primary key(space, tenant, key)) without rowid;`,
  },
  { version: 2, oldestServed: 2, before: bringInChanges, sql: schema2 },
];

/** What a new file is born with. */
export interface Birth {
  readonly writer: string;
  readonly atMs: number;
}

/** Refuses a file that is not a store of ours, without changing it. An empty or absent file passes. */
export function refuseForeignFile(db: DatabaseSync, path: string): void {
  let foundId: number;
  let tableCount: number;
  try {
    foundId = pragmaNumber(db, "application_id");
    tableCount = Number(db.prepare("select count(*) as count from sqlite_schema").get()?.["count"]);
  } catch (cause) {
    throw configProblem(`\`${path}\` is not a SQLite file, or is damaged; name another path or restore a backup`, cause);
  }
  if (foundId !== applicationId && (foundId !== 0 || tableCount > 0))
    throw configProblem(`\`${path}\` is a SQLite file of another program; name a path of its own for the store`);
}

/** Brings the file to the newest schema that this program knows, in one transaction. Refuses one that is too new. */
export function migrate(db: DatabaseSync, path: string, birth: Birth, steps: readonly Migration[] = migrations): void {
  const found = pragmaNumber(db, "user_version");
  const known = steps.at(-1)?.version ?? 0;
  if (found > known) {
    refuseTooNew(db, path, known);
    return;
  }
  if (found === known) return;
  db.exec("begin immediate");
  try {
    for (const step of steps.filter(({ version }) => version > found)) {
      step.before?.(db);
      db.exec(step.sql);
      db.exec(`pragma user_version = ${step.version}`);
      writeMeta(db, "oldest-served", String(step.oldestServed));
    }
    if (found === 0) bear(db, birth);
    db.exec("commit");
  } catch (error) {
    db.exec("rollback");
    throw error;
  }
}

/** Refuses a file whose schema this program is too old for. Reading needs the same as writing. */
export function refuseTooNew(db: DatabaseSync, path: string, known: number = migrations.length): void {
  const found = pragmaNumber(db, "user_version");
  const oldestServed = Number(readMeta(db, "oldest-served") ?? found);
  if (found > known && oldestServed > known)
    throw configProblem(
      `\`${path}\` has schema ${found}, which serves programs that know schema ${oldestServed} or later; this one knows ${known}: use a newer Signalbox`,
    );
}

function bear(db: DatabaseSync, birth: Birth): void {
  db.exec(`pragma application_id = ${applicationId}`);
  writeMeta(db, "writer", birth.writer);
  db.prepare("insert into epochs(epoch, last_seq, head, opened_ms, reason) values(1, 0, ?, ?, 'created')").run(zeroHead, birth.atMs);
}

/** A text of the file's own table of settings. */
export function readMeta(db: DatabaseSync, name: string): string | undefined {
  const value = db.prepare("select value from meta where name = ?").get(name)?.["value"];
  return typeof value === "string" ? value : undefined;
}

/** Sets such a text. */
export function writeMeta(db: DatabaseSync, name: string, value: string): void {
  db.prepare("insert into meta(name, value) values(?, ?) on conflict do update set value = excluded.value").run(name, value);
}

/** The number that a pragma of that name answers. */
export function pragmaNumber(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`pragma ${name}`).get()?.[name]);
}

/** A store that cannot be opened as configured. */
export function configProblem(message: string, cause?: unknown): ToolCallError {
  return toolCallError("CONFIG_INVALID", message, { cause });
}
