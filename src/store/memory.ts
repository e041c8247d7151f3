import type { Clock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import { systemRandom, type Random } from "../base/random.ts";
import { createIdSource } from "../base/ids.ts";
import type { Json } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { applyOperations, UndoLog, type State } from "./apply.ts";
import { createMemoryLedger, type MemoryLedger } from "./memory-ledger.ts";
import { compareKeys, rowId } from "./row-key.ts";
import type { CommitResult, Row, RowKey, RowRange, Store, Unit } from "./store.ts";

/** What a memory store needs. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Default the operating system's. Only the writer's id comes from it. */
  readonly random?: Random;
  /** Ledger entries kept; beyond it the oldest whole batches are dropped. Default `memoryEntriesMax`. */
  readonly ledgerEntriesMax?: number;
}

/**
 * A store that lives and dies with the process, for tests, trials and read-only use. Same semantics as the durable ones, except that nothing
 * survives. It keeps row bodies by reference, so a body handed over must not be changed afterwards. `due` and `scan` look at every row of a
 * space: keep spaces small by purging.
 */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  const writer = createIdSource(options.clock, options.random ?? systemRandom).next("writer");
  const ledger = createMemoryLedger(writer, options.ledgerEntriesMax ?? defaultLimits.memoryEntriesMax);
  const undoLog = new UndoLog();
  const state = createMemoryState(undoLog);
  let isClosed = false;

  function commitNow(unit: Unit): CommitResult {
    try {
      const refusal = applyOperations(state, unit.operations);
      if (refusal !== undefined) {
        undoLog.undo();
        return refusal;
      }
      const entries = ledger.append(unit.entries);
      undoLog.keep();
      return { kind: "committed", entries };
    } catch (error) {
      undoLog.undo();
      throw error;
    }
  }

  const live = (): void => {
    if (isClosed) throw toolCallError("SHUTTING_DOWN", "the store is closed; open it again before using it");
  };

  return {
    kind: "memory",
    survivesRestart: false,
    ...rowMethods(state, live),
    ...ledgerMethods(ledger, live),
    commit(unit) {
      try {
        live();
        return commitNow(unit);
      } catch (error) {
        return Promise.reject(error as Error);
      }
    },
    async backup() {
      throw toolCallError("REQUEST_INVALID", "a memory store has nothing to back up; configure `store: sqlite:FILE` to keep data");
    },
    async close() {
      isClosed = true;
    },
  };
}

/** `live` throws once the store is closed. */
function rowMethods(state: MemoryState, live: () => void): Pick<Store, "read" | "scan" | "due" | "counters" | "purge"> {
  return {
    async read(keys) {
      live();
      return keys.map((key) => state.row(rowId(key), key));
    },
    async scan(range) {
      live();
      return state.scan(range);
    },
    async due({ space, untilMs, limit }) {
      live();
      return state
        .rowsOf(space)
        .filter((row) => row.dueMs !== undefined && row.dueMs <= untilMs)
        .toSorted(compareDue)
        .slice(0, limit);
    },
    async counters(keys) {
      live();
      return keys.map((key) => state.value(rowId(key), key));
    },
    async purge({ space, untilMs, limit }) {
      live();
      return state.purge(space, untilMs, limit);
    },
  };
}

function ledgerMethods(ledger: MemoryLedger, live: () => void): Pick<Store, "entries" | "batches" | "writers" | "dropEntries"> {
  return {
    async entries(query) {
      live();
      return ledger.entries(query);
    },
    async batches(query) {
      live();
      return ledger.batches(query);
    },
    async writers() {
      live();
      return [ledger.head()];
    },
    async dropEntries(drop) {
      live();
      return ledger.drop(drop);
    },
  };
}

/** Rows that fall due first come first; ties in key order, so that every store answers alike. */
function compareDue(left: Row, right: Row): number {
  return (left.dueMs as number) - (right.dueMs as number) || compareKeys(left.tenant, right.tenant) || compareKeys(left.key, right.key);
}

interface Counter {
  readonly value: number;
  readonly dueMs: number | undefined;
}

interface MemoryState extends State {
  rowsOf(space: string): Row[];
  scan(range: RowRange): Row[];
  purge(space: string, untilMs: number, limit: number): number;
}

function createMemoryState(undoLog: UndoLog): MemoryState {
  const rowSpaces = new Map<string, Map<string, Row>>();
  const counterSpaces = new Map<string, Map<string, Counter>>();

  return {
    version: (id, key) => rowSpaces.get(key.space)?.get(id)?.version ?? 0,
    row: (id, key) => rowSpaces.get(key.space)?.get(id),
    value: (id, key) => counterSpaces.get(key.space)?.get(id)?.value ?? 0,
    putRow(id, key, version, body, dueMs) {
      undoLog.set(mapOf(rowSpaces, key.space), id, memoryRow(key, version, body, dueMs));
    },
    deleteRow(id, key) {
      undoLog.set(mapOf(rowSpaces, key.space), id, undefined);
    },
    putValue(id, key, value, dueMs) {
      const counters = mapOf(counterSpaces, key.space);
      undoLog.set(counters, id, { value, dueMs: dueMs ?? counters.get(id)?.dueMs });
    },
    rowsOf: (space) => [...(rowSpaces.get(space)?.values() ?? [])],
    scan: (range) => scanRows(rowSpaces.get(range.space)?.values() ?? [], range),
    purge(space, untilMs, limit) {
      const rowCount = purgeMap(rowSpaces.get(space), untilMs, limit);
      return rowCount + purgeMap(counterSpaces.get(space), untilMs, limit - rowCount);
    },
  };
}

function memoryRow(key: RowKey, version: number, body: Json, dueMs: number | undefined): Row {
  return { space: key.space, tenant: key.tenant, key: key.key, version, body, dueMs };
}

function mapOf<Value>(spaces: Map<string, Map<string, Value>>, space: string): Map<string, Value> {
  let map = spaces.get(space);
  if (map === undefined) {
    map = new Map();
    spaces.set(space, map);
  }
  return map;
}

function scanRows(rows: Iterable<Row>, range: RowRange): Row[] {
  const { tenant, prefix = "", after, ascending = true } = range;
  const sign = ascending ? 1 : -1;
  const found: Row[] = [];
  for (const row of rows) {
    if (row.tenant !== tenant || !row.key.startsWith(prefix)) continue;
    if (after === undefined || compareKeys(row.key, after) * sign > 0) found.push(row);
  }
  return found.sort((left, right) => compareKeys(left.key, right.key) * sign).slice(0, range.limit);
}

function purgeMap(items: Map<string, { readonly dueMs?: number | undefined }> | undefined, untilMs: number, limit: number): number {
  let count = 0;
  for (const [id, item] of items ?? []) {
    if (count >= limit) break;
    if (item.dueMs === undefined || item.dueMs > untilMs) continue;
    items?.delete(id);
    count += 1;
  }
  return count;
}
