import type { Limits } from "../../base/limits.ts";
import type { Entry, EntryQuery, Store } from "../../store/store.ts";

/** Which part of the ledger is read in the order of time. */
export interface TimedQuery {
  readonly store: Pick<Store, "entries" | "writers">;
  readonly limits: Pick<Limits, "verifyPageEntries">;
  /** Default every tenant. */
  readonly tenant?: string | undefined;
  readonly sinceMs: number;
}

interface Cursor {
  readonly writer: string;
  readonly epoch: number;
  page: readonly Entry[];
  index: number;
}

/** Entries of all writers, merged by their clocks, page by page; one writer's own order is never changed. */
export async function* entriesInTime(query: TimedQuery): AsyncGenerator<Entry> {
  let cursors: Cursor[] = [];
  for (const { writer, epoch } of await query.store.writers()) {
    const cursor: Cursor = { writer, epoch, page: [], index: 0 };
    if (await turnPage(query, cursor)) cursors.push(cursor);
  }
  while (cursors.length > 0) {
    const first = cursors.reduce((left, right) => (atMsOf(right) < atMsOf(left) ? right : left));
    yield first.page[first.index] as Entry;
    first.index += 1;
    if (first.index >= first.page.length && !(await turnPage(query, first))) cursors = cursors.filter((cursor) => cursor !== first);
  }
}

function atMsOf({ page, index }: Cursor): number {
  return (page[index] as Entry).atMs;
}

async function turnPage({ store, tenant, sinceMs, limits }: TimedQuery, cursor: Cursor): Promise<boolean> {
  const { writer, epoch } = cursor;
  const asked: EntryQuery = {
    writer,
    epoch,
    afterSeq: cursor.page.at(-1)?.seq ?? 0,
    sinceMs,
    limit: limits.verifyPageEntries,
    ...(tenant !== undefined && { tenant }),
  };
  cursor.page = await store.entries(asked);
  cursor.index = 0;
  return cursor.page.length > 0;
}
