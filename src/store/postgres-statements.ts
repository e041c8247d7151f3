/** The statements of a group: locking and reading what it touches, and writing what it leaves. */
import type { Connection } from "./postgres-driver.ts";
import type { Lease } from "./postgres-lease.ts";
import { guardedSpaces } from "./postgres-schema-2.ts";
import type { Base, BaseRow, CounterChange, RowChange, Touched, TouchedRow } from "./postgres-state.ts";
import { bytesArray, integerArray, storedText, textArray } from "./postgres-wire.ts";
import type { Batch, EntryDraft, RowKey } from "./store.ts";

/** What a group leaves behind. */
export interface GroupWrite {
  readonly lease: Lease;
  readonly leaseMs: number;
  readonly rows: readonly RowChange[];
  readonly counters: readonly CounterChange[];
  readonly drafts: readonly EntryDraft[];
  readonly texts: readonly string[];
  /** `undefined` when it has no entries. */
  readonly batch: Batch | undefined;
  /** Whether to wait for the database's disk. */
  readonly isDurable: boolean;
}

const lockRows = "select place, version, body, due_ms from signalbox.lock_rows_1($1, $2, $3, $4, $5)";
const lockCounters = "select place, value from signalbox.lock_counters_1($1, $2, $3)";
const guard = "select signalbox.guard_2($1, $2)";
const flush = `select signalbox.flush_2(${Array.from({ length: 45 }, (_, index) => `$${index + 1}`).join(", ")})`;

/** Begins a transaction, locks everything that is touched and reads it, in one round trip. */
export async function lockTouched(connection: Connection, touched: Touched): Promise<Base> {
  const guards = guardsOf(touched.rows, () => true);
  const [, , rows, counters] = await allOf([
    connection.query("begin isolation level read committed"),
    guards.spaces.length === 0 ? [] : connection.query(guard, guardValues(guards), "signalbox-guard"),
    touched.rows.length === 0
      ? []
      : connection.query(lockRows, [...keyArrays(touched.rows), ...lockArrays(touched.rows)], "signalbox-lock-rows"),
    touched.counters.length === 0 ? [] : connection.query(lockCounters, keyArrays(touched.counters), "signalbox-lock-counters"),
  ]);
  return {
    rows: new Map(
      (rows ?? []).map(([place, version, text, dueMs]): [string, BaseRow] => [
        idAt(touched.rows, place),
        { version: version as number, text: text as string, dueMs: (dueMs as number | null) ?? undefined },
      ]),
    ),
    counters: new Map((counters ?? []).map(([place, value]) => [idAt(touched.counters, place), value as number])),
  };
}

/** Writes a group inside the transaction that locked what it touches, and commits. */
export async function writeLocked(connection: Connection, write: GroupWrite): Promise<void> {
  await allOf([connection.query(flush, flushValues(write, true), "signalbox-flush"), connection.query("commit")]);
}

/** Writes a group that was decided on a prediction, in one statement that is its own transaction. */
export async function writePredicted(connection: Connection, write: GroupWrite): Promise<void> {
  await connection.query(flush, flushValues(write, false), "signalbox-flush");
}

/** Ends a transaction that wrote nothing, or failed. */
export async function rollBack(connection: Connection): Promise<void> {
  await connection.query("rollback");
}

/** Waits for all of them, so that no answer is left over, and then rejects with the first that failed. */
async function allOf<Value>(promises: readonly (Promise<Value> | Value)[]): Promise<readonly Value[]> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<Awaited<Value>>).value);
}

function idAt(items: readonly { readonly id: string }[], place: unknown): string {
  return items[(place as number) - 1]?.id ?? "";
}

function flushValues(write: GroupWrite, isLocked: boolean): readonly unknown[] {
  const { lease, counters, drafts, batch } = write;
  const absent = write.rows.filter((row) => isOnlyAbsent(row) && isGuarded(row));
  const rows = absent.length === 0 ? write.rows : write.rows.filter((row) => !(isOnlyAbsent(row) && isGuarded(row)));
  return [
    ...guardValues(guardsOf(write.rows, isOnlyAbsent)),
    ...keyArrays(absent),
    lease.writer,
    lease.fence,
    lease.flush,
    write.leaseMs,
    write.isDurable,
    isLocked,
    ...runArrays(rows),
    rows.filter(({ was }) => was === 0).length,
    rows.filter(({ next }) => next === 0).length,
    counters.filter(({ was }) => was === undefined).length,
    counters.filter(({ was }) => was !== undefined).length,
    drafts.length,
    ...keyArrays(rows),
    integerArray(rows.map(({ was }) => was)),
    integerArray(rows.map(({ next }) => next)),
    textArray(rows.map(({ text }) => text)),
    integerArray(rows.map(({ dueMs }) => dueMs)),
    ...keyArrays(counters),
    integerArray(counters.map(({ was }) => was)),
    integerArray(counters.map(({ next }) => next)),
    integerArray(counters.map(({ dueMs }) => dueMs)),
    lease.epoch,
    lease.seq,
    textArray(drafts.map(({ tenant }) => storedText(tenant))),
    textArray(drafts.map(({ kind }) => storedText(kind))),
    integerArray(drafts.map(({ atMs }) => atMs)),
    textArray(drafts.map(({ callId }) => storedOptional(callId))),
    textArray(drafts.map(({ sessionId }) => storedOptional(sessionId))),
    textArray(drafts.map(({ runId }) => storedOptional(runId))),
    textArray(write.texts),
    bytesArray(drafts.map(({ sealed }) => sealed)),
    batch?.root ?? null,
    batch?.previous ?? null,
    batch?.head ?? null,
  ];
}

interface Guards {
  readonly spaces: readonly string[];
  /** Whether each is held alone, since a row is written in it. */
  readonly areOwn: readonly boolean[];
}

/** Locks of the guarded spaces that a group needs, in the order of its rows: alone where it writes, shared where it relies on absence. */
function guardsOf<Item extends TouchedRow>(rows: readonly Item[], reliesOnAbsence: (row: Item) => boolean): Guards {
  const own = new Map<string, boolean>();
  for (const row of rows) {
    const { space } = row.key;
    if (isGuarded(row) && (row.isWritten || reliesOnAbsence(row))) own.set(space, row.isWritten || own.get(space) === true);
  }
  return { spaces: [...own.keys()], areOwn: [...own.values()] };
}

function guardValues({ spaces, areOwn }: Guards): readonly [Buffer, Buffer] {
  return [textArray(spaces), integerArray(areOwn.map((isOwn) => (isOwn ? 1 : 0)))];
}

function isGuarded({ key }: TouchedRow): boolean {
  return guardedSpaces.includes(key.space);
}

/** Whether a row is not there and stays so. */
function isOnlyAbsent({ was, next }: RowChange): boolean {
  return was === 0 && next === 0;
}

function storedOptional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : storedText(text);
}

/** Keys as three arrays: spaces, tenants, keys. */
export function keyArrays(items: readonly { readonly key: RowKey }[]): readonly [Buffer, Buffer, Buffer] {
  return [
    textArray(items.map(({ key }) => storedText(key.space))),
    textArray(items.map(({ key }) => storedText(key.tenant))),
    textArray(items.map(({ key }) => storedText(key.key))),
  ];
}

/** Where runs of rows that are locked alike end, and whether each is shared. Spaces sort together, so there are few. */
function lockArrays(rows: readonly TouchedRow[]): readonly [Buffer, Buffer] {
  const ends: number[] = [];
  const isShared: number[] = [];
  for (const [index, { isWritten }] of rows.entries()) {
    if (isWritten === rows[index + 1]?.isWritten) continue;
    ends.push(index + 1);
    isShared.push(isWritten ? 0 : 1);
  }
  return [integerArray(ends), integerArray(isShared)];
}

const lockedRun = 0;
const sharedRun = 1;
const updatedRun = 2;

/** Where runs of rows that are treated alike end, how each is treated, and how many of its rows are there. Absent rows join any run. */
function runArrays(rows: readonly RowChange[]): readonly [Buffer, Buffer, Buffer] {
  const ends: number[] = [];
  const kinds: number[] = [];
  const counts: number[] = [];
  for (const [index, { was, next, isWritten }] of rows.entries()) {
    if (was === 0) continue;
    const kind = next === undefined ? (isWritten ? lockedRun : sharedRun) : next === 0 ? lockedRun : updatedRun;
    const last = kinds.length - 1;
    if (kinds[last] !== kind) {
      ends.push(index + 1);
      kinds.push(kind);
      counts.push(1);
    } else {
      ends[last] = index + 1;
      counts[last] = (counts[last] as number) + 1;
    }
  }
  return [integerArray(ends), integerArray(kinds), integerArray(counts)];
}
