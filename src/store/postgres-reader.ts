import type { Clock } from "../base/clock.ts";
import { databaseAddress, databaseProblem, openPool, type ConnectionPool } from "./postgres-driver.ts";
import { patient, postgresQueries } from "./postgres-read.ts";
import { requireSchema } from "./postgres-schema.ts";
import type { StoreReader } from "./sqlite.ts";

/**
 * Reads a PostgreSQL store beside whoever writes it, without becoming a writer. Connects at the first question; that one rejects with
 * `CONFIG_INVALID` when there is no store in the database or it is too new, and every one with `LEDGER_UNAVAILABLE` when it cannot be reached.
 */
export function openPostgresReader(options: { readonly connectionString: string; readonly clock: Clock }): StoreReader {
  const address = databaseAddress(options.connectionString);
  let opening: Promise<ConnectionPool> | undefined;

  async function open(): Promise<ConnectionPool> {
    const pool = await openPool(address);
    try {
      await requireSchema(pool, address);
      return pool;
    } catch (cause) {
      await pool.close();
      throw databaseProblem(cause, address);
    }
  }

  const queries = postgresQueries({
    async query(text, values, name) {
      opening ??= open();
      return await patient(await opening, address, options.clock).query(text, values, name);
    },
  });
  return {
    read: queries.rows,
    scan: queries.scan,
    due: queries.due,
    counters: queries.values,
    entries: queries.entries,
    batches: queries.batches,
    writers: queries.writers,
    async close() {
      // A reader that never opened has nothing to close.
      const pool = await opening?.catch(() => undefined);
      await pool?.close();
    },
  };
}
