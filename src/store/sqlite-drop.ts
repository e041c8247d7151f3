import type { DatabaseSync } from "node:sqlite";
import { defaultLimits } from "../base/limits.ts";

/**
 * Drops whole batches, about a slice of entries, in a transaction of its own, and keeps the head of the chain where the batch that held it may now be
 * gone. Returns how many entries went.
 */
export function dropBatches(db: DatabaseSync, epoch: number, throughSeq: number): number {
  // A segment that a tombstone calls dropped must not come back.
  db.exec("pragma synchronous = full");
  db.exec("begin immediate");
  try {
    const count = drop(db, epoch, throughSeq);
    db.exec("commit");
    return count;
  } catch (cause) {
    if (db.isTransaction) db.exec("rollback");
    throw cause;
  }
}

function drop(db: DatabaseSync, epoch: number, throughSeq: number): number {
  const first = db.prepare("select min(id) as id from entries").get()?.["id"];
  if (typeof first !== "number") return 0;
  const ends = "from entries where epoch = ? and id <= ? and batch_count is not null order by id";
  const end =
    db.prepare(`select id, batch_head ${ends} desc limit 1`).get(epoch, Math.min(throughSeq, first + defaultLimits.storeSliceRowsMax)) ??
    db.prepare(`select id, batch_head ${ends} asc limit 1`).get(epoch, throughSeq);
  if (end === undefined) return 0;
  const { id, batch_head: head } = end as { readonly id: number; readonly batch_head: string };
  db.prepare("update epochs set last_seq = ?, head = ? where epoch = ? and last_seq < ?").run(id, head, epoch, id);
  for (const [table, column] of [
    ["entry_calls", "call_id"],
    ["entry_sessions", "session_id"],
  ] as const) {
    db.prepare(
      `delete from ${table} where (${column}, id) in (select ${column}, id from entries where epoch = ? and id <= ? and ${column} is not null)`,
    ).run(epoch, id);
  }
  return Number(db.prepare("delete from entries where epoch = ? and id <= ?").run(epoch, id).changes);
}
