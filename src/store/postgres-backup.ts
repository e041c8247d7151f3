import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { defaultLimits } from "../base/limits.ts";
import { internalError, toolCallError, ToolCallError } from "../errors/tool-call-error.ts";
import { connect, databaseProblem, sqlState, type Connection, type DatabaseAddress } from "./postgres-driver.ts";
import { readPostgresMeta } from "./postgres-schema.ts";

/** Marks a backup as one of a PostgreSQL store. */
export const backupFormat = "signalbox-postgres-backup";

/** Tables of the store in the order in which they are copied. What a table's rows look like is the business of the schema that the backup names. */
export const backupTables = ["meta", "writers", "closed_heads", "rows", "counters", "entries"] as const;

/** One line of a backup, which is JSON lines in gzip: a header, rows of the tables in order, and an end without which the file is not whole. */
export type BackupLine =
  | { readonly kind: "header"; readonly format: typeof backupFormat; readonly schema: number }
  | { readonly kind: "rows"; readonly table: (typeof backupTables)[number]; readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly kind: "end"; readonly rowCount: number };

/**
 * Copies the whole store as it stands at one moment into a new file, which appears under its name only when it is whole and on disk. Calls go on
 * meanwhile. `REQUEST_INVALID` when the file exists; `LEDGER_UNAVAILABLE` when the database refuses.
 */
export async function backUpPostgres(parts: { readonly address: DatabaseAddress; readonly path: string }): Promise<void> {
  const { address, path } = parts;
  if (existsSync(path)) throw toolCallError("REQUEST_INVALID", `\`${path}\` exists already; name a new file for the backup`);
  const staged = `${path}-writing`;
  rmSync(staged, { force: true });
  let connection: Connection | undefined;
  try {
    connection = await connect(address, { isPipelined: false });
    await connection.query("begin isolation level repeatable read read only");
    await pipeline(Readable.from(linesOf(connection)), createGzip(), createWriteStream(staged, { flags: "wx", mode: 0o600, flush: true }));
    await connection.query("commit");
    renameSync(staged, path);
  } catch (cause) {
    rmSync(staged, { force: true });
    throw backupProblem(cause, path, address);
  } finally {
    await connection?.close().catch(() => undefined);
  }
}

async function* linesOf(connection: Connection): AsyncGenerator<string> {
  yield `${JSON.stringify({ kind: "header", format: backupFormat, schema: Number(await readPostgresMeta(connection, "schema")) } satisfies BackupLine)}\n`;
  let rowCount = 0;
  for (const table of backupTables) {
    await connection.query(`declare copied no scroll cursor for select row_to_json(t)::text from signalbox.${table} t`);
    for (;;) {
      const rows = await connection.query(`fetch ${defaultLimits.storeSliceRowsMax} from copied`);
      if (rows.length === 0) break;
      rowCount += rows.length;
      // The rows are JSON already; reading them only to write them again would cost the event loop.
      yield `{"kind":"rows","table":"${table}","rows":[${rows.map(([text]) => text as string).join(",")}]}\n`;
    }
    await connection.query("close copied");
  }
  yield `${JSON.stringify({ kind: "end", rowCount } satisfies BackupLine)}\n`;
}

function backupProblem(cause: unknown, path: string, address: DatabaseAddress): ToolCallError {
  if (cause instanceof ToolCallError) return cause;
  if (sqlState(cause) !== undefined) return databaseProblem(cause, address);
  const isFile = cause instanceof Error && "syscall" in cause && "path" in cause;
  if (isFile)
    return toolCallError("REQUEST_INVALID", `\`${path}\` cannot be written; name a file in a folder that this user may write`, { cause });
  const isNetwork = cause instanceof Error;
  return isNetwork ? databaseProblem(cause, address) : internalError(cause);
}
