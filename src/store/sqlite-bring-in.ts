/** How frames of the commit log get into their tables: many groups in one transaction, in the order of the tables, what changed several times once. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { hasLog, LogProblem, readFrames, removeLog, type LogOwner } from "./log-file.ts";
import type { ChangedCounter, ChangedRow, Frame } from "./log-frame.ts";
import { latestOf } from "./overlay.ts";
import { sealBatch } from "./seal.ts";
import { usedBytes } from "./sqlite-open.ts";
import type { SqliteQueries } from "./sqlite-read.ts";
import { configProblem, readMeta, writeMeta } from "./sqlite-schema.ts";
import type { Batch, WriterHead } from "./store.ts";

/** The tables of a store file, on the one connection that writes them. */
export class Tables {
  readonly #db: DatabaseSync;
  readonly #queries: SqliteQueries;
  #prepared: Statements | undefined;

  constructor(db: DatabaseSync, queries: SqliteQueries) {
    this.#db = db;
    this.#queries = queries;
  }

  /** Number of the last frame that is in the tables. */
  get lastFrame(): number {
    return lastFrameIn(this.#db);
  }

  /** Where the chain stands. */
  get head(): WriterHead {
    return this.#queries.writers().at(-1) as WriterHead;
  }

  /**
   * Brings frames in, and with them the number of the last, all or nothing. Throws SQLite's error, or a `LogProblem` where they do not follow.
   *
   * @param isDurable whether this, and what was brought in before, must survive a loss of power when it returns. Otherwise the log has to be kept: after
   * such a loss the tables stand where they stood some time before, and say so.
   */
  bringIn(frames: readonly Frame[], isDurable: boolean): void {
    if (frames.length === 0 && !isDurable) return;
    this.#db.exec(`pragma synchronous = ${isDurable ? "full" : "normal"}`);
    this.#db.exec("begin immediate");
    try {
      const fromSeq = this.head.seq;
      this.#append(frames);
      this.#refer(fromSeq);
      this.#change(frames);
      // Written in any case, because a transaction that writes nothing waits for no disk.
      writeMeta(this.#db, lastFrameName, String(frames.at(-1)?.number ?? this.lastFrame));
      this.#db.exec("commit");
    } catch (cause) {
      if (this.#db.isTransaction) this.#db.exec("rollback");
      throw cause;
    }
  }

  get #statements(): Statements {
    // Most stores that are opened bring nothing in.
    this.#prepared ??= prepare(this.#db);
    return this.#prepared;
  }

  /** The entries of each frame are sealed as one batch, onto the chain as it stands. */
  #append(frames: readonly Frame[]): void {
    let { head } = this;
    for (const { number, epoch, firstSeq, drafts, texts } of frames) {
      if (texts.length === 0) continue;
      if (epoch !== head.epoch || firstSeq !== head.seq + 1)
        throw new LogProblem(`frame ${number} begins with entry ${firstSeq} of epoch ${epoch}, not with ${head.seq + 1} of ${head.epoch}`);
      const batch = sealBatch({ writer: head.writer, epoch, seq: firstSeq }, head.head, texts);
      for (const [index, draft] of drafts.entries())
        this.#putEntry(firstSeq + index, epoch, draft, texts[index] as string, index === drafts.length - 1 ? batch : undefined);
      head = { ...head, seq: head.seq + texts.length, head: batch.head };
    }
  }

  #putEntry(seq: number, epoch: number, draft: Frame["drafts"][number], text: string, batch: Batch | undefined): void {
    this.#statements.putEntry.run(
      seq,
      epoch,
      draft.tenant,
      draft.kind,
      draft.atMs,
      draft.callId ?? null,
      draft.sessionId ?? null,
      draft.runId ?? null,
      text,
      draft.sealed ?? null,
      batch?.count ?? null,
      batch?.root ?? null,
      batch?.previous ?? null,
      batch?.head ?? null,
    );
  }

  /** Makes the new entries findable by call and session. */
  #refer(fromSeq: number): void {
    this.#statements.referCalls.run(fromSeq);
    this.#statements.referSessions.run(fromSeq);
  }

  #change(frames: readonly Frame[]): void {
    const { rows, counters } = latestOf(frames);
    for (const [, row] of [...rows].sort(byId)) this.#putRow(row);
    for (const [, counter] of [...counters].sort(byId)) this.#putCounter(counter);
  }

  #putRow({ key, version, text, dueMs }: ChangedRow): void {
    if (version === 0) this.#statements.deleteRow.run(key.space, key.tenant, key.key);
    else this.#statements.putRow.run(key.space, key.tenant, key.key, version, text, dueMs ?? null);
  }

  #putCounter({ key, value, dueMs }: ChangedCounter): void {
    const { deleteCounter, putCounter, putCounterKeepingDue } = this.#statements;
    if (dueMs === undefined) putCounterKeepingDue.run(key.space, key.tenant, key.key, value);
    else if (dueMs !== "none") putCounter.run(key.space, key.tenant, key.key, value, dueMs);
    else if (value === 0) deleteCounter.run(key.space, key.tenant, key.key);
    else putCounter.run(key.space, key.tenant, key.key, value, null);
  }
}

const byId = (left: readonly [string, unknown], right: readonly [string, unknown]): number => (left[0] < right[0] ? -1 : 1);

const lastFrameName = "log-frame";

/** Number of the last frame that is in the tables of this connection's file, 0 before the first. */
export function lastFrameIn(db: DatabaseSync): number {
  return Number(readMeta(db, lastFrameName) ?? 0);
}

/**
 * Brings in what the log of a process that is gone, or of this one before it closes, still holds, and removes the log. The caller has the right to
 * write. `CONFIG_INVALID` where the log is damaged or belongs to another store; nothing was brought in then.
 */
export function bringInAll(tables: Tables, path: string): void {
  if (!hasLog(path)) return;
  try {
    tables.bringIn(readFrames(path, tables.head, { afterFrame: tables.lastFrame }), true);
  } catch (cause) {
    if (cause instanceof LogProblem) throw logDamage(cause);
    throw cause;
  }
  removeLog(path);
}

/** A log that cannot be read as a whole, to whoever wants to use its store. */
export function logDamage(cause: LogProblem): Error {
  return configProblem(`${cause.message}: what was committed last is not whole; restore a backup`, cause);
}

/** How far to bring in, and what it must survive (see `Tables.bringIn`). */
export interface Round {
  readonly throughFrame: number;
  readonly isDurable: boolean;
}

/** Brings in frames of an open log; returns how many bytes of the file are in use then. */
export function bringInThrough(db: DatabaseSync, tables: Tables, { path, owner }: OpenLog, { throughFrame, isDurable }: Round): number {
  tables.bringIn(readFrames(path, owner, { afterFrame: tables.lastFrame, throughFrame }), isDurable);
  return usedBytes(db);
}

/** A log that is being written. */
export interface OpenLog {
  /** Of the store. */
  readonly path: string;
  readonly owner: LogOwner;
}

interface Statements {
  readonly putEntry: StatementSync;
  readonly referCalls: StatementSync;
  readonly referSessions: StatementSync;
  readonly putRow: StatementSync;
  readonly deleteRow: StatementSync;
  readonly putCounter: StatementSync;
  readonly putCounterKeepingDue: StatementSync;
  readonly deleteCounter: StatementSync;
}

// Columns are named, because a newer schema that still serves this program may have more.
function prepare(db: DatabaseSync): Statements {
  return {
    putEntry: db.prepare(`insert into entries(id, epoch, tenant, kind, at_ms, call_id, session_id, run_id, text, sealed,
      batch_count, batch_root, batch_previous, batch_head) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    referCalls: db.prepare(
      "insert into entry_calls(call_id, id) select call_id, id from entries where id > ? and call_id is not null order by 1, 2",
    ),
    referSessions: db.prepare(
      "insert into entry_sessions(session_id, id) select session_id, id from entries where id > ? and session_id is not null order by 1, 2",
    ),
    putRow: db.prepare(`insert into rows(space, tenant, key, version, body, due_ms) values(?, ?, ?, ?, ?, ?)
      on conflict do update set version = excluded.version, body = excluded.body, due_ms = excluded.due_ms`),
    deleteRow: db.prepare("delete from rows where space = ? and tenant = ? and key = ?"),
    putCounter: db.prepare(`insert into counters(space, tenant, key, value, due_ms) values(?, ?, ?, ?, ?)
      on conflict do update set value = excluded.value, due_ms = excluded.due_ms`),
    putCounterKeepingDue: db.prepare(`insert into counters(space, tenant, key, value) values(?, ?, ?, ?)
      on conflict do update set value = excluded.value`),
    deleteCounter: db.prepare("delete from counters where space = ? and tenant = ? and key = ?"),
  };
}
