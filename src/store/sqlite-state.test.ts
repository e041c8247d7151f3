import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { applyOperations } from "./apply.ts";
import { Overlay } from "./overlay.ts";
import { rowId } from "./row-key.ts";
import { sqliteQueries } from "./sqlite-read.ts";
import { migrate } from "./sqlite-schema.ts";
import { SqliteState } from "./sqlite-state.ts";
import type { RowKey } from "./store.ts";

test("looks a row up in its table once, however many units rely on it between others", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, ":memory:", { writer: "writer_1", atMs: 0 });
  const queries = sqliteQueries(db);
  const asked: string[] = [];
  const counting = { ...queries, version: (key: RowKey) => (asked.push(key.key), queries.version(key)) };
  const state = new SqliteState(counting, new Overlay(), 10);
  const session = { space: "session", tenant: "acme", key: "session" };
  for (let index = 0; index < 100; index += 1) {
    const own = { space: "key", tenant: "acme", key: `call-${index}` };
    state.version(rowId(session), session);
    state.putRow(rowId(own), own, state.version(rowId(own), own) + 1, {}, undefined);
    state.undoLog.keep();
    state.written();
  }
  expect(asked.filter((key) => key === "session")).toHaveLength(1);
  expect(asked).toHaveLength(101);
  db.close();
});

test("does not look for the row of an id that was just made, and still sees what the open group wrote there", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, ":memory:", { writer: "writer_1", atMs: 0 });
  const queries = sqliteQueries(db);
  const asked: string[] = [];
  const counting = { ...queries, version: (key: RowKey) => (asked.push(key.key), queries.version(key)) };
  const state = new SqliteState(counting, new Overlay(), 10);
  const own = { space: "key", tenant: "acme", key: "call" };
  const claim = { op: "put", key: own, body: {}, expect: "absent", isMinted: true } as const;
  expect(applyOperations(state, [claim])).toBeUndefined();
  expect(applyOperations(state, [claim])).toMatchObject({ kind: "refused", index: 0 });
  expect(asked).toEqual([]);
  db.close();
});

test("recalls what this process wrote or read, and nothing that was deleted or never was", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, ":memory:", { writer: "writer_1", atMs: 0 });
  db.exec("insert into rows(space, tenant, key, version, body) values('key', 'acme', 'old', 3, '{}')");
  const state = new SqliteState(sqliteQueries(db), new Overlay(), 10);
  const [old, fresh] = ["old", "fresh"].map((key): RowKey => ({ space: "key", tenant: "acme", key })) as [RowKey, RowKey];
  expect([state.recalls(old), state.recalls(fresh)]).toEqual([false, false]);
  state.putRow(rowId(fresh), fresh, 1, {}, undefined);
  expect(state.recalls(fresh)).toBe(true);
  state.undoLog.keep();
  state.written();
  state.read(old);
  expect([state.recalls(old), state.recalls(fresh)]).toEqual([true, true]);
  state.deleteRow(rowId(fresh), fresh);
  expect(state.recalls(fresh)).toBe(false);
  db.close();
});
