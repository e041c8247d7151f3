import { defaultLimits } from "../base/limits.ts";
import type { Queryable } from "./postgres-driver.ts";
import { storedText } from "./postgres-wire.ts";
import type { DueQuery, Store } from "./store.ts";

/** The store's slow chores, but for backups. */
export type PostgresMaintenance = Pick<Store, "dropEntries" | "purge">;

/** Rows that somebody holds are left for the next time, so that a chore never waits while it holds what others wait for. */
const purgeOf = (table: string): string => `delete from signalbox.${table} where ctid = any(array(
    select ctid from signalbox.${table} where space = $1 and due_ms is not null and due_ms <= $2 order by due_ms limit $3 for update skip locked))
  returning 1`;
const purgeRows = purgeOf("rows");
const purgeCounters = purgeOf("counters");

/** The end of the slice that goes next: whole batches only, about as many entries as a slice may have, at least one batch. */
const sliceEnd = `with first as (select min(seq) as seq from signalbox.entries where epoch = $1 and writer = $2)
  select coalesce(
    (select max(e.seq) from signalbox.entries e, first
      where e.epoch = $1 and e.writer = $2 and e.batch_count is not null and e.seq <= least($3::bigint, first.seq + $4)),
    (select min(e.seq) from signalbox.entries e where e.epoch = $1 and e.writer = $2 and e.batch_count is not null and e.seq <= $3))`;
const dropSlice = "delete from signalbox.entries where epoch = $1 and writer = $2 and seq <= $3 returning 1";

/** Chores in slices of at most `storeSliceRowsMax`, each a transaction of its own. The heads of chains stand apart and stay. */
export function postgresMaintenance(target: Queryable): PostgresMaintenance {
  const sliceMax = defaultLimits.storeSliceRowsMax;

  async function purgeTable(sql: string, { space, untilMs, limit }: DueQuery): Promise<number> {
    let count = 0;
    while (count < limit) {
      const wanted = Math.min(sliceMax, limit - count);
      const gone = (await target.query(sql, [storedText(space), untilMs, wanted])).length;
      count += gone;
      if (gone < wanted) break;
    }
    return count;
  }

  return {
    async dropEntries({ writer, epoch, throughSeq }) {
      let count = 0;
      for (;;) {
        const [[end] = []] = await target.query(sliceEnd, [epoch, writer, throughSeq, sliceMax]);
        if (typeof end !== "number") return count;
        count += (await target.query(dropSlice, [epoch, writer, end])).length;
      }
    },
    async purge(query) {
      const rowCount = await purgeTable(purgeRows, query);
      return rowCount + (await purgeTable(purgeCounters, { ...query, limit: query.limit - rowCount }));
    },
  };
}
