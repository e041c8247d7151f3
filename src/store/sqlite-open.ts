import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import { sealBatch } from "./seal.ts";
import { configProblem, pragmaNumber, refuseForeignFile, refuseTooNew } from "./sqlite-schema.ts";
import { sqliteQueries, type SqliteQueries } from "./sqlite-read.ts";
import type { WriterHead } from "./store.ts";

/** The one true path of a store file, so that two spellings of it meet. The file itself need not exist, its folder must. */
export function storePath(path: string): string {
  if (path === "" || path.startsWith(":")) throw configProblem(`\`${path}\` names no file; give the store a path, or use \`memory\``);
  try {
    return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
  } catch (cause) {
    throw configProblem(`the folder of \`${path}\` does not exist; create it first`, cause);
  }
}

/**
 * An entry of a call takes more than half a page of 4,096 bytes, whose rest stays empty. A file that has something in it keeps the pages that it was made with.
 *
 * @see SQLite, "PRAGMA page_size".
 */
const pageBytes = 8_192;

/** Opens a store file to write. Refuses files of others before anything is changed in them. */
export function openWriting(path: string, busyMs: number): DatabaseSync {
  const db = openDatabase(path, { timeout: busyMs });
  try {
    refuseForeignFile(db, path);
    db.exec(`pragma page_size = ${pageBytes}; pragma journal_mode = wal`);
    const pages = defaultLimits.checkpointLogPagesMax;
    db.exec(`pragma synchronous = full; pragma cache_size = -65536; pragma wal_autocheckpoint = ${pages}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Bytes of the file that hold something; what was freed in it is used again. */
export function usedBytes(db: DatabaseSync): number {
  return (pragmaNumber(db, "page_count") - pragmaNumber(db, "freelist_count")) * pragmaNumber(db, "page_size");
}

/** Opens an existing store file to read only. */
export function openReading(path: string, busyMs: number): { readonly db: DatabaseSync; readonly queries: SqliteQueries } {
  if (!existsSync(path)) throw configProblem(`there is no store at \`${path}\`; start a writer first, or name another path`);
  const db = openDatabase(path, { readOnly: true, timeout: busyMs });
  try {
    refuseForeignFile(db, path);
    refuseTooNew(db, path);
    return { db, queries: sqliteQueries(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDatabase(path: string, options: { readonly readOnly?: boolean; readonly timeout: number }): DatabaseSync {
  try {
    return new DatabaseSync(path, options);
  } catch (cause) {
    throw configProblem(`\`${path}\` cannot be opened; check that it is a file that this user may read and write`, cause);
  }
}

/**
 * Where the chain stands. The last batch is sealed anew from its entries and must come out the same: a file that was changed or damaged at its end
 * is refused, since whatever is written next would be chained to it.
 */
export function provenHead(queries: SqliteQueries, path: string): WriterHead {
  const head = queries.writers().at(-1);
  if (head === undefined) throw configProblem(`\`${path}\` has no epoch; restore a backup`);
  const [last] = queries.entries({ newestFirst: true, limit: 1 });
  if (last === undefined) return head;
  const batch = queries
    .batches({
      writer: head.writer,
      epoch: last.epoch,
      afterSeq: last.seq - fixedBounds.batchEntriesMax,
      limit: fixedBounds.batchEntriesMax,
    })
    .at(-1);
  if (batch === undefined || batch.firstSeq + batch.count - 1 !== last.seq) throw damaged(path);
  const texts = queries.entries({ afterSeq: batch.firstSeq - 1, limit: batch.count }).map(({ text }) => text);
  if (
    texts.length !== batch.count ||
    sealBatch({ ...head, epoch: batch.epoch, seq: batch.firstSeq }, batch.previous, texts).head !== batch.head
  )
    throw damaged(path);
  return head;
}

function damaged(path: string): Error {
  return configProblem(`the last batch of \`${path}\` does not match its entries: the file was changed or damaged; restore a backup`);
}
