/** A SQLite store and its commit log: what fails, what is left behind, who reads meanwhile. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Clock } from "../base/clock.ts";
import { draftOf, keyOf, unitOf } from "./contract-model.fixture.ts";
import { logPaths } from "./log-file.ts";
import { migrate, migrations } from "./sqlite-schema.ts";
import { openSqliteReader, openSqliteStore, type SqliteStore } from "./sqlite.ts";
import { expectWholeChain } from "./store.contract.ts";
import type { Unit } from "./store.ts";

const clock: Clock = { now: () => 1_700_000_000_000, monotonic: () => 0, after: () => ({ cancel: () => undefined }) };
const folder = mkdtempSync(join(tmpdir(), "signalbox-log-"));
let fileCount = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newPath(): string {
  fileCount += 1;
  return join(folder, `${fileCount}.db`);
}

const open = (path: string): Promise<SqliteStore> => openSqliteStore({ path, clock });
const putUnit = (key: string): Unit =>
  unitOf([{ op: "put", key: keyOf(key), body: key, expect: "absent" }], [draftOf("call-settled", { callId: key })]);

describe("a store that cannot write", () => {
  it("loses a whole group, and no more, when the disk is full, and then goes on", async () => {
    const path = newPath();
    const store = await open(path);
    symlinkSync("/dev/full", `${path}-log-1`);
    const lost = await Promise.allSettled([store.commit(putUnit("a")), store.commit(putUnit("b")), store.commit(putUnit("a"))]);
    for (const result of lost)
      expect(result).toMatchObject({
        status: "rejected",
        reason: { code: "LEDGER_UNAVAILABLE", message: expect.stringContaining("full") as string },
      });
    rmSync(`${path}-log-1`);
    expect(await store.read([keyOf("a"), keyOf("b")])).toEqual([undefined, undefined]);
    expect(await store.commit(putUnit("a"))).toMatchObject({ entries: [{ seq: 1 }] });
    await expectWholeChain(store);
    await store.close();
  });

  it("refuses everything after a failure of the disk that leaves open what is written, until it is opened again", async () => {
    const path = newPath();
    const store = await open(path);
    mkdirSync(`${path}-log-1`);
    for (const key of ["a", "b"])
      await expect(store.commit(putUnit(key))).rejects.toMatchObject({
        code: "LEDGER_UNAVAILABLE",
        message: expect.stringContaining("the disk refused it") as string,
      });
    rmdirSync(`${path}-log-1`);
    await expect(store.commit(putUnit("c"))).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await store.close();
    const again = await open(path);
    expect(await again.commit(putUnit("a"))).toMatchObject({ entries: [{ seq: 1 }] });
    await again.close();
  });

  it("commits while another program holds the tables, says so to who needs them, and waits no longer once the log is full", async () => {
    const path = newPath();
    const store = await open(path);
    const intruder = new DatabaseSync(path);
    intruder.exec("begin immediate");
    expect(await store.commit(putUnit("a"))).toMatchObject({ kind: "committed" });
    expect(await store.read([keyOf("a")])).toMatchObject([{ body: "a" }]);
    await expect(store.entries({ limit: 9 })).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    const big = (index: number): Unit => unitOf([{ op: "put", key: keyOf(`big-${index}`), body: "x".repeat(900_000) }]);
    const kept: number[] = [];
    let refusal: unknown;
    for (let index = 0; index < 9 && refusal === undefined; index += 1)
      await store.commit(big(index)).then(
        () => kept.push(index),
        (error: unknown) => (refusal = error),
      );
    expect(refusal).toMatchObject({ code: "LEDGER_UNAVAILABLE", message: expect.stringContaining("another program holds") as string });
    intruder.exec("rollback");
    intruder.close();
    expect(await store.commit(putUnit("b"))).toMatchObject({ entries: [{ seq: 2 }] });
    expect(await store.scan({ space: "thing", tenant: "acme", prefix: "big-", limit: 9 })).toHaveLength(kept.length);
    await expectWholeChain(store);
    await store.close();
  });

  it("refuses a group that the log has no space for, takes the next that fits, and no more is there after a restart", async () => {
    const path = newPath();
    const storeUrl = new URL("./sqlite.ts", import.meta.url).href;
    const source = `
      const { openSqliteStore } = await import(${JSON.stringify(storeUrl)});
      const clock = { now: () => 1, monotonic: () => 0, after: () => ({ cancel() {} }) };
      const store = await openSqliteStore({ path: process.argv[1], clock });
      const unit = (key, length) => ({
        operations: [{ op: "put", key: { space: "thing", tenant: "acme", key }, body: "x".repeat(length) }],
        entries: [{ tenant: "acme", kind: "call-settled", atMs: 1, body: { key } }],
      });
      for (const [key, length] of [["a", 10], ["b", 4_000_000], ["c", 10]])
        await store.commit(unit(key, length)).then((result) => console.log(key, result.kind), (error) => console.log(key, error.code, error.message));
      process.kill(process.pid, "SIGKILL");`;
    // A file may have 2,000 blocks of 1,024 bytes.
    const shell = 'ulimit -f 2000; exec "$0" --input-type=module --eval "$1" "$2"';
    const { stdout } = spawnSync("bash", ["-c", shell, process.execPath, source, path], { encoding: "utf8" });
    const refusal = "b LEDGER_UNAVAILABLE the store could not write, because the disk or the store's size limit is full";
    expect(stdout.split("\n").map((line) => line.split(";")[0])).toEqual(["a committed", refusal, "c committed", ""]);
    const store = await open(path);
    expect((await store.scan({ space: "thing", tenant: "acme", limit: 9 })).map(({ key }) => key)).toEqual(["a", "c"]);
    expect(await store.entries({ limit: 9 })).toHaveLength(2);
    await expectWholeChain(store);
    await store.close();
  });
});

/** A store as a process that was killed left it: its file with SQLite's log, and the commit log. */
function leave(path: string): string {
  const left = newPath();
  for (const ending of ["", "-wal", "-log-1", "-log-2"])
    if (existsSync(path + ending)) writeFileSync(left + ending, readFileSync(path + ending));
  return left;
}

/** Bytes of the log from which on nothing counts: cut off, or no longer what was written. */
const damage = fc.record({ bytes: fc.nat(), isCut: fc.boolean() });

describe("what a process that died left in the log", () => {
  it("is the state of a prefix that holds every acknowledged unit, wherever the last write broke off", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
        fc.nat(8),
        damage,
        async (groups, broughtInAfter, { bytes, isCut }) => {
          const path = newPath();
          const store = await open(path);
          const [log] = logPaths(path);
          let unitCount = 0;
          let sizeBefore = 0;
          for (const [index, size] of groups.entries()) {
            if (index === broughtInAfter) await store.writers();
            sizeBefore = existsSync(log) ? statSync(log).size : 0;
            await Promise.all(Array.from({ length: size }, () => store.commit(unitAt(unitCount++))));
          }
          const left = leave(path);
          await store.close();
          // The last group counts as one of which nobody was told: its write broke off somewhere.
          const whole = readFileSync(logPaths(left)[0]);
          const at = sizeBefore + (bytes % (whole.length - sizeBefore));
          writeFileSync(
            logPaths(left)[0],
            isCut ? whole.subarray(0, at) : Buffer.concat([whole.subarray(0, at), Buffer.alloc(whole.length - at, 0xa5)]),
          );
          await expectPrefix(left, unitCount - (groups.at(-1) as number));
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);

  it("is brought in once, however often a start is cut short", async () => {
    const path = newPath();
    const store = await open(path);
    for (let index = 0; index < 5; index += 1) await store.commit(unitAt(index));
    const left = leave(path);
    await store.close();
    const [log] = logPaths(left);
    const bytes = readFileSync(log);
    for (let start = 0; start < 3; start += 1) {
      await expectPrefix(left, 5);
      // As if the process had died after the tables were written and before the log was removed.
      writeFileSync(log, bytes);
    }
    const again = await open(left);
    await again.commit(unitAt(5));
    await again.close();
    await expectPrefix(left, 6);
  });

  it("is refused where it is damaged or of another store, and then stays as it is", async () => {
    const [path, other] = [newPath(), newPath()];
    const store = await open(path);
    for (let index = 0; index < 5; index += 1) await store.commit(unitAt(index));
    const left = leave(path);
    await store.close();
    const [log] = logPaths(left);
    const bytes = readFileSync(log);
    const damaged = Buffer.from(bytes);
    damaged[600] = (damaged[600] as number) ^ 1;
    writeFileSync(log, damaged);
    await expect(open(left)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `\`${log}\` is damaged at byte 512: frame 1 cannot be read, but frame 2 after it can: what was committed last is not whole; restore a backup`,
    });
    await expect(openSqliteReader({ path: left }).read([keyOf("k0")])).rejects.toThrow(/is damaged at byte 512/);
    expect(readFileSync(log).equals(damaged)).toBe(true);
    await (await open(other)).close();
    writeFileSync(logPaths(other)[0], bytes);
    await expect(open(other)).rejects.toThrow(/belongs to epoch 1 of the store/);
    writeFileSync(log, bytes);
    await expectPrefix(left, 5);
  });
});

const unitAt = (index: number): Unit =>
  unitOf(
    [
      { op: "put", key: keyOf(`k${index}`), body: index, expect: "absent", dueMs: index + 1 },
      { op: "put", key: keyOf("last"), body: index },
      { op: "add", key: keyOf("count"), delta: 1 },
    ],
    [draftOf("call-intended", { callId: `call-${index}` }), draftOf("call-settled", { callId: `call-${index}` })],
  );

/** A reader finds it before anybody opens it to write, and so does who opens it. */
async function expectPrefix(path: string, unitCount: number): Promise<void> {
  const find = async (from: Pick<SqliteStore, "scan" | "due" | "counters" | "entries" | "read">): Promise<unknown> => ({
    rows: (await from.scan({ space: "thing", tenant: "acme", prefix: "k", limit: 99 })).map(({ body }) => JSON.stringify(body)),
    due: (await from.due({ space: "thing", untilMs: 99, limit: 99 })).length,
    count: await from.counters([keyOf("count")]),
    last: (await from.read([keyOf("last")]))[0]?.version ?? 0,
    entries: (await from.entries({ limit: 400 })).map(({ seq }) => seq),
    ofFirst: (await from.entries({ callId: "call-0", limit: 9 })).length,
  });
  const expected = {
    // In the order of their keys.
    rows: Array.from({ length: unitCount }, (_, index) => String(index)).toSorted((left, right) => (left < right ? -1 : 1)),
    due: unitCount,
    count: [unitCount],
    last: unitCount,
    entries: Array.from({ length: unitCount * 2 }, (_, index) => index + 1),
    ofFirst: unitCount > 0 ? 2 : 0,
  };
  const reader = openSqliteReader({ path });
  expect(await find(reader)).toEqual(expected);
  const heads = await reader.writers();
  await expectWholeChain(reader);
  await reader.close();
  const store = await open(path);
  expect(await find(store)).toEqual(expected);
  expect(await store.writers()).toEqual(heads);
  await store.close();
  expect(logPaths(path).some(existsSync)).toBe(false);
  const closed = openSqliteReader({ path });
  expect((await expectWholeChain(closed)).at(-1)?.head).toBe(unitCount > 0 ? heads.at(-1)?.head : undefined);
  await closed.close();
}

describe("readers of a store that another connection writes", () => {
  it("see every acknowledged unit and a whole chain at any moment, while files of the log are used again and again", async () => {
    const path = newPath();
    const store = await open(path);
    const reader = openSqliteReader({ path });
    const padding = "x".repeat(20_000);
    let acknowledged = 0;
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          store.commit(
            unitOf(
              [
                { op: "put", key: keyOf(`r${round}-${index}`), body: padding },
                { op: "add", key: keyOf("count"), delta: 1 },
              ],
              [draftOf("call-settled", { sessionId: "s" })],
            ),
          ),
        ),
      );
      acknowledged += 10;
      if (round % 6 !== 0) continue;
      expect(await reader.counters([keyOf("count")])).toEqual([acknowledged]);
      expect(await reader.writers()).toMatchObject([{ seq: acknowledged }]);
      expect((await reader.entries({ sessionId: "s", limit: 10_000 })).map(({ seq }) => seq)).toEqual(
        Array.from({ length: acknowledged }, (_, index) => index + 1),
      );
      expect((await reader.entries({ newestFirst: true, limit: 3 })).map(({ seq }) => seq)).toEqual([
        acknowledged,
        acknowledged - 1,
        acknowledged - 2,
      ]);
      const batches = await reader.batches({ writer: store.writer, epoch: 1, limit: 1_000 });
      expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(acknowledged);
      expect(batches.at(-1)?.head).toBe((await reader.writers())[0]?.head);
    }
    await reader.close();
    await store.close();
  });
});

describe("a file of schema 1", () => {
  it("keeps what its table of changes still held, the latest of each, and its entries are found", async () => {
    const path = newPath();
    const db = new DatabaseSync(path);
    migrate(db, path, { writer: "writer_1", atMs: 0 }, migrations.slice(0, 1));
    db.exec(`
      insert into meta(name, value) values('referred-through', '0');
      insert into rows(space, tenant, key, version, body, due_ms) values('thing', 'acme', 'gone', 1, '1', null);
      insert into counters(space, tenant, key, value, due_ms) values('thing', 'acme', 'c', 1, 9);`);
    const log = db.prepare("insert into changes(id, body) values(?, ?)");
    const changes = (version: number): string =>
      JSON.stringify({
        rows: [
          ["thing", "acme", "a", version, { version, text: "z\u0000" }, version],
          ["thing", "acme", "gone", 0, null, null],
        ],
        counters: [["thing", "acme", "c", version, null]],
      });
    log.run(1, changes(1));
    log.run(2, changes(2));
    db.close();
    const store = await open(path);
    expect(await store.read([keyOf("a"), keyOf("gone")])).toEqual([
      { ...keyOf("a"), version: 2, body: { version: 2, text: "z\u0000" }, dueMs: 2 },
      undefined,
    ]);
    expect(await store.counters([keyOf("c")])).toEqual([2]);
    expect(await store.purge({ space: "thing", untilMs: 9, limit: 9 })).toBe(2);
    await store.commit(putUnit("b"));
    expect(await store.entries({ callId: "b", limit: 9 })).toHaveLength(1);
    await store.close();
  });
});

it("is closed while its thread still answers, also where nothing else keeps the process alive", () => {
  const path = newPath();
  const source = `
    import { spawnSync } from "node:child_process";
    const { openSqliteStore } = await import(${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)});
    const clock = { now: () => 1, monotonic: () => 0, after: () => ({ cancel() {} }) };
    const store = await openSqliteStore({ path: process.argv[2], clock });
    await store.check();
    store.check().catch(() => undefined);
    // Meanwhile the thread answers, and this one hears of it only once it has begun to end the thread.
    spawnSync(process.execPath, ["--version"]);
    await store.close();
    console.log("closed");`;
  const script = `${path}.mjs`;
  writeFileSync(script, source);
  const { stdout, status } = spawnSync(process.execPath, [script, path], { encoding: "utf8" });
  expect([stdout.trim(), status]).toEqual(["closed", 0]);
});
