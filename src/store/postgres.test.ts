import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { keyOf, unitArbitrary, unitOf } from "./contract-model.fixture.ts";
import { startLossyNetwork, startStoreChild, type StoreChild } from "./postgres-processes.fixture.ts";
import { openPostgresReader } from "./postgres-reader.ts";
import { expectWholeChains, open, putUnit } from "./postgres-store.fixture.ts";
import { startTestServer, type TestServer } from "./postgres.fixture.ts";
import type { PostgresStore } from "./postgres.ts";
import { storeContract } from "./store.contract.ts";
import type { CommitResult, Operation, Unit } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
}, 60_000);

storeContract("postgres store", async () => open(await server.emptiedDatabase()));

describe("postgres store: writers", () => {
  it("gives every open store a writer of its own, and a free place with its chain to the next", async () => {
    const database = await server.newDatabase();
    const [first, second] = await Promise.all([open(database), open(database)]);
    expect(first.writer).not.toBe(second.writer);
    await first.commit(putUnit("a"));
    await second.commit(putUnit("b"));
    expect(await second.commit(putUnit("a"))).toMatchObject({ kind: "refused", row: { body: "a" } });
    const left = first.writer;
    await first.close();
    const third = await open(database);
    expect(third.writer).toBe(left);
    expect(await third.commit(putUnit("c"))).toMatchObject({ entries: [{ writer: left, seq: 2, epoch: 1 }] });
    expect((await third.writers()).map(({ seq }) => seq)).toEqual(expect.arrayContaining([1, 2]));
    await expectWholeChains(third);
    await Promise.all([second.close(), third.close()]);
  });

  it("lets a reader look without becoming a writer", async () => {
    const database = await server.newDatabase();
    const early = openPostgresReader({ connectionString: database, clock: systemClock });
    await expect(early.writers()).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("there is no store") as string,
    });
    await early.close();
    const store = await open(database);
    await store.commit(putUnit("a"));
    const reader = openPostgresReader({ connectionString: database, clock: systemClock });
    expect(await reader.read([keyOf("a"), keyOf("b")])).toMatchObject([{ body: "a", version: 1 }, undefined]);
    expect(await reader.entries({ callId: "a", limit: 9 })).toHaveLength(1);
    expect(await reader.writers()).toMatchObject([{ writer: store.writer, seq: 1 }]);
    await Promise.all([reader.close(), store.close()]);
  });

  it("decides anew when another process changed what it expected", async () => {
    const database = await server.newDatabase();
    const [first, second] = await Promise.all([open(database), open(database)]);
    const add = (max: number): Unit => unitOf([{ op: "add", key: keyOf("n"), delta: 1, max }]);
    for (let round = 0; round < 4; round += 1) {
      expect(await first.commit(add(8))).toMatchObject({ kind: "committed" });
      expect(await second.commit(add(8))).toMatchObject({ kind: "committed" });
    }
    expect(await first.commit(add(8))).toEqual({ kind: "refused", reason: "counter", index: 0, value: 8 });
    await first.commit(putUnit("row"));
    await second.purge({ space: "thing", untilMs: 1, limit: 9 });
    await second.commit(unitOf([{ op: "delete", key: keyOf("row") }]));
    expect(await first.commit(unitOf([{ op: "put", key: keyOf("row"), body: 2 }]))).toMatchObject({ kind: "committed" });
    expect(await second.read([keyOf("row")])).toMatchObject([{ version: 1, body: 2 }]);
    await Promise.all([first.close(), second.close()]);
  });

  it("takes away from a counter that another process added to, where this one remembers nothing in it", async () => {
    const database = await server.newDatabase();
    const [first, second] = await Promise.all([open(database), open(database)]);
    const add = (delta: number): Unit => unitOf([{ op: "add", key: keyOf("waiting"), delta }]);
    for (const delta of [1, -1]) await first.commit(add(delta));
    await second.commit(add(1));
    expect(await first.commit(add(-1))).toMatchObject({ kind: "committed" });
    expect(await second.counters([keyOf("waiting")])).toEqual([0]);
    await Promise.all([first.close(), second.close()]);
  });

  it("refuses at a counter that is only asked about what another process has used up", async () => {
    const database = await server.newDatabase();
    const [first, second] = await Promise.all([open(database), open(database)]);
    await first.commit(unitOf([{ op: "add", key: keyOf("used"), delta: 1 }]));
    await second.commit(unitOf([{ op: "add", key: keyOf("used"), delta: 5 }]));
    const ask = unitOf([{ op: "add", key: keyOf("used"), delta: 0, max: 5 }]);
    expect(await first.commit(ask)).toMatchObject({ kind: "refused", reason: "counter", value: 6 });
    await Promise.all([first.close(), second.close()]);
  });

  it("refuses what a unit expects of a row that another process changed, however it relies on it", async () => {
    const database = await server.newDatabase();
    const [first, second] = await Promise.all([open(database), open(database)]);
    await first.commit(putUnit("row"));
    await second.commit(unitOf([{ op: "put", key: keyOf("row"), body: "new", expect: 1 }]));
    const stale: readonly Operation[] = [
      { op: "put", key: keyOf("row"), body: "old", expect: 1 },
      { op: "expect", key: keyOf("row"), version: 1 },
      { op: "delete", key: keyOf("row"), expect: 1 },
      { op: "expect", key: keyOf("row"), version: "absent" },
    ];
    for (const operation of stale) {
      const result = await first.commit(unitOf([operation, { op: "put", key: keyOf("trace"), body: 1, expect: "absent" }]));
      expect(result).toMatchObject({ kind: "refused", index: 0, row: { version: 2, body: "new" } });
      // After a prediction that failed groups lock first; a few that go well bring it back.
      for (let calm = 0; calm < 8; calm += 1) await first.commit(putUnit(`${operation.op}-${stale.indexOf(operation)}-${calm}`));
    }
    expect(await second.read([keyOf("row"), keyOf("trace")])).toMatchObject([{ version: 2, body: "new" }, undefined]);
    await Promise.all([first.close(), second.close()]);
  });

  it("never deadlocks, loses or doubles under random units of three stores", async () => {
    const database = await server.newDatabase();
    const stores = await Promise.all([open(database), open(database), open(database)]);
    let entryCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(unitArbitrary, { minLength: 6, maxLength: 30 }), async (units) => {
        const before = await stores[0]?.counters([keyOf("a")]);
        const results = await Promise.all(units.map((unit, index) => (stores[index % 3] as PostgresStore).commit(unit)));
        entryCount += results.reduce((sum, result) => sum + (result.kind === "committed" ? result.entries.length : 0), 0);
        expect(await stores[0]?.entries({ limit: 100_000 })).toHaveLength(entryCount);
        expectSum(units, results, before?.[0] ?? 0, (await stores[0]?.counters([keyOf("a")]))?.[0] ?? 0);
      }),
      { numRuns: 25 },
    );
    const [statistics] = await server.query(database, "select deadlocks from pg_stat_database where datname = current_database()");
    expect(statistics).toEqual({ deadlocks: "0" });
    await expectWholeChains(stores[0] as PostgresStore);
    await Promise.all(stores.map((store) => store.close()));
  });

  it("does not fail the neighbours of a unit that the database cannot take", async () => {
    const store = await open(await server.newDatabase());
    const huge = systemRandom.bytes(20_000).toString("hex");
    const results = await Promise.allSettled(["a", "b", huge, "c"].map((key) => store.commit(putUnit(key))));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(results[2]).toMatchObject({ reason: { code: "LEDGER_UNAVAILABLE" } });
    await expectWholeChains(store);
    await store.close();
  });
});

/** With no subtraction that was cut off at zero, a counter is what it was and all that was committed. */
function expectSum(units: readonly Unit[], results: readonly CommitResult[], before: number, after: number): void {
  const deltas = units.flatMap(({ operations }, index) =>
    results[index]?.kind === "committed" ? operations.flatMap((one) => (one.op === "add" && one.key.key === "a" ? [one.delta] : [])) : [],
  );
  const sum = deltas.reduce((total, delta) => total + delta, before);
  if (deltas.every((delta) => delta >= 0)) expect(after).toBe(sum);
  else expect(after).toBeGreaterThanOrEqual(sum);
}

describe("postgres store: a network that fails", () => {
  it("writes once what it had to send twice, and learns how a write ended whose answer was lost", async () => {
    const network = await startLossyNetwork(await server.newDatabase());
    const store = await open(network.connectionString);
    const { writer } = store;
    await store.commit(putUnit("a"));
    network.loseNextRequest();
    expect(await store.commit(putUnit("b"))).toMatchObject({ entries: [{ writer, seq: 2 }] });
    network.loseNextAnswer();
    expect(await store.commit(putUnit("c"))).toMatchObject({ entries: [{ writer, seq: 3 }] });
    expect(await store.commit(unitOf([{ op: "add", key: keyOf("n"), delta: 1 }]))).toMatchObject({ kind: "committed" });
    network.loseNextAnswer();
    expect(await store.commit(unitOf([{ op: "add", key: keyOf("n"), delta: 1 }]))).toMatchObject({ kind: "committed" });
    expect(await store.counters([keyOf("n")])).toEqual([2]);
    expect((await store.entries({ limit: 9 })).map(({ callId }) => callId)).toEqual(["a", "b", "c"]);
    expect(store.writer).toBe(writer);
    await expectWholeChains(store);
    await store.close();
    await network.close();
  });

  it("keeps every acknowledged unit over a kill of the server, and goes on when it is back", async () => {
    const database = await server.newDatabase();
    const store = await open(database);
    const done: string[] = [];
    const failed: { readonly key: string; readonly effect: string }[] = [];
    let isOver = false;
    const caller = async (name: string): Promise<void> => {
      for (let n = 0; !isOver; n += 1) {
        const key = `${name}-${n}`;
        await store.commit(putUnit(key)).then(
          () => done.push(key),
          (error: { readonly effect: string }) => failed.push({ key, effect: error.effect }),
        );
      }
    };
    const callers = Promise.all(["a", "b", "c", "d"].map(caller));
    await store.commit(putUnit("before"));
    await server.killAndStart();
    await store.commit(putUnit("after"));
    isOver = true;
    await callers;
    const stored = new Set((await store.entries({ limit: 100_000 })).map(({ callId }) => callId));
    expect(done.filter((key) => !stored.has(key))).toEqual([]);
    expect(failed.filter(({ key, effect }) => effect === "none" && stored.has(key))).toEqual([]);
    expect(stored.has("before") && stored.has("after")).toBe(true);
    expect(await store.scan({ space: "thing", tenant: "acme", limit: 100_000 })).toHaveLength(stored.size);
    await expectWholeChains(store);
    await store.close();
  });
});

describe("postgres store: processes", () => {
  it("keeps a counter at its limit and lets one claim win, with two and with four processes", async () => {
    const database = await server.newDatabase();
    const children = await Promise.all([1, 2, 3, 4].map(() => startStoreChild(database)));
    const store = await open(database);
    await store.commit(unitOf([{ op: "add", key: keyOf("limited"), delta: 9 }]));
    const race = async (racing: readonly StoreChild[], max: number): Promise<unknown> => {
      const said = racing.map(({ lines }) => lines.length);
      for (const one of racing) one.send({ action: "race", callers: 60, max });
      const answers = await Promise.all(racing.map((one, index) => one.line(/^answer /, said[index])));
      return answers
        .map((line) => JSON.parse(line.slice("answer ".length)) as { readonly added: number; readonly claimed: number })
        .reduce((sum, one) => ({ added: sum.added + one.added, claimed: sum.claimed + one.claimed }), { added: 0, claimed: 0 });
    };
    expect(await race(children.slice(0, 2), 10)).toEqual({ added: 1, claimed: 1 });
    expect(await race(children, 50)).toEqual({ added: 40, claimed: 1 });
    expect(await store.counters([keyOf("limited")])).toEqual([50]);
    expect(await store.entries({ limit: 1_000 })).toHaveLength(41);
    await expectWholeChains(store);
    await Promise.all(children.map((one) => one.kill()));
    await store.close();
  });

  it("keeps what a killed process was acknowledged, and gives its place away only when its lease is over", async () => {
    const database = await server.newDatabase();
    const child = await startStoreChild(database, 1_500);
    child.send({ action: "write", name: "k" });
    await child.line(/^wrote k-60 /);
    await child.kill();
    const store = await open(database);
    expect(store.writer).not.toBe(child.writer);
    const stored = new Set((await store.entries({ limit: 100_000 })).map(({ callId, seq, writer }) => `wrote ${callId} ${writer}/${seq}`));
    const acknowledged = child.lines.filter((line) => line.startsWith("wrote"));
    expect(acknowledged.length).toBeGreaterThan(60);
    expect(acknowledged.filter((line) => !stored.has(line))).toEqual([]);
    expect(await store.counters([keyOf("all")])).toEqual([stored.size]);
    const heir = await openAs(database, child.writer);
    expect(await heir.commit(putUnit("heir"))).toMatchObject({ entries: [{ writer: child.writer, seq: stored.size + 1 }] });
    await expectWholeChains(heir);
    await Promise.all([heir.close(), store.close()]);
  });

  it("refuses a process that slept through its lease, and lets it go on as another writer", async () => {
    const database = await server.newDatabase();
    const child = await startStoreChild(database, 1_000);
    child.send({ action: "write", name: "z" });
    await child.line(/^wrote z-20 /);
    child.child.kill("SIGSTOP");
    const heir = await openAs(database, child.writer);
    await heir.commit(putUnit("heir"));
    const said = child.lines.length;
    child.child.kill("SIGCONT");
    const refusal = await child.line(/^failed /, said);
    expect(refusal).toMatch(/LEDGER_UNAVAILABLE this process was silent for longer than its lease/);
    const next = await child.line(/^wrote /, child.lines.indexOf(refusal));
    expect(next).not.toContain(child.writer);
    await child.kill();
    const key = refusal.split(" ")[1] as string;
    expect(await heir.read([keyOf(key)])).toEqual([undefined]);
    expect(await heir.entries({ callId: key, limit: 9 })).toEqual([]);
    await expectWholeChains(heir);
    await heir.close();
  });
});

/** Opens stores until one gets the place; it becomes free when the lease of whoever had it is over. */
async function openAs(database: string, writer: string): Promise<PostgresStore> {
  for (;;) {
    const store = await open(database);
    if (store.writer === writer) return store;
    await store.close();
    // What was opened in vain is free again and sorts behind, so that the place that is waited for comes first.
    await server.query(database, "select pg_sleep(0.1)");
  }
}
