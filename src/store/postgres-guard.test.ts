import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keyOf, unitArbitrary, unitOf } from "./contract-model.fixture.ts";
import { guardedSpaces } from "./postgres-schema-2.ts";
import { open } from "./postgres-store.fixture.ts";
import { startTestServer, type TestServer } from "./postgres.fixture.ts";
import type { PostgresStore } from "./postgres.ts";
import type { Operation, RowKey, Unit } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
}, 60_000);

const everything: RowKey = { space: "read-only", tenant: "", key: "all" };
const absent = (key: RowKey): Operation => ({ op: "expect", key, version: "absent" });
const put = (key: RowKey): Operation => ({ op: "put", key, body: 1, expect: "absent" });

/** Somebody else's transaction, in the middle of which the test goes on. */
async function otherTransaction(database: string, statement: string): Promise<{ end(): Promise<void> }> {
  const client = new Client({ connectionString: database });
  await client.connect();
  await client.query("begin");
  await client.query(statement);
  return {
    async end() {
      await client.query("commit");
      await client.end();
    },
  };
}

const insert = (version: number): string =>
  `insert into signalbox.rows(space, tenant, key, version, body) values('read-only', '', 'all', ${version}, '1')`;

async function untilSomebodyWaits(database: string): Promise<void> {
  const waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted";
  while ((await server.query(database, waiting)).length === 0);
}

test("whoever relies on a row's absence does not wait for others who do, whatever program they are", async () => {
  const database = await server.newDatabase();
  const store = await open(database);
  // What a program does that knows only schema 1: the absence is held by a row that is not to stay.
  const other = await otherTransaction(database, insert(0));
  expect(await store.commit(unitOf([absent(everything), put(keyOf("a"))]))).toMatchObject({ kind: "committed" });
  await other.end();
  await store.close();
});

test("relying on absence leaves nothing behind in the table", async () => {
  const database = await server.newDatabase();
  const store = await open(database);
  const pages = async (): Promise<unknown> =>
    (await server.query(database, "select pg_relation_size('signalbox.rows') as bytes"))[0]?.["bytes"];
  const before = await pages();
  for (let index = 0; index < 20; index += 1) await store.commit(unitOf([absent(everything), absent(keyOf("ada", "principal"))]));
  expect(await pages()).toBe(before);
  await store.close();
});

test("whoever relies on a row's absence waits for whoever is making it, and is then refused", async () => {
  const database = await server.newDatabase();
  const store = await open(database);
  const other = await otherTransaction(database, insert(1));
  const answer = store.commit(unitOf([absent(everything), put(keyOf("a"))]));
  await untilSomebodyWaits(database);
  await other.end();
  expect(await answer).toMatchObject({ kind: "refused", reason: "row", index: 0, row: { version: 1 } });
  expect(await store.read([keyOf("a")])).toEqual([undefined]);
  await store.close();
});

test("whoever makes a row waits for those who rely on its absence", async () => {
  const database = await server.newDatabase();
  const store = await open(database);
  const other = await otherTransaction(database, "select signalbox.guard_2(array['read-only'], array[0])");
  const answer = store.commit(unitOf([put(everything)]));
  await untilSomebodyWaits(database);
  expect(await store.read([everything])).toEqual([undefined]);
  await other.end();
  expect(await answer).toMatchObject({ kind: "committed" });
  await store.close();
});

test("of two units that each rely on the absence of what the other makes, never both hold", async () => {
  const database = await server.newDatabase();
  const stores = await Promise.all([open(database), open(database)]);
  const kinds = new Set<string>();
  for (let round = 0; round < 60; round += 1) {
    const [ada, off] = [keyOf(`ada-${round}`, "principal"), keyOf(`off-${round}`, "read-only")];
    const results = await Promise.all([
      stores[0]?.commit(unitOf([absent(ada), put(off)])),
      stores[1]?.commit(unitOf([absent(off), put(ada)])),
    ]);
    kinds.add(results.map((result) => result?.kind).join(" "));
  }
  expect(kinds).not.toContain("committed committed");
  expect(kinds).not.toContain("refused refused");
  await Promise.all(stores.map((store) => store.close()));
});

test("never deadlocks under random units of three stores on guarded spaces and others", async () => {
  const database = await server.newDatabase();
  const stores = await Promise.all([open(database), open(database), open(database)]);
  const spaces: Readonly<Record<string, string>> = { a: "thing", b: guardedSpaces[0] as string, c: guardedSpaces[1] as string };
  const spread = ({ operations, entries }: Unit): Unit => ({
    entries,
    operations: operations.map((operation) => ({ ...operation, key: keyOf(operation.key.key, spaces[operation.key.key]) })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(unitArbitrary, { minLength: 6, maxLength: 24 }), async (units) => {
      const results = await Promise.all(units.map((unit, index) => (stores[index % 3] as PostgresStore).commit(spread(unit))));
      expect(results.every(({ kind }) => kind === "committed" || kind === "refused")).toBe(true);
    }),
    { numRuns: 25 },
  );
  const [statistics] = await server.query(database, "select deadlocks from pg_stat_database where datname = current_database()");
  expect(statistics).toEqual({ deadlocks: "0" });
  await Promise.all(stores.map((store) => store.close()));
});
