import type { Clock } from "../base/clock.ts";
import { createIdSource } from "../base/ids.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { toolCallError, ToolCallError } from "../errors/tool-call-error.ts";
import { backUpPostgres } from "./postgres-backup.ts";
import {
  connect,
  databaseAddress,
  databaseProblem,
  faultOf,
  openPool,
  type ConnectionPool,
  type DatabaseAddress,
} from "./postgres-driver.ts";
import { PostgresGroup } from "./postgres-group.ts";
import { PostgresLink } from "./postgres-link.ts";
import { postgresMaintenance } from "./postgres-maintenance.ts";
import { patient, postgresQueries } from "./postgres-read.ts";
import type { PostgresRestoreRecord } from "./postgres-restore.ts";
import { migratePostgres, readPostgresMeta } from "./postgres-schema.ts";
import { sharedReads } from "./shared-reads.ts";
import type { CommitResult, Store, Unit } from "./store.ts";

/** What a PostgreSQL store needs. */
export interface PostgresStoreOptions {
  /** `postgres://user@host:5432/database`, with any parameter that the package `pg` knows. A password may also come from `PGPASSWORD` or a pass file. */
  readonly connectionString: string;
  readonly clock: Clock;
  /** Ids of new writers come from it. */
  readonly random: Random;
  /** Default the table's. `groupUnitsMax`, `writerLeaseMs` and the `store…` ones count. */
  readonly limits?: Limits;
}

/** A PostgreSQL store, with what only a shared database has. */
export interface PostgresStore extends Store {
  readonly kind: "postgres";
  commit(unit: Unit): Promise<CommitResult>;
  readonly epoch: number;
  /** The writer as which this process appends at the moment; `undefined` after its place was lost and before it took another. */
  readonly writer: string | undefined;
  /** The latest restore of this database, if there was one. */
  readonly restored: PostgresRestoreRecord | undefined;
}

/**
 * Opens a store in a PostgreSQL database (14 or later), shared with any number of other processes. Each appends to the ledger as a writer of its own.
 * The first process makes the store's schema. `CONFIG_INVALID` when the package `pg` is missing, the database is another program's, or its schema
 * is too new for this program or too old while older programs live; `LEDGER_UNAVAILABLE` when it cannot be reached.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const { clock } = options;
  const address = databaseAddress(options.connectionString, options.limits);
  await prepare(address, clock);
  const ids = createIdSource(clock, options.random);
  const link = new PostgresLink({ address, clock, nextWriter: () => ids.next("writer") });
  const pool = await openPool(address);
  try {
    const { lease } = await link.ready();
    const restored = await readPostgresMeta(patient(pool, address, clock), "restored");
    const group = new PostgresGroup({ link, address, clock });
    return assemble({
      address,
      clock,
      link,
      pool,
      group,
      epoch: lease.epoch,
      restored: restored === undefined ? undefined : (JSON.parse(restored) as PostgresRestoreRecord),
    });
  } catch (error) {
    await link.close();
    await pool.close();
    throw error;
  }
}

/** Makes or mends the schema. */
async function prepare(address: DatabaseAddress, clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const connection = await connect(address, { isPipelined: false });
      try {
        await migratePostgres(connection, address, { atMs: clock.now() });
        return;
      } finally {
        await connection.close();
      }
    } catch (cause) {
      if (cause instanceof ToolCallError) throw cause;
      if (faultOf(cause) !== "again" || attempt >= address.limits.storeAttemptsMax) throw databaseProblem(cause, address);
    }
  }
}

interface Parts {
  readonly address: DatabaseAddress;
  readonly clock: Clock;
  readonly link: PostgresLink;
  readonly pool: ConnectionPool;
  readonly group: PostgresGroup;
  readonly epoch: number;
  readonly restored: PostgresRestoreRecord | undefined;
}

function assemble(parts: Parts): PostgresStore {
  const { address, clock, link, pool, group } = parts;
  const target = patient(pool, address, clock);
  const queries = postgresQueries(target);
  const maintenance = postgresMaintenance(target);
  let closing: Promise<void> | undefined;
  const live = (): void => {
    if (closing !== undefined) throw toolCallError("SHUTTING_DOWN", "the store is closed; open it again before using it");
  };
  const whenLive =
    <Given extends readonly unknown[], Answer>(method: (...given: Given) => Promise<Answer>) =>
    async (...given: Given): Promise<Answer> => {
      live();
      return method(...given);
    };

  async function close(): Promise<void> {
    await group.close();
    await link.close();
    await pool.close();
  }

  return {
    kind: "postgres",
    survivesRestart: true,
    epoch: parts.epoch,
    restored: parts.restored,
    get writer() {
      return link.lease?.writer;
    },
    read: whenLive(sharedReads(queries.rows, address.limits.groupUnitsMax)),
    recalls: (key) => group.recalls(key),
    scan: whenLive(queries.scan),
    due: whenLive(queries.due),
    counters: whenLive(queries.values),
    commit: whenLive((unit) => group.commit(unit)),
    entries: whenLive(queries.entries),
    batches: whenLive(queries.batches),
    writers: whenLive(queries.writers),
    dropEntries: whenLive(maintenance.dropEntries),
    purge: whenLive(maintenance.purge),
    backup: whenLive((path) => backUpPostgres({ address, path })),
    close() {
      closing ??= close();
      return closing;
    },
  };
}
