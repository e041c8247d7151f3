import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import { rowId } from "./row-key.ts";
import { ChangeLog, readChanges, type ChangedCounter, type ChangedRow } from "./sqlite-changes.ts";
import { sqliteQueries } from "./sqlite-read.ts";
import { createReader } from "./sqlite-reader.ts";
import { migrate } from "./sqlite-schema.ts";
import type { Row } from "./store.ts";

const names = ["a", "b", "c", "d", "e", "f"] as const;
const keyOf = (name: string) => ({ space: "key", tenant: "acme", key: name });

type Step =
  | { readonly kind: "group"; readonly changes: readonly { readonly name: string; readonly version: number; readonly dueMs: number }[] }
  | { readonly kind: "bring-in" }
  | { readonly kind: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("group" as const),
    changes: fc.array(
      fc.record({ name: fc.constantFrom(...names), version: fc.integer({ min: 0, max: 9 }), dueMs: fc.integer({ min: 1, max: 9 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  }),
  fc.constant({ kind: "bring-in" as const }),
  fc.constant({ kind: "restart" as const }),
);

/** A file with a log over it, and what a reader must find after every step. */
function harness() {
  const db = new DatabaseSync(":memory:");
  migrate(db, "test", { writer: "writer_1", atMs: 0 });
  const expected = new Map<string, Row>();
  const values = new Map<string, number>();
  let entriesCount = 0;
  const open = (): ChangeLog => {
    const log = new ChangeLog(db, { heldMax: 5, sliceMax: 2 });
    log.takeUp(readChanges(db), Number(db.prepare("select coalesce(max(id), 0) as id from changes").get()?.["id"]), entriesCount);
    return log;
  };
  let log = open();

  function group(changes: Extract<Step, { kind: "group" }>["changes"]): void {
    const rows = new Map<string, ChangedRow>();
    const counters = new Map<string, ChangedCounter>();
    for (const { name, version, dueMs } of changes) {
      const key = keyOf(name);
      rows.set(rowId(key), { key, version, text: version === 0 ? "" : JSON.stringify({ version }), dueMs });
      counters.set(rowId(key), { key, value: version, dueMs: undefined });
      values.set(name, version);
      if (version === 0) expected.delete(name);
      else expected.set(name, { ...key, version, body: { version }, dueMs });
    }
    db.exec("begin immediate");
    entriesCount += 1;
    db.prepare(
      "insert into entries(id, epoch, tenant, kind, at_ms, call_id, session_id, text) values(?, 1, 'acme', 'call-settled', 0, ?, 's', '{}')",
    ).run(entriesCount, `call_${entriesCount % 3}`);
    log.write({ rows, counters });
    db.exec("commit");
    log.written({ rows, counters }, 1);
  }

  return {
    db,
    expected,
    values,
    take(one: Step): void {
      if (one.kind === "group") group(one.changes);
      else if (one.kind === "bring-in") log.bringIn();
      // A process that dies leaves the file as it is, in the middle of a round too.
      else log = open();
    },
    finish: (): void => log.bringInAll(),
    entriesOf: (call: number): number =>
      Array.from({ length: entriesCount }, (_, index) => index + 1).filter((id) => id % 3 === call).length,
  };
}

async function agrees(one: ReturnType<typeof harness>): Promise<void> {
  const { db, expected, values } = one;
  const reader = createReader(db, sqliteQueries(db));
  const sorted = [...expected.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
  expect(await reader.scan({ space: "key", tenant: "acme", limit: 3 })).toEqual(sorted.slice(0, 3));
  expect(await reader.scan({ space: "key", tenant: "acme", ascending: false, after: "e", limit: 9 })).toEqual(
    sorted.filter((row) => row.key < "e").reverse(),
  );
  expect(await reader.read(names.map(keyOf))).toEqual(names.map((name) => expected.get(name)));
  expect(await reader.counters(names.map(keyOf))).toEqual(names.map((name) => values.get(name) ?? 0));
  const due = sorted.filter((row) => (row.dueMs ?? 0) <= 5).toSorted((left, right) => (left.dueMs ?? 0) - (right.dueMs ?? 0));
  expect((await reader.due({ space: "key", untilMs: 5, limit: 2 })).map((row) => row.dueMs)).toEqual(
    due.slice(0, 2).map((row) => row.dueMs),
  );
  for (const call of [0, 1, 2]) expect(await reader.entries({ callId: `call_${call}`, limit: 100 })).toHaveLength(one.entriesOf(call));
}

describe("the log of changes", () => {
  test("a reader always finds the latest of everything, whatever was brought in and wherever a process died", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const one = harness();
        for (const taken of steps) {
          one.take(taken);
          await agrees(one);
        }
        one.finish();
        await agrees(one);
        one.db.close();
      }),
      { numRuns: 60 },
    );
  });

  test("leaves nothing behind once all is brought in, and the tables alone hold it", () => {
    const one = harness();
    for (let version = 1; version <= 9; version += 1)
      one.take({ kind: "group", changes: names.map((name) => ({ name, version, dueMs: version })) });
    one.finish();
    expect(one.db.prepare("select count(*) as count from changes").get()?.["count"]).toBe(0);
    expect(one.db.prepare("select key, version from rows order by key").all()).toEqual(names.map((key) => ({ key, version: 9 })));
    expect(one.db.prepare("select count(*) as count from entry_calls").get()?.["count"]).toBe(9);
    expect(one.db.prepare("select value from meta where name = 'referred-through'").get()?.["value"]).toBe("9");
  });

  test("keeps a counter's due time when a later change names none", () => {
    const one = harness();
    const key = keyOf("a");
    const log = new ChangeLog(one.db, { heldMax: 5, sliceMax: 2 });
    for (const dueMs of [7, undefined]) {
      const changes = { rows: new Map(), counters: new Map([[rowId(key), { key, value: 1, dueMs }]]) };
      log.write(changes);
      log.written(changes, 0);
    }
    expect([...readChanges(one.db).counters.values()][0]?.dueMs).toBe(7);
    log.bringInAll();
    expect(one.db.prepare("select due_ms from counters").get()?.["due_ms"]).toBe(7);
  });
});

test("the log waits until `storeChangesHeldMax` changes and entries are held, then says that it is full", () => {
  const { storeChangesHeldMax } = defaultLimits;
  const db = new DatabaseSync(":memory:");
  migrate(db, "test", { writer: "writer_1", atMs: 0 });
  const log = new ChangeLog(db, { heldMax: storeChangesHeldMax, sliceMax: 500 });
  log.written({ rows: new Map(), counters: new Map() }, storeChangesHeldMax - 1);
  expect(log.isFull).toBe(false);
  log.written({ rows: new Map(), counters: new Map() }, 1);
  expect(log.isFull).toBe(true);
  db.close();
});
