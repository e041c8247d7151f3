import { assert } from "../base/assert.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json } from "../domain/json.ts";
import { rowId } from "./row-key.ts";
import type { CommitResult, Operation, Row, RowKey } from "./store.ts";

/** Why a unit was refused. */
export type Refusal = Extract<CommitResult, { readonly kind: "refused" }>;

/**
 * The state that a unit reads and changes while it is decided. An implementation records what it overwrites in an `UndoLog`, so that a refused
 * unit leaves no trace; nothing here waits.
 */
export interface State {
  /** Version of a row, 0 where there is none. `isMinted`: nothing but an earlier unit of the same group can have written it. */
  version(id: string, key: RowKey, isMinted?: boolean): number;
  /** The row itself, to show it in a refusal. */
  row(id: string, key: RowKey): Row | undefined;
  /** Value of a counter, 0 where there is none. */
  value(id: string, key: RowKey): number;
  putRow(id: string, key: RowKey, version: number, body: Json, dueMs: number | undefined): void;
  deleteRow(id: string, key: RowKey): void;
  /** With `dueMs` undefined the counter keeps the one it has. */
  putValue(id: string, key: RowKey, value: number, dueMs: number | undefined): void;
}

/** Applies the operations of a unit in order. At the first that does not hold it stops and says so; the caller then undoes what was applied. */
export function applyOperations(state: State, operations: readonly Operation[]): Refusal | undefined {
  for (let index = 0; index < operations.length; index += 1) {
    const refusal = applyOperation(state, operations[index] as Operation, index);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function applyOperation(state: State, operation: Operation, index: number): Refusal | undefined {
  const { key } = operation;
  const id = rowId(key);
  if (operation.op === "add") return applyAdd(state, operation, id, index);
  const version = state.version(id, key, operation.op === "put" && operation.isMinted === true);
  if (!expectationHolds(operation, version)) return { kind: "refused", reason: "row", index, row: state.row(id, key) };
  if (operation.op === "put") state.putRow(id, key, version + 1, operation.body, operation.dueMs);
  else if (operation.op === "delete" && version > 0) state.deleteRow(id, key);
  return undefined;
}

function expectationHolds(operation: Exclude<Operation, { readonly op: "add" }>, version: number): boolean {
  const expected = operation.op === "expect" ? operation.version : operation.expect;
  if (expected === undefined) return true;
  if (expected === "absent") return version === 0;
  if (expected === "present") return version > 0;
  return version === expected;
}

function applyAdd(state: State, operation: Extract<Operation, { readonly op: "add" }>, id: string, index: number): Refusal | undefined {
  const value = state.value(id, operation.key);
  const sum = Math.max(0, value + operation.delta);
  assert(Number.isSafeInteger(operation.delta) && Number.isSafeInteger(sum), "a counter holds whole numbers below 2^53");
  if (operation.max !== undefined && sum > operation.max) return { kind: "refused", reason: "counter", index, value };
  // A counter that was only asked about stays as it is, and need not be written.
  if (sum !== value || operation.dueMs !== undefined) state.putValue(id, operation.key, sum, operation.dueMs);
  return undefined;
}

/** Remembers what the maps of a state held before a unit changed them. */
export class UndoLog {
  // Places are used again by every unit: arrays that are emptied give their memory back and get it anew each time.
  readonly #maps: (Map<string, unknown> | undefined)[] = [];
  readonly #ids: string[] = [];
  readonly #before: unknown[] = [];
  #count = 0;

  /** Sets, or with `undefined` removes, an item of a map. */
  set<Value>(map: Map<string, Value>, id: string, value: Value | undefined): void {
    const index = this.#count;
    this.#maps[index] = map;
    this.#ids[index] = id;
    this.#before[index] = map.get(id);
    this.#count = index + 1;
    if (value === undefined) map.delete(id);
    else map.set(id, value);
  }

  /** The unit holds: what it overwrote is forgotten. */
  keep(): void {
    if (this.#count > fixedBounds.undoPlacesMax) {
      this.#maps.length = 0;
      this.#ids.length = 0;
      this.#before.length = 0;
    }
    for (let index = 0; index < this.#before.length && index < this.#count; index += 1) this.#before[index] = undefined;
    this.#count = 0;
  }

  /** The unit does not hold: everything is as it was before it, latest change first. */
  undo(): void {
    for (let index = this.#count - 1; index >= 0; index -= 1) {
      const before = this.#before[index];
      const map = this.#maps[index] as Map<string, unknown>;
      if (before === undefined) map.delete(this.#ids[index] as string);
      else map.set(this.#ids[index] as string, before);
    }
    this.keep();
  }
}
