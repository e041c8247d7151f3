import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { toolCallError, ToolCallError } from "../errors/tool-call-error.ts";
import { backupFormat, backupTables, type BackupLine } from "./postgres-backup.ts";
import { connect, databaseAddress, databaseProblem, sqlState, type Connection, type DatabaseAddress } from "./postgres-driver.ts";
import { requireWholeEnd } from "./postgres-proof.ts";
import { buildSchema, knownSchema, writePostgresMeta } from "./postgres-schema.ts";
import type { WriterHead } from "./store.ts";

/** What a restore needs. */
export interface PostgresRestoreOptions {
  /** An empty database: it holds no store. */
  readonly connectionString: string;
  /** A file that `Store.backup` wrote. It is not changed. */
  readonly from: string;
  readonly clock: Clock;
  /** Epoch of the store that is replaced, where it is known; the new one lies after it too. Default: the backup's own. */
  readonly replacedEpoch?: number;
}

/** That the database came from a backup: the ledger records it as the first entry of the new epoch. */
export interface PostgresRestoreRecord {
  /** The epoch that the restore opened. */
  readonly epoch: number;
  readonly atMs: number;
  /** Where the writers' chains stood in the backup; what came after is lost. */
  readonly heads: readonly WriterHead[];
}

/**
 * Puts a backup into an empty database as a new epoch of the same writers: their chains go on from the backup's heads, and whoever opens the store
 * next sees from `restored` that approvals, open intents and keys of the gap can no longer be trusted. One transaction: a restore that fails leaves
 * the database empty. `CONFIG_INVALID` when the database holds a store, or the file is no whole backup or one of a newer program.
 */
export async function restorePostgres(options: PostgresRestoreOptions): Promise<PostgresRestoreRecord> {
  const address = databaseAddress(options.connectionString);
  const lines = linesOf(options.from);
  let connection: Connection | undefined;
  try {
    const header = await headerOf(lines, options.from);
    connection = await connect(address, { isPipelined: false });
    await connection.query("begin isolation level read committed");
    await refuseOccupied(connection, address);
    await buildSchema(connection, header.schema);
    await load(connection, lines, options.from);
    const record = await openEpoch(connection, address, options);
    await buildSchema(connection, knownSchema());
    await connection.query("commit");
    await connection.query("analyze");
    return record;
  } catch (cause) {
    await connection?.query("rollback").catch(() => undefined);
    if (cause instanceof ToolCallError) throw cause;
    throw isFileProblem(cause) ? fileProblem(options.from, cause) : databaseProblem(cause, address);
  } finally {
    await lines.return(undefined);
    await connection?.close().catch(() => undefined);
  }
}

async function* linesOf(path: string): AsyncGenerator<BackupLine, undefined> {
  const file = createReadStream(path);
  const plain = createGunzip();
  file.on("error", (cause) => plain.destroy(cause));
  try {
    for await (const line of createInterface({ input: file.pipe(plain), crlfDelay: Infinity })) yield JSON.parse(line) as BackupLine;
  } finally {
    file.destroy();
    plain.destroy();
  }
  return undefined;
}

async function headerOf(lines: AsyncGenerator<BackupLine>, from: string): Promise<Extract<BackupLine, { readonly kind: "header" }>> {
  const first = (await lines.next()).value as BackupLine | undefined;
  if (first?.kind !== "header" || first.format !== backupFormat) throw fileProblem(from);
  if (first.schema > knownSchema())
    throw toolCallError(
      "CONFIG_INVALID",
      `\`${from}\` has schema ${first.schema}; this program knows ${knownSchema()}: use a newer Signalbox`,
    );
  return first;
}

async function refuseOccupied(connection: Connection, address: DatabaseAddress): Promise<void> {
  const [[isOccupied] = []] = await connection.query("select to_regnamespace('signalbox') is not null");
  if (isOccupied === true)
    throw toolCallError("CONFIG_INVALID", `\`${address.name}\` holds a store already; name an empty database to restore into`);
}

async function load(connection: Connection, lines: AsyncGenerator<BackupLine>, from: string): Promise<void> {
  // What building the schema wrote is replaced by what the backup says.
  await connection.query("delete from signalbox.meta");
  let rowCount = 0;
  for await (const line of lines) {
    if (line.kind === "end" && line.rowCount === rowCount) return;
    if (line.kind !== "rows" || !backupTables.includes(line.table)) break;
    const table = `signalbox.${line.table}`;
    await connection.query(`insert into ${table} select * from json_populate_recordset(null::${table}, $1::json)`, [
      JSON.stringify(line.rows),
    ]);
    rowCount += line.rows.length;
  }
  throw fileProblem(from);
}

async function openEpoch(
  connection: Connection,
  address: DatabaseAddress,
  options: PostgresRestoreOptions,
): Promise<PostgresRestoreRecord> {
  const writers = await connection.query(
    "select id, seq, head, (select value::bigint from signalbox.meta where name = 'epoch') from signalbox.writers order by id",
  );
  const heads: WriterHead[] = [];
  for (const row of writers) {
    const [writer, seq, head, epoch] = row as readonly [string, number, string, number];
    await requireWholeEnd(connection, address, { writer, epoch, seq, head });
    heads.push({ writer, epoch, seq, head });
  }
  const [[backupEpoch] = []] = await connection.query("select value::bigint from signalbox.meta where name = 'epoch'");
  const record = { epoch: Math.max(backupEpoch as number, options.replacedEpoch ?? 0) + 1, atMs: options.clock.now(), heads };
  await connection.query(
    "insert into signalbox.closed_heads(writer, epoch, seq, head) select id, $1, seq, head from signalbox.writers where seq > 0",
    [backupEpoch],
  );
  // Nobody lives in the new database yet, whatever the leases said in the old one.
  await connection.query("update signalbox.writers set fence = fence + 1, expires_at = '-infinity'");
  await writePostgresMeta(connection, "epoch", String(record.epoch));
  await writePostgresMeta(connection, "restored", JSON.stringify(record));
  return record;
}

/** Errors of reading the file, unzipping it or parsing its lines; the driver's own have a SQLSTATE or come from the network. */
function isFileProblem(cause: unknown): boolean {
  if (sqlState(cause) !== undefined || !(cause instanceof Error)) return false;
  const code: unknown = "code" in cause ? cause.code : undefined;
  return cause instanceof SyntaxError || (typeof code === "string" && (code.startsWith("Z_") || "path" in cause));
}

function fileProblem(from: string, cause?: unknown): ToolCallError {
  return toolCallError(
    "CONFIG_INVALID",
    `\`${from}\` is no whole backup of a PostgreSQL store; name a file that \`signalbox backup\` wrote`,
    { cause },
  );
}
