import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../base/clock.ts";
import { createIdSource } from "../base/ids.ts";
import { defaultLimits } from "../base/limits.ts";
import { systemRandom, type Random } from "../base/random.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { rowId } from "./row-key.ts";
import { ChangeLog, readChanges } from "./sqlite-changes.ts";
import { createCheckpointer, type Checkpointer } from "./sqlite-checkpoint.ts";
import { GroupWriter } from "./sqlite-group.ts";
import { takeWriterLock, type WriterLock } from "./sqlite-lock.ts";
import { createMaintenance } from "./sqlite-maintenance.ts";
import { createOffload, type Offload } from "./sqlite-offload.ts";
import { openReading, openWriting, provenHead, storePath } from "./sqlite-open.ts";
import { isQuickEntryQuery, sqliteQueries, type SqliteQueries } from "./sqlite-read.ts";
import { createReader, dueOver, scanOver, type StoreReader } from "./sqlite-reader.ts";
import { migrate, readMeta } from "./sqlite-schema.ts";
import { SqliteState } from "./sqlite-state.ts";
import type { CommitResult, RowKey, Store, Unit } from "./store.ts";

/** What a SQLite store needs. */
export interface SqliteStoreOptions {
  /** The store's file; made if absent. `-wal`, `-shm`, `-lock` and `-lock.pid` files stand beside it. */
  readonly path: string;
  readonly clock: Clock;
  /** Default the operating system's. Only the id of a new file's writer comes from it. */
  readonly random?: Random;
  /** The file may grow to this many bytes; beyond it writes are refused and nothing of them holds. Default no bound but the disk. */
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
  const { db, queries } = openReading(storePath(options.path), defaultLimits.storeBusyMs);
  return createReader(db, queries);
}

function openHandle(file: OpenFile): SqliteStore {
  file.handleCount += 1;
  let closing: Promise<void> | undefined;
  const { store } = file;
  const live = (): SqliteStore => {
    if (closing !== undefined) throw toolCallError("SHUTTING_DOWN", "the store is closed; open it again before using it");
    return store;
  };
  return {
    kind: store.kind,
    survivesRestart: store.survivesRestart,
    writer: store.writer,
    epoch: store.epoch,
    restored: store.restored,
    read: async (keys) => live().read(keys),
    scan: async (range) => live().scan(range),
    due: async (query) => live().due(query),
    counters: async (keys) => live().counters(keys),
    commit: async (unit) => live().commit(unit),
    entries: async (query) => live().entries(query),
    batches: async (query) => live().batches(query),
    writers: async () => live().writers(),
    dropEntries: async (drop) => live().dropEntries(drop),
    purge: async (query) => live().purge(query),
    backup: async (path) => live().backup(path),
    check: async () => live().check(),
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
  readonly db: DatabaseSync;
  readonly lock: WriterLock;
  readonly queries: SqliteQueries;
  readonly state: SqliteState;
  readonly log: ChangeLog;
  readonly group: GroupWriter;
  readonly offload: Offload;
  readonly checkpointer: Checkpointer;
}

function openFile(path: string, options: SqliteStoreOptions): SqliteStore {
  const lock = takeWriterLock(path);
  let db: DatabaseSync | undefined;
  try {
    db = openWriting(path, defaultLimits.storeBusyMs, options.fileBytesMax);
    const atMs = options.clock.now();
    migrate(db, path, { writer: createIdSource(options.clock, options.random ?? systemRandom).next("writer"), atMs });
    return assemble(path, db, lock);
  } catch (error) {
    db?.close();
    lock.release();
    throw error;
  }
}

/** The log of changes, with what an earlier process left in it; that is brought in with the next changes. */
function openChangeLog(db: DatabaseSync, lastSeq: number): ChangeLog {
  const log = new ChangeLog(db, { heldMax: defaultLimits.storeChangesHeldMax, sliceMax: defaultLimits.storeSliceRowsMax });
  const lastId = Number(db.prepare("select coalesce(max(id), 0) as id from changes").get()?.["id"]);
  log.takeUp(readChanges(db), lastId, lastSeq);
  return log;
}

function assemble(path: string, db: DatabaseSync, lock: WriterLock): SqliteStore {
  const queries = sqliteQueries(db);
  const head = provenHead(queries, path);
  const log = openChangeLog(db, head.seq);
  const state = new SqliteState(queries, log, defaultLimits.storeCacheRowsMax);
  const offload = createOffload(path, defaultLimits.storeBusyMs);
  const checkpointer = createCheckpointer(db, offload, defaultLimits.checkpointLogPagesMax, defaultLimits.checkpointRestPagesMax);
  const onWritten = (unitCount: number): void => checkpointer.written(unitCount);
  const group = new GroupWriter({ db, state, log, head, unitsMax: defaultLimits.groupUnitsMax, onWritten });
  const restored = readMeta(db, "restored");
  return {
    kind: "sqlite",
    survivesRestart: true,
    writer: head.writer,
    epoch: head.epoch,
    restored: restored === undefined ? undefined : (JSON.parse(restored) as RestoreRecord),
    ...storeMethods({ db, lock, queries, state, log, group, offload, checkpointer }),
  };
}

/** Answers wait until what they could rest on is on disk: nobody is shown what might still be lost. */
function storeMethods(parts: Parts): Omit<SqliteStore, "kind" | "survivesRestart" | "writer" | "epoch" | "restored"> {
  const { db, lock, queries, state, log, group, offload, checkpointer } = parts;
  const maintenance = createMaintenance({ db, state, group, offload });
  const inlineRowsMax = defaultLimits.storeInlineRowsMax;
  const settledFor = async (keys: readonly RowKey[]): Promise<void> => {
    if (state.isDirty(keys)) await group.settled();
  };
  return {
    async read(keys) {
      await settledFor(keys);
      return keys.map((key) => state.read(key));
    },
    async scan(range) {
      await group.settled();
      if (range.limit <= inlineRowsMax) return scanOver(log.rows, queries, range);
      group.flushWhole();
      return offload.run({ kind: "scan", range });
    },
    async due(query) {
      await group.settled();
      if (query.limit <= inlineRowsMax) return dueOver(log.rows, queries, query);
      group.flushWhole();
      return offload.run({ kind: "due", query });
    },
    async counters(keys) {
      await settledFor(keys);
      return keys.map((key) => state.value(rowId(key), key));
    },
    commit: (unit) => group.commit(unit),
    async entries(query) {
      await group.settled();
      return isQuickEntryQuery(query, inlineRowsMax) ? queries.entries(query) : offload.run({ kind: "entries", query });
    },
    async batches(query) {
      await group.settled();
      return offload.run({ kind: "batches", query });
    },
    async writers() {
      await group.settled();
      return queries.writers();
    },
    ...maintenance,
    async close() {
      group.flush();
      group.tidyUp();
      await checkpointer.idle();
      await offload.close();
      if (db.isOpen) db.close();
      lock.release();
    },
  };
}
