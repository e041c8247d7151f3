import { assert } from "../base/assert.ts";
import type { Json } from "../domain/json.ts";
import { UndoLog, type State } from "./apply.ts";
import { rowId } from "./row-key.ts";
import type { ChangedCounter, ChangedRow } from "./log-frame.ts";
import type { Changes, Overlay } from "./overlay.ts";
import type { SqliteQueries } from "./sqlite-read.ts";
import { RecentValues } from "../base/recent-values.ts";
import type { Row, RowKey } from "./store.ts";

/**
 * The state as the open group sees it: what the group changed, then what this process last wrote (it is the only writer), then what waits in the commit
 * log, then the tables. Units are decided here without touching the file, so one that fails cannot hurt its neighbours, and a row that many units of a group change is written once.
 */
export class SqliteState implements State, Changes {
  readonly rows = new Map<string, ChangedRow>();
  readonly counters = new Map<string, ChangedCounter>();
  readonly undoLog = new UndoLog();
  readonly #queries: SqliteQueries;
  readonly #overlay: Overlay;
  readonly #versions: RecentValues<number>;
  readonly #values: RecentValues<number>;

  constructor(queries: SqliteQueries, overlay: Overlay, cacheMax: number) {
    this.#queries = queries;
    this.#overlay = overlay;
    this.#versions = new RecentValues(cacheMax);
    this.#values = new RecentValues(cacheMax);
  }

  version(id: string, key: RowKey, isMinted = false): number {
    return this.rows.get(id)?.version ?? (isMinted ? 0 : (this.#versions.get(id) ?? this.#known(id, key)));
  }

  #known(id: string, key: RowKey): number {
    const version = this.#overlay.row(id)?.version ?? this.#queries.version(key);
    this.#versions.set(id, version);
    return version;
  }

  /** Whether the row is there, as far as that is known without asking the tables. */
  recalls(key: RowKey): boolean {
    const id = rowId(key);
    return (this.rows.get(id)?.version ?? this.#versions.get(id) ?? this.#overlay.row(id)?.version ?? 0) > 0;
  }

  row(id: string, key: RowKey): Row | undefined {
    const changed = this.rows.get(id) ?? this.#overlay.row(id);
    return changed === undefined ? this.#queries.row(key) : rowOf(changed);
  }

  value(id: string, key: RowKey): number {
    return this.counters.get(id)?.value ?? this.#values.get(id) ?? this.#overlay.counter(id)?.value ?? this.#queries.value(key);
  }

  /** A row for whoever reads. Its version is remembered, since a unit that relies on it mostly follows. */
  read(key: RowKey): Row | undefined {
    const id = rowId(key);
    const row = this.row(id, key);
    if (!this.rows.has(id)) this.#versions.set(id, row?.version ?? 0);
    return row;
  }

  putRow(id: string, key: RowKey, version: number, body: Json, dueMs: number | undefined): void {
    const text: unknown = JSON.stringify(body);
    assert(typeof text === "string", "a row's body is a JSON value");
    this.undoLog.set(this.rows, id, { key: plainKey(key), version, text, dueMs });
  }

  deleteRow(id: string, key: RowKey): void {
    this.undoLog.set(this.rows, id, { key: plainKey(key), version: 0, text: "", dueMs: undefined });
  }

  putValue(id: string, key: RowKey, value: number, dueMs: number | undefined): void {
    this.undoLog.set(this.counters, id, { key: plainKey(key), value, dueMs: dueMs ?? this.counters.get(id)?.dueMs });
  }

  /** Takes a counter away. */
  deleteValue(id: string, key: RowKey): void {
    this.undoLog.set(this.counters, id, { key: plainKey(key), value: 0, dueMs: "none" });
  }

  /** Whether the open group has changed one of these rows or counters. */
  isDirty(keys: readonly RowKey[]): boolean {
    if (this.rows.size === 0 && this.counters.size === 0) return false;
    return keys.some((key) => {
      const id = rowId(key);
      return this.rows.has(id) || this.counters.has(id);
    });
  }

  /** The group is on disk: what it changed is now what was last written. */
  written(): void {
    for (const [id, { version }] of this.rows) this.#versions.set(id, version);
    for (const [id, { value }] of this.counters) this.#values.set(id, value);
    this.rows.clear();
    this.counters.clear();
  }

  /** The group is lost: only the file counts. */
  lost(): void {
    this.rows.clear();
    this.counters.clear();
    this.#versions.clear();
    this.#values.clear();
  }
}

/** A changed row as it will stand in its table; `undefined` where it was deleted. */
export function rowOf({ key, version, text, dueMs }: ChangedRow): Row | undefined {
  return version === 0 ? undefined : { ...key, version, body: JSON.parse(text) as Json, dueMs };
}

function plainKey(key: RowKey): RowKey {
  return { space: key.space, tenant: key.tenant, key: key.key };
}
