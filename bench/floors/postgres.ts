/**
 * FLOOR, frozen: what PostgreSQL itself needs for the bytes and rows of a call. No decisions, no locks, no hashes, no JSON: every text is ready. The
 * tables and indexes are those that the product had when this was frozen. Statements are prepared, arrays travel in binary form, and all statements
 * of a transaction are sent without waiting for the answers of those before.
 */
import { Client } from "pg";
import { bytesArray, integerArray, textArray } from "../../src/store/postgres-wire.ts";
import type { RawNames, RawWrite } from "./sqlite.ts";

const tables = `
  create schema raw;
  create table raw.bytes(id bigint generated always as identity primary key, body text not null);
  create table raw.entries(seq bigint primary key, tenant text collate "C" not null, kind text collate "C" not null, at_ms bigint not null,
    call_id text collate "C", session_id text collate "C", text text not null, sealed bytea);
  alter table raw.entries alter column sealed set storage external;
  create index on raw.entries(call_id);
  create index on raw.entries(session_id);
  create table raw.rows(space text collate "C", tenant text collate "C", key text collate "C", version bigint not null, body text not null,
    due_ms bigint, primary key(space, tenant, key)) with (fillfactor = 80);
  create index on raw.rows(space, due_ms, tenant, key) where due_ms is not null;
  create table raw.counters(space text collate "C", tenant text collate "C", key text collate "C", value bigint not null,
    primary key(space, tenant, key)) with (fillfactor = 80);`;
const putRows = `insert into raw.rows select u.space, 'acme', u.key, u.version, u.body, u.due
  from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[]) as u(space, key, version, body, due)
  on conflict (space, tenant, key) do update set version = excluded.version, body = excluded.body, due_ms = excluded.due_ms`;
const deleteRows = `delete from raw.rows where ctid = any(array(select r.ctid from unnest($1::text[], $2::text[]) as u(space, key)
  cross join lateral (select t.ctid from raw.rows t where t.space = u.space and t.tenant = 'acme' and t.key = u.key offset 0) r))`;
const addCounters = `insert into raw.counters select u.space, 'acme', u.key, sum(u.delta)
  from unnest($1::text[], $2::text[], $3::bigint[]) as u(space, key, delta) group by 1, 2, 3
  on conflict (space, tenant, key) do update set value = counters.value + excluded.value`;
const insertEntries = `insert into raw.entries select u.seq, 'acme', u.kind, 1700000000000, u.call_id, u.session_id, u.text, u.sealed
  from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[]) as u(seq, kind, call_id, session_id, text, sealed)`;

/** The floor's side of a server; `gate` writes bytes, `commit` rows. */
export interface RawPostgres {
  /** One commit of one text, on a connection of its own. */
  bytes(text: string): Promise<void>;
  /** The rows of a unit, with all that waits in one transaction on one connection. */
  batched(writes: readonly RawWrite[], call: RawNames): Promise<void>;
  /** The rows of a unit in a transaction of its own, on one of 16 connections. */
  single(writes: readonly RawWrite[], call: RawNames): Promise<void>;
}

interface RawUnit {
  readonly writes: readonly RawWrite[];
  readonly call: RawNames;
}

async function connected(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, pipeline: true });
  // The server is stopped at the end with the connections open.
  client.on("error", () => undefined);
  await client.connect();
  // One plan for all, which goes by key from the arrays to the tables, as in the product.
  const off = ["enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_material", "jit"];
  await client.query(`set plan_cache_mode = force_generic_plan; ${off.map((name) => `set ${name} = off`).join("; ")}`);
  return client;
}

/** Makes the floor's tables in a database and connects to it. */
export async function openRawPostgres(connectionString: string): Promise<RawPostgres> {
  const lone = await connected(connectionString);
  await lone.query(tables);
  const shared = await connected(connectionString);
  const free = await Promise.all(Array.from({ length: 16 }, () => connected(connectionString)));
  const waiting: ((client: Client) => void)[] = [];
  return {
    async bytes(text) {
      await lone.query({ name: "bytes", text: "insert into raw.bytes(body) values($1)", values: [text] });
    },
    batched: batchesOn(shared),
    async single(writes, call) {
      const client = free.pop() ?? (await new Promise<Client>((resolve) => waiting.push(resolve)));
      await writeUnits(client, [{ writes, call }]);
      const next = waiting.shift();
      if (next === undefined) free.push(client);
      else next(client);
    },
  };
}

function batchesOn(client: Client): RawPostgres["batched"] {
  let queue: (RawUnit & { readonly resolve: () => void; readonly reject: (cause: unknown) => void })[] = [];
  let isRunning = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    while (queue.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const group = queue;
      queue = [];
      try {
        await writeUnits(client, group);
        for (const { resolve } of group) resolve();
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    isRunning = false;
  };
  return (writes, call) =>
    new Promise((resolve, reject) => {
      queue.push({ writes, call, resolve, reject });
      if (!isRunning) void run();
    });
}

let entriesCount = 0;

/** All rows of units in one transaction and one round trip. */
async function writeUnits(client: Client, units: readonly RawUnit[]): Promise<void> {
  const all = units.flatMap(({ writes, call }) =>
    writes.map((write) => ({
      write,
      call,
      key: write.kind === "entry" ? "" : write.key.replace("@", call.session).replace("#", call.call),
    })),
  );
  const rows = all.flatMap(({ write, key }) => (write.kind === "row" ? [{ ...write, key }] : []));
  const deletes = all.flatMap(({ write, key }) => (write.kind === "delete" ? [{ ...write, key }] : []));
  const counters = all.flatMap(({ write, key }) => (write.kind === "counter" ? [{ ...write, key }] : []));
  const entries = all.flatMap(({ write, call }) => (write.kind === "entry" ? [{ ...write, call }] : []));
  const keys = (items: readonly { readonly space: string; readonly key: string }[]): readonly Buffer[] => [
    textArray(items.map(({ space }) => space)),
    textArray(items.map(({ key }) => key)),
  ];
  const query = (name: string, text: string, count: number, values: () => unknown[]): Promise<unknown> | undefined =>
    count === 0 ? undefined : client.query({ name, text, values: values() });
  await Promise.all([
    client.query("begin"),
    query("rows", putRows, rows.length, () => [
      ...keys(rows),
      integerArray(rows.map(({ version }) => version)),
      textArray(rows.map(({ body }) => body)),
      integerArray(rows.map(({ dueMs }) => dueMs ?? undefined)),
    ]),
    query("deletes", deleteRows, deletes.length, () => [...keys(deletes)]),
    query("counters", addCounters, counters.length, () => [...keys(counters), integerArray(counters.map(({ delta }) => delta))]),
    query("entries", insertEntries, entries.length, () => [
      integerArray(entries.map(() => (entriesCount += 1))),
      textArray(entries.map(({ entry }) => entry)),
      textArray(entries.map(({ call }) => call.call)),
      textArray(entries.map(({ call }) => call.session)),
      textArray(entries.map(({ text }) => text)),
      bytesArray(entries.map(({ sealed }) => sealed)),
    ]),
    client.query("commit"),
  ]);
}
