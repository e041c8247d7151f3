/**
 * A process writes as one of the ledger's writers, whose place it leases. A sign of life comes with every group and, when there is none, from a
 * heartbeat. Only the database's own clock says when a lease is over; then the next process that opens the store takes the place and goes on with its
 * chain. Whoever takes or renews a place gets a new fence, and a group is only written under the fence of its lease: a process that slept through its
 * lease, or a statement that was still under way on a lost connection, changes nothing.
 */
import type { Limits } from "../base/limits.ts";
import type { Columns, Connection, DatabaseAddress } from "./postgres-driver.ts";
import { knownSchema, requireSchema, shareSchemaLock } from "./postgres-schema.ts";
import { requireWholeEnd } from "./postgres-proof.ts";
import { zeroHead } from "./seal.ts";
import type { WriterHead } from "./store.ts";

/** A place as a writer, and where its chain stands. */
export interface Lease extends WriterHead {
  readonly fence: number;
  /** How many groups the writer ever wrote. */
  readonly flush: number;
  /** What the last entry says, once this process wrote one: the next one links to it. */
  readonly lastText?: string;
}

/** What taking a lease needs. */
export interface LeaseOptions {
  readonly connection: Connection;
  readonly address: DatabaseAddress;
}

const leaseColumns = "id, fence, flush, seq, head, (select value::bigint from signalbox.meta where name = 'epoch')";
const later = "clock_timestamp() + $1 * interval '1 millisecond'";

/**
 * Takes a place whose lease is over, or else a new one under the id `newWriter`. Refuses a database that became too new for
 * this program, and a chain whose end is damaged.
 */
export async function takeLease(options: LeaseOptions, newWriter: string): Promise<Lease> {
  const { connection, address } = options;
  const leaseMs = address.limits.writerLeaseMs;
  await connection.query("begin isolation level read committed");
  try {
    await connection.query(shareSchemaLock);
    await requireSchema(connection, address);
    const free = "select id from signalbox.writers where expires_at <= clock_timestamp() order by id limit 1 for update skip locked";
    const [taken] = await connection.query(
      `update signalbox.writers set fence = fence + 1, expires_at = ${later}, program_schema = $2 where id = (${free}) returning ${leaseColumns}`,
      [leaseMs, knownSchema()],
    );
    const [made] =
      taken === undefined
        ? await connection.query(
            `insert into signalbox.writers(id, fence, flush, seq, head, expires_at, program_schema)
              values($3, 1, 0, 0, $4, ${later}, $2) returning ${leaseColumns}`,
            [leaseMs, knownSchema(), newWriter, zeroHead],
          )
        : [taken];
    const lease = toLease(made as Columns);
    await requireWholeEnd(connection, address, lease);
    await connection.query("commit");
    return lease;
  } catch (error) {
    await connection.query("rollback").catch(() => undefined);
    throw error;
  }
}

/**
 * Renews a lease on a new connection, under a new fence; `undefined` when the place is another's. Waits for whatever the lost connection still has
 * under way, so that the answer says how that ended.
 */
export async function renewLease(options: LeaseOptions, lease: Lease): Promise<Lease | undefined> {
  const [row] = await options.connection.query(
    `update signalbox.writers set fence = fence + 1, expires_at = ${later} where id = $2 and fence = $3 returning ${leaseColumns}`,
    [options.address.limits.writerLeaseMs, lease.writer, lease.fence],
  );
  return row === undefined ? undefined : toLease(row);
}

/** A sign of life; false when the place is another's. */
export async function keepLease(options: LeaseOptions, lease: Lease): Promise<boolean> {
  const rows = await options.connection.query(
    `update signalbox.writers set expires_at = ${later} where id = $2 and fence = $3 returning id`,
    [options.address.limits.writerLeaseMs, lease.writer, lease.fence],
  );
  return rows.length > 0;
}

/** Gives the place back at once, so that the next process goes on with its chain. */
export async function releaseLease(connection: Connection, lease: Lease): Promise<void> {
  await connection.query("update signalbox.writers set expires_at = clock_timestamp() where id = $1 and fence = $2", [
    lease.writer,
    lease.fence,
  ]);
}

/**
 * Settings of a connection that writes: how long it may hold what others wait for, and plans that are made once and go by key from the arrays to the
 * tables, whatever statistics say at that moment. A pooler between may lose them: then a deadlock is possible, which the database ends and the group
 * is tried again.
 */
export async function prepareSession(connection: Connection, limits: Limits): Promise<void> {
  const settings: readonly (readonly [string, string])[] = [
    ["lock_timeout", String(limits.storeLockMs)],
    ["idle_in_transaction_session_timeout", String(limits.storeTransactionIdleMs)],
    ["plan_cache_mode", "force_generic_plan"],
    ["enable_seqscan", "off"],
    ["enable_bitmapscan", "off"],
    ["enable_hashjoin", "off"],
    ["enable_mergejoin", "off"],
    ["enable_material", "off"],
    ["jit", "off"],
  ];
  await connection.query("select set_config(name, value, false) from unnest($1::text[], $2::text[]) as settings(name, value)", [
    settings.map(([name]) => name),
    settings.map(([, value]) => value),
  ]);
}

function toLease(row: Columns): Lease {
  const [writer, fence, flush, seq, head, epoch] = row;
  return {
    writer: writer as string,
    fence: fence as number,
    flush: flush as number,
    seq: seq as number,
    head: head as string,
    epoch: epoch as number,
  };
}
