import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { defaultLimits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createDataKeys } from "../../src/ledger/data-keys.ts";
import { memoryKeyring } from "../../src/ledger/keyring.ts";
import type { FrameContent } from "../../src/store/log-frame.ts";
import { CommitLog } from "../../src/store/log-writer.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { Intake } from "../../src/store/sqlite-intake.ts";
import type { Offload } from "../../src/store/sqlite-offload.ts";
import { openWriting } from "../../src/store/sqlite-open.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { EntryDraft, RowKey, Unit } from "../../src/store/store.ts";
import { manualClock } from "../support/manual-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "limits-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clock = manualClock();
const keyOf = (key: string): RowKey => ({ space: "test", tenant: "acme", key });
const entry: EntryDraft = { tenant: "acme", kind: "session-opened", atMs: 0, body: {} };

function put(key: string, more: { readonly dueMs?: number; readonly expect?: number | "absent" } = {}): Unit {
  return { operations: [{ op: "put", key: keyOf(key), body: {}, ...more }], entries: [entry] };
}

test("a group commit holds at most `groupUnitsMax` units: one more begins another batch", async () => {
  const { groupUnitsMax } = defaultLimits;
  const store = await openSqliteStore({ path: join(folder, "group.db"), clock });
  await Promise.all(Array.from({ length: groupUnitsMax + 1 }, (_, index) => store.commit(put(`k${index}`))));
  const batches = await store.batches({ writer: store.writer, epoch: store.epoch, limit: 10 });
  expect(batches.map(({ count }) => count)).toEqual([groupUnitsMax, 1]);
  await store.close();
});

test("up to `storeInlineRowsMax` rows are read on the main thread, more through the worker, and both give the same rows", async () => {
  const { storeInlineRowsMax: max } = defaultLimits;
  const store = await openSqliteStore({ path: join(folder, "inline.db"), clock });
  const operations = Array.from(
    { length: max + 1 },
    (_, index) => put(String(index).padStart(4, "0")).operations[0] as Unit["operations"][0],
  );
  await store.commit({ operations, entries: [] });
  let threads = 0;
  const count = (): void => void (threads += 1);
  subscribe("worker_threads", count);
  const inline = await store.scan({ space: "test", tenant: "acme", limit: max });
  expect([inline.length, threads]).toEqual([max, 0]);
  const offloaded = await store.scan({ space: "test", tenant: "acme", limit: max + 1 });
  unsubscribe("worker_threads", count);
  expect([offloaded.length, threads]).toEqual([max + 1, 1]);
  expect(offloaded.slice(0, max)).toEqual(inline);
  await store.close();
});

test("a purge deletes `storeSliceRowsMax` rows at a time and lets others in between", async () => {
  const { storeSliceRowsMax: max } = defaultLimits;
  const store = await openSqliteStore({ path: join(folder, "slice.db"), clock });
  const operations = Array.from({ length: max * 3 }, (_, index) => put(`k${index}`, { dueMs: 1 }).operations[0] as Unit["operations"][0]);
  await store.commit({ operations, entries: [] });
  const left: number[] = [];
  const purge = store.purge({ space: "test", untilMs: 1, limit: 10_000 });
  for (let isDone = false; !isDone;) {
    void purge.then(() => (isDone = true));
    left.push((await store.scan({ space: "test", tenant: "acme", limit: 500 })).length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await purge).toBe(max * 3);
  expect(new Set(left)).toContain(max);
  await store.close();
});

test("versions are right however many rows the writer has seen beyond `storeCacheRowsMax`", async () => {
  const { storeCacheRowsMax: max } = defaultLimits;
  const store = await openSqliteStore({ path: join(folder, "cache.db"), clock });
  await store.commit(put("first"));
  await store.commit(put("first"));
  const operations = Array.from({ length: max + 1 }, (_, index) => put(`k${index}`).operations[0] as Unit["operations"][0]);
  for (let start = 0; start < operations.length; start += 500)
    await store.commit({ operations: operations.slice(start, start + 500), entries: [] });
  expect(await store.commit(put("first", { expect: 1 }))).toMatchObject({ kind: "refused" });
  expect(await store.commit(put("first", { expect: 2 }))).toMatchObject({ kind: "committed" });
  await store.close();
});

test("a lock that another program holds on the file is waited for, but not for ever", async () => {
  expect(defaultLimits.storeBusyMs).toBeLessThanOrEqual(1_000);
  const path = join(folder, "busy.db");
  await (await openSqliteStore({ path, clock })).close();
  const other = openWriting(path, 1);
  other.exec("begin immediate");
  const db = openWriting(path, 20);
  expect(() => db.exec("begin immediate")).toThrow(/locked/);
  other.exec("rollback");
  db.exec("begin immediate");
  db.close();
  other.close();
});

test("the commit log is brought into the tables once a file of it holds `storeLogBytesMax`, and its files grow no further", async () => {
  const { storeLogBytesMax: max } = defaultLimits;
  const path = join(folder, "log.db");
  const store = await openSqliteStore({ path, clock });
  const tables = new DatabaseSync(path);
  const rowsInTables = (): number => Number(tables.prepare("select count(*) as count from rows").get()?.["count"]);
  const body = "x".repeat(50_000);
  const commit = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1)
      await store.commit({ operations: [{ op: "put", key: keyOf(`k${index}`), body }], entries: [] });
  };
  const countIntoFile = Math.floor(max / 50_200);
  await commit(countIntoFile - 1);
  expect(rowsInTables()).toBe(0);
  await commit(countIntoFile * 6);
  expect(rowsInTables()).toBeGreaterThanOrEqual(countIntoFile);
  for (const file of [1, 2]) expect(statSync(`${path}-log-${file}`).size).toBeLessThan(max + 60_000);
  tables.close();
  await store.close();
});

test("up to `storeInlineBytesMax` of the log are brought in without the worker thread, more by it", async () => {
  const { storeInlineBytesMax: max } = defaultLimits;
  const path = join(folder, "thread.db");
  const log = new CommitLog({
    path,
    owner: { writer: "writer_1", epoch: 1 },
    lastFrame: 0,
    fileBytesMax: max * 8,
    mode: 0o600,
    random: systemRandom,
  });
  const rounds: string[] = [];
  const offload: Offload = {
    isStarted: false,
    run: () => {
      rounds.push("worker");
      return Promise.resolve(0 as never);
    },
    close: () => Promise.resolve(),
  };
  const bringInHere = (): number => rounds.push("here");
  const intake = new Intake({ log, offload, bringInHere, roundBytes: max * 8, inlineBytesMax: max, fileBytes: 0 });
  const row = (chars: number): FrameContent => ({
    epoch: 1,
    firstSeq: 1,
    drafts: [],
    texts: [],
    rows: new Map([["k", { key: keyOf("k"), version: 1, text: "x".repeat(chars), dueMs: undefined }]]),
    counters: new Map(),
  });
  intake.take(row(max - 1_000));
  await intake.whole();
  intake.take(row(max));
  await intake.whole();
  expect(rounds).toEqual(["here", "worker"]);
  log.close();
});

test("SQLite's log is moved into the file after `checkpointLogPagesMax` pages", async () => {
  const { checkpointLogPagesMax: pagesMax, storeLogBytesMax } = defaultLimits;
  const path = join(folder, "checkpoint.db");
  const store = await openSqliteStore({ path, clock });
  const bytesEach = 200_000;
  const count = Math.ceil((pagesMax * 8_192 * 2) / bytesEach);
  for (let index = 0; index < count; index += 1) {
    await store.commit({ operations: [{ op: "put", key: keyOf(`k${index}`), body: "x".repeat(bytesEach) }], entries: [] });
    if (index % 10 === 0) await store.writers();
  }
  expect(statSync(`${path}-wal`).size).toBeLessThan((pagesMax + 100) * 8_192 + storeLogBytesMax * 2);
  await store.close();
}, 60_000);

test("a memory store keeps about `memoryEntriesMax` entries, the newest", async () => {
  const { memoryEntriesMax: max } = defaultLimits;
  const store = createMemoryStore({ clock });
  const entries = Array.from({ length: 100 }, () => entry);
  for (let count = 0; count < max * 1.5; count += 100) await store.commit({ operations: [], entries });
  const kept = await store.entries({ limit: max * 2 });
  expect(kept.length).toBeGreaterThanOrEqual(max);
  expect(kept.length).toBeLessThanOrEqual(max * 1.25);
  expect(kept.at(-1)?.seq).toBe(max * 1.5);
  await store.close();
});

test("the data keys of `dataKeysCachedMax` owners are at hand, the longest unused is loaded again", async () => {
  const limits = { ...defaultLimits, dataKeysCachedMax: 2 };
  const keys = createDataKeys({
    store: createMemoryStore({ clock }),
    keyring: memoryKeyring(systemRandom),
    clock,
    random: systemRandom,
    limits,
  });
  for (const tenant of ["a", "b", "c"]) await keys.prepare(tenant, undefined);
  expect(keys.prepare("c", undefined)).toBeUndefined();
  expect(keys.prepare("b", undefined)).toBeUndefined();
  const again = keys.prepare("a", undefined);
  expect(again).toBeInstanceOf(Promise);
  await again;
  expect(keys.current("a", undefined).id).toMatch(/^[0-9a-f]{16}$/);
});
