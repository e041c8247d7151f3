import { assert } from "../base/assert.ts";
import type { Json } from "../domain/json.ts";
import { UndoLog, type State } from "./apply.ts";
import type { RecentValues } from "../base/recent-values.ts";
import { rowId } from "./row-key.ts";
import type { Row, RowKey, Unit } from "./store.ts";

/** A row as it stood when the group was decided. Version 0: absent. */
export interface BaseRow {
  readonly version: number;
  /** `undefined` where it is only expected to be so, and was not read. */
  readonly text: string | undefined;
  readonly dueMs: number | undefined;
}

/** What a group is decided on. A counter that is absent has no value. */
export interface Base {
  readonly rows: ReadonlyMap<string, BaseRow>;
  readonly counters: ReadonlyMap<string, number>;
}

/** Everything that the units of a group touch, in the order in which it is locked. */
export interface Touched {
  readonly rows: readonly TouchedRow[];
  readonly counters: readonly TouchedCounter[];
}

export interface TouchedRow {
  readonly id: string;
  readonly key: RowKey;
  /** Whether some unit may write it; others are locked shared. */
  readonly isWritten: boolean;
}

export interface TouchedCounter {
  readonly id: string;
  readonly key: RowKey;
}

/** A row or counter that a group relied on, with what it leaves. */
export interface RowChange extends TouchedRow {
  readonly was: number;
  /** 0: absent; `undefined`: only relied on. */
  readonly next: number | undefined;
  readonly text: string | undefined;
  readonly dueMs: number | undefined;
}

export interface CounterChange extends TouchedCounter {
  /** `undefined`: absent. */
  readonly was: number | undefined;
  readonly next: number;
  readonly dueMs: number | undefined;
}

/** Collects what units touch. Keys in one order for every process, so that locks are never waited for in a circle. */
export function touchedBy(units: readonly Unit[]): Touched {
  const rows = new Map<string, TouchedRow>();
  const counters = new Map<string, TouchedCounter>();
  for (const { operations } of units)
    for (const { op, key } of operations) {
      const id = rowId(key);
      if (op === "add") counters.set(id, { id, key });
      else if (op !== "expect" || !rows.has(id)) rows.set(id, { id, key, isWritten: op !== "expect" });
    }
  return { rows: inOrder(rows), counters: inOrder(counters) };
}

function inOrder<Item extends { readonly id: string }>(items: ReadonlyMap<string, Item>): readonly Item[] {
  return [...items.values()].sort((left, right) => (left.id < right.id ? -1 : left.id > right.id ? 1 : 0));
}

/**
 * What the group most likely stands on, without asking the database: what its units expect of their rows, else what this process last saw.
 * `undefined` when something cannot be told. The database checks all of it before anything is written.
 */
export function predictedBase(
  units: readonly Unit[],
  touched: Touched,
  seen: { readonly versions: RecentValues<number>; readonly values: RecentValues<number> },
): Base | undefined {
  const expected = expectedVersions(units);
  const rows = new Map<string, BaseRow>();
  for (const { id } of touched.rows) {
    const version = expected.get(id) ?? seen.versions.get(id);
    if (version === undefined) return undefined;
    rows.set(id, { version, text: undefined, dueMs: undefined });
  }
  const counters = new Map<string, number>();
  for (const { id } of touched.counters) {
    const value = seen.values.get(id);
    if (value === undefined) return undefined;
    counters.set(id, value);
  }
  return { rows, counters };
}

/** What the first operation on each row says of its version. */
function expectedVersions(units: readonly Unit[]): Map<string, number | undefined> {
  const versions = new Map<string, number | undefined>();
  for (const { operations } of units)
    for (const operation of operations) {
      if (operation.op === "add") continue;
      const id = rowId(operation.key);
      if (versions.has(id)) continue;
      const expected = operation.op === "expect" ? operation.version : operation.expect;
      versions.set(id, expected === "absent" ? 0 : expected === "present" ? undefined : expected);
    }
  return versions;
}

/** The state as a group sees it while its units are decided: what they changed, else what it stands on. */
export class PostgresState implements State {
  readonly undoLog = new UndoLog();
  readonly #base: Base;
  readonly #rows = new Map<string, BaseRow>();
  readonly #counters = new Map<string, { readonly value: number; readonly dueMs: number | undefined }>();
  readonly #relied = new Set<string>();
  readonly #reliedCounters = new Set<string>();

  constructor(base: Base) {
    this.#base = base;
  }

  version(id: string): number {
    return (this.#rows.get(id) ?? this.#base.rows.get(id))?.version ?? 0;
  }

  row(id: string, key: RowKey): Row | undefined {
    const row = this.#rows.get(id) ?? this.#base.rows.get(id);
    if (row === undefined || row.version === 0 || row.text === undefined) return undefined;
    return { ...plainKey(key), version: row.version, body: JSON.parse(row.text) as Json, dueMs: row.dueMs };
  }

  value(id: string): number {
    return this.#counters.get(id)?.value ?? this.#base.counters.get(id) ?? 0;
  }

  putRow(id: string, _key: RowKey, version: number, body: Json, dueMs: number | undefined): void {
    const text: unknown = JSON.stringify(body);
    assert(typeof text === "string", "a row's body is a JSON value");
    assertTime(dueMs);
    this.undoLog.set(this.#rows, id, { version, text, dueMs });
  }

  deleteRow(id: string): void {
    this.undoLog.set(this.#rows, id, { version: 0, text: "", dueMs: undefined });
  }

  putValue(id: string, _key: RowKey, value: number, dueMs: number | undefined): void {
    assertTime(dueMs);
    this.undoLog.set(this.#counters, id, { value, dueMs: dueMs ?? this.#counters.get(id)?.dueMs });
  }

  /** The unit holds: what it changed stays, and what it rests on must still be so when the group is written. */
  keep(unit: Unit): void {
    this.undoLog.keep();
    for (const { op, key } of unit.operations) (op === "add" ? this.#reliedCounters : this.#relied).add(rowId(key));
  }

  /** What is to be written or relied on, in the order of `touched`. */
  changes(touched: Touched): { readonly rows: readonly RowChange[]; readonly counters: readonly CounterChange[] } {
    const rows = touched.rows
      .filter(({ id }) => this.#relied.has(id))
      .map((row): RowChange => {
        const was = this.#base.rows.get(row.id)?.version ?? 0;
        const now = this.#rows.get(row.id);
        // INVARIANT: an absent row that was relied on counts as left absent, so that the database guards its absence.
        if (now === undefined) return { ...row, was, next: was === 0 ? 0 : undefined, text: undefined, dueMs: undefined };
        return { ...row, isWritten: true, was, next: now.version, text: now.text, dueMs: now.dueMs };
      });
    const counters = touched.counters.flatMap((counter): CounterChange[] => {
      const was = this.#base.counters.get(counter.id);
      const now = this.#counters.get(counter.id);
      if (now !== undefined) return [{ ...counter, was, next: now.value, dueMs: now.dueMs }];
      // INVARIANT: what a unit was decided on is compared, also where it stays as it is: one that this process remembers may have changed elsewhere.
      return was === undefined || !this.#reliedCounters.has(counter.id) ? [] : [{ ...counter, was, next: was, dueMs: undefined }];
    });
    return { rows, counters };
  }
}

function assertTime(dueMs: number | undefined): void {
  assert(dueMs === undefined || Number.isSafeInteger(dueMs), "a due time is whole milliseconds");
}

function plainKey(key: RowKey): RowKey {
  return { space: key.space, tenant: key.tenant, key: key.key };
}
