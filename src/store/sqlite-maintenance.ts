import { existsSync } from "node:fs";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { defaultLimits } from "../base/limits.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { writeProblem, type GroupWriter } from "./sqlite-group.ts";
import type { Offload } from "./sqlite-offload.ts";
import type { SqliteState } from "./sqlite-state.ts";
import type { DueQuery, RowKey, Store } from "./store.ts";

/** What maintenance works on. */
export interface MaintenanceOptions {
  readonly db: DatabaseSync;
  readonly state: SqliteState;
  readonly group: GroupWriter;
  readonly offload: Offload;
}

/** The store's slow chores. */
export type Maintenance = Pick<Store, "dropEntries" | "purge" | "backup"> & { check(): Promise<readonly string[]> };

const purgeRows = `delete from rows where (space, tenant, key) in
  (select space, tenant, key from rows where space = ? and due_ms is not null and due_ms <= ? order by due_ms limit ?) returning space, tenant, key`;
const purgeCounter = "delete from counters where space = ? and tenant = ? and key = ? and due_ms <= ? returning space, tenant, key";

/**
 * Chores on the one connection that writes go in slices with a turn of the event loop between them, so that calls never wait longer than a slice;
 * what only reads goes to the worker.
 */
export function createMaintenance({ db, state, group, offload }: MaintenanceOptions): Maintenance {
  const sliceMax = defaultLimits.storeSliceRowsMax;

  /** Runs one slice in a transaction of its own. The open group goes first, because its units were decided on what is there now. */
  function slice<Value>(work: () => Value): Value {
    group.flushWhole();
    try {
      db.exec("begin immediate");
      const value = work();
      db.exec("commit");
      return value;
    } catch (cause) {
      if (db.isTransaction) db.exec("rollback");
      throw writeProblem(cause);
    }
  }

  function deleteReturning(sql: string, values: readonly SQLInputValue[]): number {
    const gone = db.prepare(sql).all(...values) as unknown as RowKey[];
    for (const key of gone) state.forget(key);
    return gone.length;
  }

  async function purgeDueRows(space: string, untilMs: number, limit: number): Promise<number> {
    let count = 0;
    while (count < limit) {
      const wanted = Math.min(sliceMax, limit - count);
      const gone = slice(() => deleteReturning(purgeRows, [space, untilMs, wanted]));
      count += gone;
      if (gone < wanted) break;
      await nextTurn();
    }
    return count;
  }

  async function purgeDueCounters(space: string, untilMs: number, limit: number): Promise<number> {
    if (limit <= 0) return 0;
    const keys = await dueCounters(group, offload, { space, untilMs, limit });
    let count = 0;
    for (let start = 0; start < keys.length; start += sliceMax) {
      const part = keys.slice(start, start + sliceMax);
      count += slice(() => part.reduce((sum, key) => sum + deleteReturning(purgeCounter, [key.space, key.tenant, key.key, untilMs]), 0));
      await nextTurn();
    }
    return count;
  }

  return {
    async dropEntries({ writer, epoch, throughSeq }) {
      if (writer !== group.head.writer) return 0;
      let count = 0;
      for (;;) {
        const gone = slice(() => dropSlice(db, epoch, throughSeq));
        if (gone === 0) return count;
        count += gone;
        await nextTurn();
      }
    },
    async purge({ space, untilMs, limit }) {
      const rowCount = await purgeDueRows(space, untilMs, limit);
      return rowCount + (await purgeDueCounters(space, untilMs, limit - rowCount));
    },
    async backup(path) {
      if (existsSync(path)) throw toolCallError("REQUEST_INVALID", `\`${path}\` exists already; name a new file for the backup`);
      await group.settled();
      await offload.run({ kind: "backup", path });
    },
    check: () => offload.run({ kind: "check" }),
  };
}

function dueCounters(group: GroupWriter, offload: Offload, query: DueQuery): Promise<readonly RowKey[]> {
  // The worker sees only the tables.
  group.flushWhole();
  return offload.run({ kind: "due-counters", query });
}

/** Drops whole batches, about a slice of entries, and keeps the head of the chain where the batch that held it may now be gone. */
function dropSlice(db: DatabaseSync, epoch: number, throughSeq: number): number {
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

/** Lets everything that waits run first. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
