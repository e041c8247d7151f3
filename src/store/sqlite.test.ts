import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import type { Clock } from "../base/clock.ts";
import { restoreSqlite } from "./restore.ts";
import { migrate, migrations, pragmaNumber, readMeta } from "./sqlite-schema.ts";
import { openSqliteReader, openSqliteStore, type SqliteStore } from "./sqlite.ts";
import { draftOf, keyOf, unitOf } from "./contract-model.fixture.ts";
import { expectWholeChain, storeContract } from "./store.contract.ts";
import type { Unit } from "./store.ts";

const clock: Clock = { now: () => 1_700_000_000_000, monotonic: () => 0, after: () => ({ cancel: () => undefined }) };
const folder = mkdtempSync(join(tmpdir(), "signalbox-store-"));
let fileCount = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newPath(): string {
  fileCount += 1;
  return join(folder, `${fileCount}.db`);
}

const open = (path: string): Promise<SqliteStore> => openSqliteStore({ path, clock });
const putUnit = (key: string): Unit =>
  unitOf([{ op: "put", key: keyOf(key), body: key, expect: "absent" }], [draftOf("call-settled", { callId: key })]);

storeContract("sqlite store", () => open(newPath()));

describe("sqlite store: files", () => {
  it("writes a file of an earlier version with the pages that it was made with, and a new one with pages that two entries share", async () => {
    const path = newPath();
    const earlier = new DatabaseSync(path);
    earlier.exec("pragma page_size = 4096; pragma journal_mode = wal");
    migrate(earlier, path, { writer: "writer_1", atMs: 1 });
    earlier.close();
    for (const [file, pageBytes] of [
      [path, 4_096],
      [newPath(), 8_192],
    ] as const) {
      const store = await open(file);
      expect(await store.commit(putUnit("a"))).toMatchObject({ kind: "committed" });
      expect(await store.check()).toEqual([]);
      await store.close();
      const db = new DatabaseSync(file);
      expect(pragmaNumber(db, "page_size")).toBe(pageBytes);
      db.close();
    }
  });

  it("keeps rows, counters, entries and the chain over a restart", async () => {
    const path = newPath();
    const first = await open(path);
    await first.commit(
      unitOf(
        [
          { op: "put", key: keyOf("a"), body: { n: 1 }, dueMs: 9 },
          { op: "add", key: keyOf("c"), delta: 4 },
        ],
        [draftOf("call-settled")],
      ),
    );
    const heads = await first.writers();
    await first.close();
    const second = await open(path);
    expect(await second.writers()).toEqual(heads);
    expect(await second.read([keyOf("a")])).toEqual([{ ...keyOf("a"), version: 1, body: { n: 1 }, dueMs: 9 }]);
    expect(await second.commit(unitOf([{ op: "add", key: keyOf("c"), delta: 1, max: 4 }]))).toMatchObject({ kind: "refused", value: 4 });
    expect(await second.commit(unitOf([], [draftOf("call-settled")]))).toMatchObject({
      entries: [{ seq: 2, epoch: 1, writer: heads[0]?.writer }],
    });
    await expectWholeChain(second);
    expect(await second.check()).toEqual([]);
    await second.close();
    expect(existsSync(`${path}-lock.pid`)).toBe(false);
  });

  it("goes on from the head although retention dropped every entry", async () => {
    const path = newPath();
    const first = await open(path);
    await first.commit(putUnit("a"));
    const [head] = await first.writers();
    expect(await first.dropEntries({ writer: first.writer, epoch: 1, throughSeq: 1 })).toBe(1);
    await first.close();
    const second = await open(path);
    expect(await second.writers()).toEqual([head]);
    await second.commit(putUnit("b"));
    expect(await second.batches({ writer: second.writer, epoch: 1, limit: 9 })).toMatchObject([{ firstSeq: 2, previous: head?.head }]);
    await second.close();
  });

  it("shares one file between two opens of a process, also by another spelling, until the last close", async () => {
    const path = newPath();
    const first = await open(path);
    symlinkSync(path, `${path}-link`);
    const second = await open(`${path}-link`);
    await first.commit(putUnit("a"));
    expect(await second.read([keyOf("a")])).toMatchObject([{ body: "a" }]);
    await first.close();
    await first.close();
    await expect(first.read([keyOf("a")])).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    expect(await second.commit(putUnit("b"))).toMatchObject({ kind: "committed" });
    await second.close();
  });

  it("refuses files that are not its own, and leaves them as they are", async () => {
    const text = newPath();
    writeFileSync(text, "dear diary, this is no database at all, and it never will be one");
    await expect(open(text)).rejects.toThrow(/is not a SQLite file/);
    expect(readFileSync(text, "utf8")).toMatch(/^dear diary/);
    const alien = newPath();
    const db = new DatabaseSync(alien);
    db.exec("create table theirs(a)");
    db.close();
    const before = readFileSync(alien);
    await expect(open(alien)).rejects.toThrow(/another program/);
    expect(readFileSync(alien).equals(before)).toBe(true);
    await expect(open(":memory:")).rejects.toThrow(/names no file/);
    await expect(open(join(folder, "absent", "x.db"))).rejects.toThrow(/does not exist/);
    expect(() => openSqliteReader({ path: newPath() })).toThrow(/no store/);
  });

  it("refuses a file whose last batch was changed behind its back", async () => {
    const path = newPath();
    const store = await open(path);
    await store.commit(putUnit("a"));
    await store.close();
    const db = new DatabaseSync(path);
    db.exec("update entries set text = replace(text, 'settled', 'sottled')");
    db.close();
    await expect(open(path)).rejects.toThrow(/does not match its entries/);
  });

  it("refuses a schema that serves only newer programs, and works with a newer one that serves it", async () => {
    const path = newPath();
    await (await open(path)).close();
    const db = new DatabaseSync(path);
    const known = migrations.length;
    const next = { version: known + 1, oldestServed: known, sql: "alter table meta add column extra text" };
    migrate(db, path, { writer: "", atMs: 0 }, [...migrations, next]);
    expect(readMeta(db, "oldest-served")).toBe(String(known));
    const store = await open(path);
    expect(await store.commit(putUnit("a"))).toMatchObject({ kind: "committed" });
    await store.close();
    migrate(db, path, { writer: "", atMs: 0 }, [
      ...migrations,
      next,
      { version: known + 2, oldestServed: known + 1, sql: "alter table meta drop column extra" },
    ]);
    db.close();
    await expect(open(path)).rejects.toThrow(/has schema 4.*this one knows 2: use a newer Signalbox/);
  });

  it("leaves the file untouched by a migration that fails half-way", async () => {
    const path = newPath();
    await (await open(path)).close();
    const db = new DatabaseSync(path);
    const version = migrations.length + 1;
    const broken = { version, oldestServed: version, sql: "create table half(a); create table half(a)" };
    expect(() => migrate(db, path, { writer: "", atMs: 0 }, [...migrations, broken])).toThrow(/already exists/);
    expect(db.prepare("select count(*) as count from sqlite_schema where name = 'half'").get()).toEqual({ count: 0 });
    db.close();
    await (await open(path)).close();
  });
});

describe("sqlite store: group commit", () => {
  it("seals units that came in one turn as one batch, and a lone unit alone", async () => {
    const store = await open(newPath());
    await Promise.all(Array.from({ length: 64 }, (_, index) => store.commit(putUnit(`k${index}`))));
    await store.commit(putUnit("lone"));
    const batches = await store.batches({ writer: store.writer, epoch: 1, limit: 9 });
    expect(batches.map(({ count }) => count)).toEqual([64, 1]);
    await store.close();
  });

  it("writes a group at its cap without waiting for the end of the turn", async () => {
    const store = await open(newPath());
    await Promise.all(Array.from({ length: 600 }, (_, index) => store.commit(putUnit(`k${index}`))));
    const batches = await store.batches({ writer: store.writer, epoch: 1, limit: 9 });
    expect(Math.max(...batches.map(({ count }) => count))).toBeLessThanOrEqual(256);
    await store.close();
  });

  it("shows nobody a row before it is on disk", async () => {
    const path = newPath();
    const store = await open(path);
    const reader = openSqliteReader({ path });
    const commit = store.commit({ ...putUnit("a"), wait: "claimed" });
    const [row] = await store.read([keyOf("a")]);
    expect([row, (await reader.read([keyOf("a")]))[0]]).toEqual([row, row]);
    expect(row).toMatchObject({ body: "a" });
    await commit;
    await reader.close();
    await store.close();
  });

  it("says that the store is full, keeps what was acknowledged, and takes what still fits", async () => {
    const path = newPath();
    const store = await openSqliteStore({ path, clock, fileBytesMax: 400_000 });
    const big = (key: string): Unit => unitOf([{ op: "put", key: keyOf(key), body: "x".repeat(50_000) }], [draftOf("call-settled")]);
    const kept: string[] = [];
    let refusal: unknown;
    for (let index = 0; index < 20 && refusal === undefined; index += 1) {
      await store.commit(big(`k${index}`)).then(
        () => kept.push(`k${index}`),
        (error: unknown) => (refusal = error),
      );
    }
    expect(refusal).toMatchObject({ code: "LEDGER_UNAVAILABLE", message: expect.stringContaining("full") as string });
    expect(kept.length).toBeGreaterThan(3);
    expect(await store.commit(unitOf([{ op: "delete", key: keyOf("k0") }]))).toMatchObject({ kind: "committed" });
    await store.close();
    const again = await open(path);
    expect((await again.scan({ space: "thing", tenant: "acme", limit: 99 })).map(({ key }) => key)).toEqual(kept.slice(1).toSorted());
    await expectWholeChain(again);
    await again.close();
  });

  it("moves its log into the file on the way, so that the log stays short", async () => {
    const path = newPath();
    const store = await open(path);
    const body = "x".repeat(3_000);
    for (let round = 0; round < 500; round += 1) {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => store.commit(unitOf([{ op: "put", key: keyOf(`${round}/${index}`), body }]))),
      );
    }
    // Each of the 10,000 rows fills a page of 8,192 bytes of its own at least once.
    const writtenBytesMin = 500 * 20 * 8_192;
    expect(statSync(`${path}-wal`).size).toBeLessThan(writtenBytesMin * 0.75);
    await store.close();
    const again = await open(path);
    expect(await again.scan({ space: "thing", tenant: "acme", limit: 50_000 })).toHaveLength(10_000);
    await again.close();
  });
});

const storeUrl = new URL("./sqlite.ts", import.meta.url).href;
const childSource = `
  const { openSqliteStore } = await import(${JSON.stringify(storeUrl)});
  const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => ({ cancel() {} }) };
  let store;
  try { store = await openSqliteStore({ path: process.argv[1], clock }); }
  catch (error) { console.log("refused " + error.message); process.exit(0); }
  console.log("open " + process.pid);
  const caller = async (name) => {
    for (let n = 0; ; n += 1) {
      const key = { space: "thing", tenant: "acme", key: name + "-" + n };
      const result = await store.commit({
        operations: [{ op: "put", key, body: n, expect: "absent" }, { op: "add", key: { space: "n", tenant: "acme", key: "all" }, delta: 1 }],
        entries: [{ tenant: "acme", kind: "call-settled", atMs: 1, callId: key.key, body: {} }],
      });
      process.stdout.write(key.key + " " + result.entries[0].seq + "\\n");
    }
  };
  if (process.argv[2] !== "idle") ["a", "b", "c", "d", "e"].map(caller);
  else setInterval(() => {}, 1000);
`;

function startChild(path: string, mode: "idle" | "writing") {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", childSource, path, mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  return { child, lines };
}

describe("sqlite store: processes", () => {
  it("keeps every acknowledged unit over kill -9, and counts none twice", async () => {
    const path = newPath();
    for (let round = 0; round < 3; round += 1) {
      const { child, lines } = startChild(`${path}${round}`, "writing");
      const acknowledged: string[] = [];
      for await (const line of lines) {
        if (/^[a-e]-/.test(line)) acknowledged.push(line);
        if (acknowledged.length === 200 + round * 150) child.kill("SIGKILL");
      }
      const store = await open(`${path}${round}`);
      const entries = await store.entries({ limit: 100_000 });
      const stored = new Set(entries.map(({ callId, seq }) => `${callId} ${seq}`));
      expect(acknowledged.filter((line) => !stored.has(line))).toEqual([]);
      expect(acknowledged.length).toBeGreaterThanOrEqual(200);
      expect(await store.counters([keyOf("all", "n")])).toEqual([entries.length]);
      expect(await store.scan({ space: "thing", tenant: "acme", limit: 100_000 })).toHaveLength(entries.length);
      await expectWholeChain(store);
      await store.close();
    }
  });

  it("refuses a second writing process and names the first, lets readers read, and is free after kill -9", async () => {
    const path = newPath();
    const { child, lines } = startChild(path, "idle");
    expect((await once(lines, "line"))[0]).toBe(`open ${child.pid}`);
    await expect(open(path)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`process \`${child.pid}\``) as string,
    });
    expect(() => restoreSqlite({ from: `${path}-lock.pid`, to: path, clock, overwrite: true })).toThrow(/already written by process/);
    const reader = openSqliteReader({ path });
    expect(await reader.writers()).toMatchObject([{ seq: 0 }]);
    await reader.close();
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await open(path);
    expect(await store.commit(putUnit("a"))).toMatchObject({ kind: "committed" });
    const second = startChild(path, "idle");
    expect((await once(second.lines, "line"))[0]).toBe(
      `refused \`${path}\` is already written by process \`${process.pid}\`; stop that process, or use \`postgres://\` for several processes`,
    );
    await store.close();
  });
});

describe("sqlite store: backup and restore", () => {
  it("restores a backup taken under load as a new epoch whose chain goes on", async () => {
    const [path, copy, target] = [newPath(), newPath(), newPath()];
    const store = await open(path);
    await store.commit(putUnit("a"));
    const [backup] = await Promise.all([
      store.backup(copy),
      ...Array.from({ length: 20 }, (_, index) => store.commit(putUnit(`k${index}`))),
    ]);
    expect(backup).toBeUndefined();
    await expect(store.backup(copy)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    await store.close();

    const record = restoreSqlite({ from: copy, to: target, clock });
    expect(record).toMatchObject({ epoch: 2, atMs: clock.now() });
    expect(record.lastSeq).toBeGreaterThanOrEqual(1);
    const restored = await open(target);
    expect(restored).toMatchObject({ epoch: 2, writer: store.writer, restored: record });
    await restored.commit(unitOf([], [draftOf("store-restored")]));
    expect(await restored.entries({ kind: "store-restored", limit: 9 })).toMatchObject([{ epoch: 2, seq: record.lastSeq + 1 }]);
    expect(await restored.writers()).toMatchObject([
      { epoch: 1, seq: record.lastSeq },
      { epoch: 2, seq: record.lastSeq + 1 },
    ]);
    await expectWholeChain(restored);
    await restored.close();
  });

  it("replaces a store only when told to, and never goes back to an epoch that was used", async () => {
    const [path, copy] = [newPath(), newPath()];
    const store = await open(path);
    await store.commit(putUnit("a"));
    await store.backup(copy);
    await store.commit(putUnit("gap"));
    await store.close();
    expect(() => restoreSqlite({ from: copy, to: path, clock })).toThrow(/exists already/);
    expect(restoreSqlite({ from: copy, to: path, clock, overwrite: true }).epoch).toBe(2);
    expect(restoreSqlite({ from: copy, to: path, clock, overwrite: true }).epoch).toBe(3);
    const restored = await open(path);
    expect(await restored.read([keyOf("a"), keyOf("gap")])).toMatchObject([{ body: "a" }, undefined]);
    await restored.close();
  });

  it("refuses to restore what is no backup", () => {
    const [path, empty] = [newPath(), newPath()];
    expect(() => restoreSqlite({ from: path, to: newPath(), clock })).toThrow(/no backup/);
    writeFileSync(empty, "");
    expect(() => restoreSqlite({ from: empty, to: path, clock })).toThrow(/backup is empty/);
    expect(existsSync(path)).toBe(false);
    expect(() => restoreSqlite({ from: empty, to: empty, clock })).toThrow(/onto itself/);
  });
});
