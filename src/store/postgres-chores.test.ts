import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import { draftOf, keyOf, unitOf } from "./contract-model.fixture.ts";
import { connect, databaseAddress } from "./postgres-driver.ts";
import { prepareSession } from "./postgres-lease.ts";
import { startLossyNetwork } from "./postgres-processes.fixture.ts";
import { restorePostgres } from "./postgres-restore.ts";
import { knownSchema, migratePostgres, postgresMigrations } from "./postgres-schema.ts";
import { expectWholeChains, open, putUnit } from "./postgres-store.fixture.ts";
import { startTestServer, type TestServer } from "./postgres.fixture.ts";
import type { Unit } from "./store.ts";

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), "signalbox-postgres-files-"));
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

describe("postgres store: schema", () => {
  const known = knownSchema();
  const [next, last] = [known + 1, known + 2];
  const step = (version: number, oldestServed: number) => ({
    version,
    oldestServed,
    sql: `create table signalbox.extra_${version}(a int)`,
  });
  const migrateWith = async (database: string, more: readonly ReturnType<typeof step>[]): Promise<void> => {
    const address = databaseAddress(database);
    const connection = await connect(address, { isPipelined: false });
    await migratePostgres(connection, address, { atMs: 0 }, [...postgresMigrations, ...more]).finally(() => void connection.close());
  };

  it("is made once however many processes start at the same time", async () => {
    const database = await server.newDatabase();
    const stores = await Promise.all(Array.from({ length: 4 }, async () => open(database)));
    expect(new Set(stores.map(({ writer }) => writer)).size).toBe(4);
    await Promise.all(stores.map((store) => store.close()));
  });

  it("is never brought past what a live older process knows, and refuses that process afterwards", async () => {
    const database = await server.newDatabase();
    const store = await open(database);
    await migrateWith(database, [step(next, known)]);
    expect(await store.commit(putUnit("a"))).toMatchObject({ kind: "committed" });
    await expect(migrateWith(database, [step(next, known), step(last, last)])).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`the live writer \`${store.writer}\` knows only schema ${known}`) as string,
    });
    await store.close();
    const between = await open(database);
    await between.close();
    await migrateWith(database, [step(next, known), step(last, last)]);
    await expect(open(database)).rejects.toThrow(`knows ${known}: use a newer Signalbox`);
  });

  it("leaves the database untouched by a migration that fails half-way", async () => {
    const database = await server.newDatabase();
    const broken = { version: next, oldestServed: known, sql: "create table signalbox.half(a int); create table signalbox.half(a int)" };
    await expect(migrateWith(database, [broken])).rejects.toThrow(/already exists/);
    expect(await server.query(database, "select to_regnamespace('signalbox')::text as found")).toEqual([{ found: null }]);
    await (await open(database)).close();
  });

  it("refuses what is no database of its own, and never repeats a password", async () => {
    const database = await server.newDatabase();
    await server.query(database, "create schema signalbox");
    await expect(open(database)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("another program") as string,
    });
    await expect(open("mysql://root:hunter2@localhost/db")).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.not.stringContaining("hunter2") as string,
    });
    const wrong = new URL(database);
    wrong.password = "hunter2";
    await expect(open(wrong.href)).rejects.toMatchObject({
      code: "LEDGER_UNAVAILABLE",
      message: expect.not.stringContaining("hunter2") as string,
    });
  });

  it("refuses to write on where the last batch was changed behind its back", async () => {
    const database = await server.newDatabase();
    const store = await open(database);
    await store.commit(putUnit("a"));
    await store.close();
    await server.query(database, "update signalbox.entries set text = replace(text, 'settled', 'sottled')");
    await expect(open(database)).rejects.toThrow(/does not match its entries/);
  });
});

describe("postgres store: backup and restore", () => {
  it("restores a backup taken under load as a new epoch whose chains go on", async () => {
    const [database, target] = [await server.newDatabase(), await server.newDatabase()];
    const path = join(folder, "backup");
    const [first, second] = await Promise.all([open(database), open(database)]);
    await first.commit(
      unitOf(
        [{ op: "put", key: keyOf("odd\u0000\u0001"), body: { text: "a\u0000\u{1F600}" }, dueMs: 7 }],
        [draftOf("a-done", { sealed: new Uint8Array([0, 255]) })],
      ),
    );
    await second.commit(unitOf([{ op: "add", key: keyOf("n"), delta: 5 }], [draftOf("b-done")]));
    await Promise.all([first.backup(path), ...Array.from({ length: 20 }, async (_, index) => first.commit(putUnit(`k${index}`)))]);
    await expect(first.backup(path)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    expect(existsSync(`${path}-writing`)).toBe(false);

    const record = await restorePostgres({ connectionString: target, from: path, clock: systemClock });
    expect(record).toMatchObject({ epoch: 2 });
    await expect(restorePostgres({ connectionString: target, from: path, clock: systemClock })).rejects.toThrow(/holds a store already/);
    const restored = await open(target);
    expect(restored).toMatchObject({ epoch: 2, restored: record });
    expect(await restored.read([keyOf("odd\u0000\u0001")])).toMatchObject([{ body: { text: "a\u0000\u{1F600}" }, dueMs: 7, version: 1 }]);
    expect(await restored.counters([keyOf("n")])).toEqual([5]);
    const [entry] = await restored.entries({ kind: "a-done", limit: 1 });
    expect([...(entry?.sealed ?? [])]).toEqual([0, 255]);
    const before = record.heads.find(({ writer }) => writer === restored.writer);
    expect(await restored.commit(unitOf([], [draftOf("ledger-restored")]))).toMatchObject({
      entries: [{ epoch: 2, seq: (before?.seq ?? 0) + 1, writer: restored.writer }],
    });
    await expectWholeChains(restored);
    expect((await restored.writers()).map(({ epoch }) => epoch)).toEqual([1, 1, 2, 2]);
    await Promise.all([first.close(), second.close(), restored.close()]);
  });

  it("refuses a file that is cut off, or no backup, and leaves the database empty", async () => {
    const [database, target] = [await server.newDatabase(), await server.newDatabase()];
    const store = await open(database);
    await store.commit(putUnit("a"));
    await store.backup(join(folder, "whole"));
    await store.close();
    const lines = gunzipSync(readFileSync(join(folder, "whole")))
      .toString()
      .trimEnd()
      .split("\n");
    writeFileSync(join(folder, "cut"), gzipSync(lines.slice(0, -1).join("\n")));
    writeFileSync(join(folder, "text"), "dear diary");
    for (const name of ["cut", "text", "absent"])
      await expect(restorePostgres({ connectionString: target, from: join(folder, name), clock: systemClock })).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("no whole backup") as string,
      });
    expect(await server.query(target, "select to_regnamespace('signalbox')::text as found")).toEqual([{ found: null }]);
    expect(
      (await restorePostgres({ connectionString: target, from: join(folder, "whole"), clock: systemClock, replacedEpoch: 6 })).epoch,
    ).toBe(7);
  });
});

describe("postgres store: bounds", () => {
  const plainPut = (key: string): Unit => unitOf([{ op: "put", key: keyOf(key), body: 2 }]);

  /** A store with a row `a` that another program holds. */
  async function heldRow(limits: Parameters<typeof open>[1]) {
    const database = await server.newDatabase();
    const store = await open(database, limits);
    await (await open(database)).commit(putUnit("a"));
    const holder = new Client({ connectionString: database });
    await holder.connect();
    await holder.query("begin");
    await holder.query("select 1 from signalbox.rows for update");
    const release = async (): Promise<void> => {
      await holder.query("rollback");
      await holder.end();
    };
    return { database, store, release };
  }

  it("gives up on rows that stay held after `storeLockMs`, `storeAttemptsMax` times", async () => {
    const { store, release } = await heldRow({ storeLockMs: 60, storeAttemptsMax: 2 });
    await expect(store.commit(plainPut("a"))).rejects.toMatchObject({
      code: "LEDGER_UNAVAILABLE",
      message: expect.stringContaining("changed the same rows 2 times") as string,
    });
    await release();
    expect(await store.commit(plainPut("a"))).toMatchObject({ kind: "committed" });
    expect(await store.read([keyOf("a")])).toMatchObject([{ version: 2 }]);
    await store.close();
  });

  it("takes a connection that is silent for `storeAnswerMs` for lost, and writes once on the next", async () => {
    const { database, store, release } = await heldRow({ storeAnswerMs: 300 });
    const fenceOf = async (): Promise<unknown> =>
      (await server.query(database, "select fence from signalbox.writers where id = $1", [store.writer]))[0]?.["fence"];
    const before = await fenceOf();
    const commit = store.commit(plainPut("a"));
    while ((await fenceOf()) === before) await store.writers();
    await release();
    expect(await commit).toMatchObject({ kind: "committed" });
    expect(await store.read([keyOf("a")])).toMatchObject([{ version: 2 }]);
    await store.close();
  });

  it("refuses what waits when the database stays away for `storeReconnectMs`, and a silent one after `storeConnectMs`", async () => {
    const network = await startLossyNetwork(await server.newDatabase());
    const store = await open(network.connectionString, { storeReconnectMs: 100 });
    await network.close();
    // The first may have been sent on the connection that was just cut, so that nobody can say what came of it; the next was certainly not.
    await expect(store.commit(putUnit("a"))).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await expect(store.commit(putUnit("b"))).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE", effect: "none" });
    await expect(store.read([keyOf("a")])).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await store.close();
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = `postgres://u@127.0.0.1:${(silent.address() as AddressInfo).port}/d`;
    await expect(open(address, { storeConnectMs: 60 })).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    silent.close();
  });

  it("ends a session that is silent inside a transaction for `storeTransactionIdleMs`", async () => {
    const database = await server.newDatabase();
    const connection = await connect(databaseAddress(database), { isPipelined: true });
    await prepareSession(connection, { ...defaultLimits, storeTransactionIdleMs: 50 });
    await connection.query("begin");
    while (connection.isAlive()) await server.query(database, "select 1");
    await expect(connection.query("commit")).rejects.toThrow();
    await connection.close();
  });

  it("reads through at most `storeConnectionsMax` connections beside the one that writes", async () => {
    const database = await server.newDatabase();
    const store = await open(database, { storeConnectionsMax: 2 });
    await Promise.all(Array.from({ length: 40 }, async () => store.writers()));
    const [found] = await server.query(
      database,
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name = 'signalbox'",
    );
    expect(found).toEqual({ count: 3 });
    await store.close();
  });
});
