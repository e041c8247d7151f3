/** A random unit, a model that is atomic by construction, and the comparison of a store with it. Part of the contract suite. */
import fc from "fast-check";
import { expect } from "vitest";
import type { Json } from "../domain/json.ts";
import type { CommitResult, EntryDraft, Operation, RowKey, Store, Unit } from "./store.ts";

/** Opens an empty store for one test; whoever made it removes what is left of it afterwards. */
export type OpenEmpty = () => Promise<Store>;

/** A row key of tenant `acme`, for tests. */
export function keyOf(key: string, space = "thing", tenant = "acme"): RowKey {
  return { space, tenant, key };
}

/** An entry draft, for tests. */
export function draftOf(kind: string, parts: Partial<EntryDraft> = {}): EntryDraft {
  return { tenant: "acme", kind, atMs: 1_700_000_000_000, body: { note: kind }, ...parts };
}

/** A unit of these operations and entries, for tests. */
export function unitOf(operations: readonly Operation[], entries: readonly EntryDraft[] = []): Unit {
  return { operations, entries };
}

const smallKey = fc.constantFrom("a", "b", "c").map((key) => keyOf(key));
const operationArbitrary: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ op: fc.constant("put" as const), key: smallKey, body: fc.integer({ min: 0, max: 9 }) }),
  fc.record({
    op: fc.constant("put" as const),
    key: smallKey,
    body: fc.integer({ min: 0, max: 9 }),
    expect: fc.constantFrom("absent" as const, 1, 2),
  }),
  fc.record({ op: fc.constant("delete" as const), key: smallKey }),
  fc.record({ op: fc.constant("delete" as const), key: smallKey, expect: fc.constantFrom(1, 2) }),
  fc.record({ op: fc.constant("expect" as const), key: smallKey, version: fc.constantFrom("absent" as const, "present" as const, 1) }),
  fc.record({
    op: fc.constant("add" as const),
    key: smallKey,
    delta: fc.integer({ min: -3, max: 3 }),
    max: fc.integer({ min: 0, max: 5 }),
  }),
);
/** Any unit over three keys, most of them with expectations that sometimes fail. */
export const unitArbitrary: fc.Arbitrary<Unit> = fc.record({
  operations: fc.array(operationArbitrary, { maxLength: 4 }),
  entries: fc.array(fc.constant(draftOf("thing-done")), { maxLength: 2 }),
  wait: fc.constantFrom("durable" as const, "claimed" as const),
});

interface Model {
  readonly rows: Map<string, { version: number; body: Json }>;
  readonly values: Map<string, number>;
  entryCount: number;
}

/** The model applies a unit to copies and keeps them only when all holds: atomic by construction. */
function modelCommit(model: Model, unit: Unit): { readonly kind: string; readonly index?: number } {
  const rows = new Map(model.rows);
  const values = new Map(model.values);
  for (const [index, operation] of unit.operations.entries()) {
    const id = operation.key.key;
    const version = rows.get(id)?.version ?? 0;
    if (operation.op === "add") {
      const sum = Math.max(0, (values.get(id) ?? 0) + operation.delta);
      if (sum > (operation.max ?? Infinity)) return { kind: "refused", index };
      values.set(id, sum);
      continue;
    }
    const wanted = operation.op === "expect" ? operation.version : operation.expect;
    const holds = wanted === undefined || (wanted === "absent" ? version === 0 : wanted === "present" ? version > 0 : version === wanted);
    if (!holds) return { kind: "refused", index };
    if (operation.op === "put") rows.set(id, { version: version + 1, body: operation.body });
    if (operation.op === "delete") rows.delete(id);
  }
  model.rows.clear();
  model.values.clear();
  for (const [id, row] of rows) model.rows.set(id, row);
  for (const [id, value] of values) model.values.set(id, value);
  model.entryCount += unit.entries.length;
  return { kind: "committed" };
}

/** A predicate for fast-check: a store and the model answer the same to the same units, and end alike. */
export function agreesWithModel(openEmpty: OpenEmpty) {
  return async (units: readonly Unit[], isConcurrent: boolean): Promise<void> => {
    const store = await openEmpty();
    const model: Model = { rows: new Map(), values: new Map(), entryCount: 0 };
    const expected = units.map((unit) => modelCommit(model, unit));
    const results: CommitResult[] = [];
    if (isConcurrent) results.push(...(await Promise.all(units.map(async (unit) => await store.commit(unit)))));
    else for (const unit of units) results.push(await store.commit(unit));
    expect(
      results.map((result) => (result.kind === "refused" ? { kind: result.kind, index: result.index } : { kind: result.kind })),
    ).toEqual(expected);
    const keys = ["a", "b", "c"];
    const rows = await store.read(keys.map((key) => keyOf(key)));
    expect(rows.map((row) => row && { version: row.version, body: row.body })).toEqual(keys.map((key) => model.rows.get(key)));
    expect(await store.counters(keys.map((key) => keyOf(key)))).toEqual(keys.map((key) => model.values.get(key) ?? 0));
    expect((await store.entries({ limit: 500 })).map(({ seq }) => seq)).toEqual(
      Array.from({ length: model.entryCount }, (_, index) => index + 1),
    );
    await store.close();
  };
}
