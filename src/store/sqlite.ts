import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../base/clock.ts";
import { createIdSource } from "../base/ids.ts";
import { defaultLimits } from "../base/limits.ts";
import { systemRandom, type Random } from "../base/random.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { CommitLog } from "./log-writer.ts";
import { rowId } from "./row-key.ts";
import { bringInAll, bringInThrough, Tables, type Round } from "./sqlite-bring-in.ts";
import { GroupWriter } from "./sqlite-group.ts";
import { Intake } from "./sqlite-intake.ts";
import { takeWriterLock, type WriterLock } from "./sqlite-lock.ts";
import { createMaintenance } from "./sqlite-maintenance.ts";
import { createOffload, type Offload } from "./sqlite-offload.ts";
import { openReading, openWriting, provenHead, storePath, usedBytes } from "./sqlite-open.ts";
import { isQuickEntryQuery, sqliteQueries, type SqliteQueries } from "./sqlite-read.ts";
import { createReader, dueOver, scanOver, type StoreReader } from "./sqlite-reader.ts";
import { migrate, readMeta } from "./sqlite-schema.ts";
import { SqliteState } from "./sqlite-state.ts";
import type { CommitResult, RowKey, Store, Unit } from "./store.ts";

/** What a SQLite store needs. */
export interface SqliteStoreOptions {
  /** The store's file; made if absent. `-log-1`, `-log-2`, `-wal`, `-shm`, `-lock` and `-lock.pid` files stand beside it while it is open. */
  readonly path: string;
  readonly clock: Clock;
  /** Default the operating system's. Only the id of a new file's writer comes from it. */
  readonly random?: Random;
  /** The store may grow to about this many bytes; beyond it writes are refused and nothing of them holds. Default no bound but the disk. */
  readonly fileBytesMax?: number;
}

/** That the file came from a backup: the ledger records it as the first entry of the new epoch. */
export interface RestoreRecord {
  /** The epoch that the restore opened. */
  readonly epoch: number;
  readonly atMs: number;
  /** Last sequence number of the backup; what came after it is lost. */
  readonly lastSeq: number;
}

/** A SQLite store, with what only a file has. */
export interface SqliteStore extends Store {
  readonly writer: string;
  readonly epoch: number;
  recalls(key: RowKey): boolean;
  commit(unit: Unit): Promise<CommitResult>;
  /** The latest restore of this file, if there was one. */
  readonly restored: RestoreRecord | undefined;
  /** SQLite's own check of the file's structure, on the worker thread: what is wrong, nothing when all is well. */
  check(): Promise<readonly string[]>;
}

export type { StoreReader };

/** One open file; several handles of this process may share it. */
interface OpenFile {
  readonly path: string;
  readonly store: SqliteStore;
  handleCount: number;
}

const openFiles = new Map<string, OpenFile>();

/**
 * Opens a store file for writing. One process may write a file at a time (`CONFIG_INVALID` names the holder); a second open in this process shares
 * the first one's connection, whose options hold, and the last close closes it.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const path = storePath(options.path);
  let file = openFiles.get(path);
  if (file === undefined) {
    file = { path, store: openFile(path, options), handleCount: 0 };
    openFiles.set(path, file);
  }
  return openHandle(file);
}

/** Opens a store file to read it while another process may write it. */
export function openSqliteReader(options: { readonly path: string }): StoreReader {
  const path = storePath(options.path);
  return createReader({ path, ...openReading(path, defaultLimits.storeBusyMs) });
}

function openHandle(file: OpenFile): SqliteStore {
  file.handleCount += 1;
  let closing: Promise<void> | undefined;
  const { store } = file;
  const live = <Value>(work: (open: SqliteStore) => Promise<Value>): Promise<Value> =>
    closing === undefined
      ? work(store)
      : Promise.reject(toolCallError("SHUTTING_DOWN", "the store is closed; open it again before using it"));
  return {
    kind: store.kind,
    survivesRestart: store.survivesRestart,
    writer: store.writer,
    epoch: store.epoch,
    restored: store.restored,
    recalls: (key) => closing === undefined && store.recalls(key),
    read: (keys) => live((open) => open.read(keys)),
    scan: (range) => live((open) => open.scan(range)),
    due: (query) => live((open) => open.due(query)),
    counters: (keys) => live((open) => open.counters(keys)),
    commit: (unit) => live((open) => open.commit(unit)),
    entries: (query) => live((open) => open.entries(query)),
    batches: (query) => live((open) => open.batches(query)),
    writers: () => live((open) => open.writers()),
    dropEntries: (drop) => live((open) => open.dropEntries(drop)),
    purge: (query) => live((open) => open.purge(query)),
    backup: (path) => live((open) => open.backup(path)),
    check: () => live((open) => open.check()),
    close() {
      closing ??= closeHandle(file);
      return closing;
    },
  };
}

async function closeHandle(file: OpenFile): Promise<void> {
  file.handleCount -= 1;
  if (file.handleCount > 0) return;
  openFiles.delete(file.path);
  await file.store.close();
}

/** The parts of an open file. */
interface Parts {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly lock: WriterLock;
  readonly queries: SqliteQueries;
  readonly tables: Tables;
  readonly state: SqliteState;
  readonly log: CommitLog;
  readonly intake: Intake;
  readonly group: GroupWriter;
  readonly offload: Offload;
}

function openFile(path: string, options: SqliteStoreOptions): SqliteStore {
  const lock = takeWriterLock(path);
  let db: DatabaseSync | undefined;
  try {
    db = openWriting(path, defaultLimits.storeBusyMs);
    const random = options.random ?? systemRandom;
    migrate(db, path, { writer: createIdSource(options.clock, random).next("writer"), atMs: options.clock.now() });
    const queries = sqliteQueries(db);
    provenHead(queries, path);
    const tables = new Tables(db, queries);
    bringInAll(tables, path);
    return assemble({ path, db, lock, queries, tables }, { random, bytesMax: options.fileBytesMax });
  } catch (error) {
    db?.close();
    lock.release();
    throw error;
  }
}

function assemble(
  opened: Pick<Parts, "path" | "db" | "lock" | "queries" | "tables">,
  { random, bytesMax }: { readonly random: Random; readonly bytesMax: number | undefined },
): SqliteStore {
  const { path, db, queries, tables } = opened;
  const { storeBusyMs: busyMs, storeLogBytesMax: logBytes, storeInlineBytesMax: inlineBytesMax, ...limits } = defaultLimits;
  const { head, lastFrame } = tables;
  const owner = { writer: head.writer, epoch: head.epoch };
  const log = new CommitLog({ path, owner, lastFrame, fileBytesMax: logBytes, mode: statSync(path).mode & 0o777, random });
  const offload = createOffload({ path, owner, busyMs });
  const bringInHere = (round: Round): number => bringInThrough(db, tables, { path, owner }, round);
  const intake = new Intake({ log, offload, bringInHere, roundBytes: logBytes, inlineBytesMax, fileBytes: usedBytes(db) });
  const state = new SqliteState(queries, intake.overlay, limits.storeCacheRowsMax);
  const group = new GroupWriter({ state, intake, position: head, unitsMax: limits.groupUnitsMax, charsMax: logBytes / 2, bytesMax });
  const restored = readMeta(db, "restored");
  return {
    kind: "sqlite",
    survivesRestart: true,
    writer: head.writer,
    epoch: head.epoch,
    restored: restored === undefined ? undefined : (JSON.parse(restored) as RestoreRecord),
    ...storeMethods({ ...opened, state, log, intake, group, offload }, head.writer),
  };
}

/** Answers wait until what they could rest on is on disk: nobody is shown what might still be lost. */
function storeMethods(parts: Parts, writer: string): Omit<SqliteStore, "kind" | "survivesRestart" | "writer" | "epoch" | "restored"> {
  const { queries, state, intake, group, offload } = parts;
  const inlineRowsMax = defaultLimits.storeInlineRowsMax;
  const settledFor = async (keys: readonly RowKey[]): Promise<void> => {
    if (state.isDirty(keys)) await group.settled();
  };
  /** Whoever asks the tables alone finds all there is. */
  const inTables = async (): Promise<void> => {
    await group.settled();
    await intake.whole();
  };
  return {
    recalls: (key) => state.recalls(key),
    async read(keys) {
      await settledFor(keys);
      return keys.map((key) => state.read(key));
    },
    async scan(range) {
      await group.settled();
      if (range.limit <= inlineRowsMax) return scanOver(intake.overlay.rows, queries, range);
      await intake.whole();
      return offload.run({ kind: "scan", range });
    },
    async due(query) {
      await group.settled();
      if (query.limit <= inlineRowsMax) return dueOver(intake.overlay.rows, queries, query);
      await intake.whole();
      return offload.run({ kind: "due", query });
    },
    async counters(keys) {
      await settledFor(keys);
      return keys.map((key) => state.value(rowId(key), key));
    },
    commit: (unit) => group.commit(unit),
    async entries(query) {
      await inTables();
      return isQuickEntryQuery(query, inlineRowsMax) ? queries.entries(query) : offload.run({ kind: "entries", query });
    },
    async batches(query) {
      await inTables();
      return offload.run({ kind: "batches", query });
    },
    async writers() {
      await inTables();
      return queries.writers();
    },
    ...createMaintenance({ writer, queries, group, intake, offload }),
    close: () => closeParts(parts),
  };
}

async function closeParts({ path, db, lock, tables, log, intake, group, offload }: Parts): Promise<void> {
  group.flush();
  await group.settled();
  await intake.idle();
  await offload.close();
  log.close();
  try {
    // The file alone is the store then, and the next start is quick.
    bringInAll(tables, path);
  } catch {
    // A full disk, for one. What is in the log stays there for the next start.
  }
  db.close();
  lock.release();
}
