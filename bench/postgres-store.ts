/**
 * What gate and settle cost in the PostgreSQL store, against floors measured in the same run on the same server: the same bytes in raw commits, the
 * same rows written raw in batches, and one transaction per write. Not measured: the call around them, a server behind a network, several
 * processes at once, larger bodies, a ledger that is already long, other disks.
 *
 *     node bench/postgres-store.ts [calls]
 */
import { Client } from "pg";
import { systemClock } from "../src/base/clock.ts";
import { systemRandom } from "../src/base/random.ts";
import { startTestServer } from "../src/store/postgres.fixture.ts";
import { openPostgresStore } from "../src/store/postgres.ts";
import { integerArray, textArray } from "../src/store/postgres-wire.ts";
import type { Unit } from "../src/store/store.ts";
import { median, quantile } from "./measure.ts";

interface Figures {
  readonly p50Ms: number;
  readonly perSecond: number;
}

type Commit = (index: number, isSettle: boolean) => Promise<unknown>;

const callCount = Number(process.argv[2] ?? 12_000);
const roundCount = 5;
const dueMs = 1_770_000_000_000;
const argument = "x".repeat(700);
const digest = "b".repeat(64);
const key = (space: string, name: string) => ({ space, tenant: "acme", key: name });

function unitFor(index: number, isSettle: boolean): Unit {
  const callId = `call_01hz${String(index).padStart(12, "0")}abcdefghjk`;
  const sessionId = `sess_${index % 200}`;
  const body = { arguments: argument, digest, tool: "order.refund@1" };
  const kind = isSettle ? "call-settled" : "call-intended";
  const entries = [{ tenant: "acme", kind, atMs: 1_700_000_000_000 + index, callId, sessionId, body }];
  const row = { state: isSettle ? "done" : "open", digest, callId };
  const budget = key("budget", sessionId);
  if (isSettle)
    return {
      entries,
      operations: [
        { op: "put", key: key("key", callId), body: row, expect: 1, dueMs },
        { op: "add", key: budget, delta: -1 },
      ],
    };
  return {
    entries,
    operations: [
      { op: "put", key: key("key", callId), body: row, expect: "absent", dueMs },
      { op: "put", key: key("approval", callId), body: row, expect: "absent", dueMs },
      { op: "add", key: budget, delta: 1, max: 1_000_000, dueMs },
    ],
  };
}

async function measure(name: string, callerCount: number, calls: number, firstIndex: number, commit: Commit): Promise<Figures> {
  let next = 0;
  const latencies: number[] = [];
  const caller = async (): Promise<void> => {
    while (next < calls) {
      const index = firstIndex + next++;
      const startedMs = performance.now();
      await commit(index, false);
      await commit(index, true);
      latencies.push(performance.now() - startedMs);
    }
  };
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: callerCount }, caller));
  const elapsedMs = performance.now() - startedMs;
  const used = process.cpuUsage(cpu);
  const perSecond = (calls / elapsedMs) * 1_000;
  const p50Ms = quantile(latencies, 0.5);
  console.log(
    `${name.padEnd(32)} ${String(callerCount).padStart(3)} callers ${perSecond.toFixed(0).padStart(6)} calls/s  p50 ${p50Ms.toFixed(3)} p99 ${quantile(latencies, 0.99).toFixed(3)} ms  CPU ${((used.user + used.system) / calls).toFixed(0)} µs/call`,
  );
  return { p50Ms, perSecond };
}

async function rawClient(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, pipeline: true });
  // The server is stopped at the end with the connections open.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** One commit of the bytes of the unit. */
async function rawBytes(connectionString: string): Promise<Commit> {
  const client = await rawClient(connectionString);
  await client.query("create table if not exists raw(id bigint generated always as identity primary key, body text not null)");
  return async (index, isSettle) =>
    client.query({ name: "raw", text: "insert into raw(body) values($1)", values: [JSON.stringify(unitFor(index, isSettle))] });
}

const upsertRows = `insert into signalbox.rows(space, tenant, key, version, body, due_ms)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
  on conflict (space, tenant, key) do update set version = excluded.version, body = excluded.body, due_ms = excluded.due_ms`;
const upsertCounters = `insert into signalbox.counters(space, tenant, key, value, due_ms)
  select space, tenant, key, sum(delta), max(due) from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) as u(space, tenant, key, delta, due)
  group by 1, 2, 3 order by 1, 2, 3 on conflict (space, tenant, key) do update set value = counters.value + excluded.value`;
const insertEntries = `insert into signalbox.entries(writer, epoch, seq, tenant, kind, at_ms, call_id, session_id, text)
  select 'raw', 1, u.seq, u.tenant, u.kind, u.at_ms, u.call_id, u.session_id, u.text
  from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[]) as u(seq, tenant, kind, at_ms, call_id, session_id, text)`;

let rawSeq = 0;

/** The rows of units, written raw in one transaction: no decisions, no locks, no hashes. */
async function writeRaw(client: Client, units: readonly Unit[]): Promise<void> {
  const operations = units.flatMap((unit) => unit.operations);
  const rows = operations.filter((one) => one.op === "put");
  const counters = operations.filter((one) => one.op === "add");
  const entries = units.flatMap((unit) => unit.entries);
  const keys = (items: readonly { readonly key: { readonly space: string; readonly tenant: string; readonly key: string } }[]) => [
    textArray(items.map((one) => one.key.space)),
    textArray(items.map((one) => one.key.tenant)),
    textArray(items.map((one) => one.key.key)),
  ];
  await Promise.all([
    client.query("begin"),
    client.query({
      name: "rows",
      text: upsertRows,
      values: [
        ...keys(rows),
        integerArray(rows.map((one) => (one.expect === 1 ? 2 : 1))),
        textArray(rows.map((one) => JSON.stringify(one.body))),
        integerArray(rows.map((one) => one.dueMs)),
      ],
    }),
    client.query({
      name: "counters",
      text: upsertCounters,
      values: [...keys(counters), integerArray(counters.map((one) => one.delta)), integerArray(counters.map((one) => one.dueMs))],
    }),
    client.query({
      name: "entries",
      text: insertEntries,
      values: [
        integerArray(entries.map(() => (rawSeq += 1))),
        textArray(entries.map((one) => one.tenant)),
        textArray(entries.map((one) => one.kind)),
        integerArray(entries.map((one) => one.atMs)),
        textArray(entries.map((one) => one.callId)),
        textArray(entries.map((one) => one.sessionId)),
        textArray(entries.map((one) => JSON.stringify(one.body))),
      ],
    }),
    client.query("commit"),
  ]);
}

async function rawBatches(connectionString: string): Promise<Commit> {
  const client = await rawClient(connectionString);
  let queue: { readonly unit: Unit; readonly resolve: () => void }[] = [];
  let isRunning = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    while (queue.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const group = queue;
      queue = [];
      await writeRaw(
        client,
        group.map(({ unit }) => unit),
      );
      for (const { resolve } of group) resolve();
    }
    isRunning = false;
  };
  return async (index, isSettle) =>
    new Promise<void>((resolve) => {
      queue.push({ unit: unitFor(index, isSettle), resolve });
      if (!isRunning) void run();
    });
}

async function rawSingles(connectionString: string): Promise<Commit> {
  const clients = await Promise.all(Array.from({ length: 16 }, () => rawClient(connectionString)));
  const free = [...clients];
  const waiting: ((client: Client) => void)[] = [];
  return async (index, isSettle) => {
    const client = free.pop() ?? (await new Promise<Client>((resolve) => waiting.push(resolve)));
    await writeRaw(client, [unitFor(index, isSettle)]);
    const next = waiting.shift();
    if (next === undefined) free.push(client);
    else next(client);
  };
}

const server = await startTestServer();
try {
  const connectionString = await server.newDatabase();
  const store = await openPostgresStore({ connectionString, clock: systemClock, random: systemRandom });
  const ours: Commit = async (index, isSettle) => {
    const result = await store.commit(unitFor(index, isSettle));
    if (result.kind !== "committed") throw new Error(`refused: ${JSON.stringify(result)}`);
  };
  const [bytes, batches, singles] = [
    await rawBytes(connectionString),
    await rawBatches(connectionString),
    await rawSingles(connectionString),
  ];
  const ratios = { lone: [] as number[], toBatches: [] as number[], toSingles: [] as number[] };
  let from = 0;
  for (let round = 0; round < roundCount; round += 1) {
    const few = Math.ceil(callCount / 20);
    const floor = await measure("raw commits of the same bytes", 1, few, from, bytes);
    const lone = await measure("store", 1, few, (from += few), ours);
    const rows = await measure("same rows raw in batches", 64, callCount, (from += few), batches);
    const many = await measure("store", 64, callCount, (from += callCount), ours);
    const single = await measure("one transaction per write", 64, few * 2, (from += callCount), singles);
    from += few * 2;
    // The first round warms code, caches and plans up.
    if (round === 0) continue;
    ratios.lone.push(lone.p50Ms / floor.p50Ms);
    ratios.toBatches.push(many.perSecond / rows.perSecond);
    ratios.toSingles.push(many.perSecond / single.perSecond);
  }
  const show = (values: readonly number[]): string =>
    `${median(values).toFixed(2)} (rounds ${values.map((value) => value.toFixed(2)).join(" ")})`;
  console.log(`one caller, p50: ${show(ratios.lone)} of two raw commits; bar at most 1.3`);
  console.log(`64 callers: ${show(ratios.toBatches)} of raw batches; bar at least 0.5`);
  console.log(`64 callers: ${show(ratios.toSingles)} of one transaction per write; bar at least 4`);
  await store.close();
} finally {
  await server.stop();
  process.exit(0);
}
