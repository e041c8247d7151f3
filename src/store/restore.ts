import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import { removeLog } from "./log-file.ts";
import { bringInAll, Tables } from "./sqlite-bring-in.ts";
import { takeWriterLock } from "./sqlite-lock.ts";
import { openWriting, provenHead, storePath } from "./sqlite-open.ts";
import { sqliteQueries } from "./sqlite-read.ts";
import { applicationId, configProblem, migrate, pragmaNumber, writeMeta } from "./sqlite-schema.ts";
import type { RestoreRecord } from "./sqlite.ts";

/** What a restore needs. */
export interface RestoreOptions {
  /** A file that `Store.backup` wrote. It is not changed. */
  readonly from: string;
  /** Where the store shall stand. */
  readonly to: string;
  /** Replace a store that stands there. Default false: refused. */
  readonly overwrite?: boolean;
  readonly clock: Clock;
}

/**
 * Puts a backup in place as a new epoch of the same writer: the chain goes on from the backup's head, and whoever opens the file next sees from
 * `restored` that approvals, open intents and keys of the gap can no longer be trusted. Refused while a process writes the target. The file is made
 * ready beside the target and moved over it, so that a crash leaves the old store or the new one.
 */
export function restoreSqlite(options: RestoreOptions): RestoreRecord {
  const to = storePath(options.to);
  const from = storePath(options.from);
  if (from === to) throw configProblem(`\`${options.from}\` cannot be restored onto itself; name another target`);
  if (!existsSync(from)) throw configProblem(`there is no backup at \`${options.from}\`; name a file that \`signalbox backup\` wrote`);
  const lock = takeWriterLock(to);
  const staged = `${to}-restoring`;
  try {
    if (existsSync(to) && options.overwrite !== true)
      throw configProblem(`\`${options.to}\` exists already; name another target, or say that it shall be replaced`);
    removeStore(staged);
    copyFileSync(from, staged);
    const record = openEpoch(staged, lastEpochOf(to), options.clock.now());
    moveOver(staged, to);
    return record;
  } finally {
    removeStore(staged);
    lock.release();
  }
}

/** The epoch of a store that is about to be replaced; the new one must lie after it too. 0 where none can be read. */
function lastEpochOf(path: string): number {
  if (!existsSync(path)) return 0;
  try {
    const db = openWriting(path, defaultLimits.storeBusyMs);
    const queries = sqliteQueries(db);
    const epoch = queries.writers().at(-1)?.epoch ?? 0;
    // Its logs are emptied into it, so that until the very move it is whole without them.
    bringInAll(new Tables(db, queries), path);
    db.exec("pragma wal_checkpoint(truncate)");
    db.close();
    return epoch;
  } catch {
    // A store so damaged that its epoch cannot be read is the usual reason to restore; the backup's own epoch counts then.
    return 0;
  }
}

function openEpoch(path: string, replacedEpoch: number, atMs: number): RestoreRecord {
  const db = openWriting(path, defaultLimits.storeBusyMs);
  try {
    if (pragmaNumber(db, "application_id") !== applicationId)
      throw configProblem("the backup is empty; name a file that `signalbox backup` wrote");
    migrate(db, path, { writer: "", atMs });
    const head = provenHead(sqliteQueries(db), path);
    const record = { epoch: Math.max(head.epoch, replacedEpoch) + 1, atMs, lastSeq: head.seq };
    writeEpoch(db, head.epoch, head.head, record);
    db.exec("pragma wal_checkpoint(truncate)");
    return record;
  } finally {
    db.close();
  }
}

function writeEpoch(db: DatabaseSync, closedEpoch: number, head: string, record: RestoreRecord): void {
  db.exec("begin immediate");
  db.prepare("update epochs set last_seq = ?, head = ? where epoch = ?").run(record.lastSeq, head, closedEpoch);
  db.prepare("insert into epochs(epoch, last_seq, head, opened_ms, reason) values(?, ?, ?, ?, 'restored')").run(
    record.epoch,
    record.lastSeq,
    head,
    record.atMs,
  );
  writeMeta(db, "restored", JSON.stringify(record));
  db.exec("commit");
}

function moveOver(staged: string, to: string): void {
  syncPath(staged);
  // The old store's logs belong to the old file and would be applied to the new one.
  for (const ending of ["-wal", "-shm"]) rmSync(to + ending, { force: true });
  removeLog(to);
  renameSync(staged, to);
  syncPath(dirname(to));
}

function syncPath(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}

function removeStore(path: string): void {
  for (const ending of ["", "-wal", "-shm"]) rmSync(path + ending, { force: true });
}
