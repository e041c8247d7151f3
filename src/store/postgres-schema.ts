/**
 * How the database came to look as it does. Migrations expand first and contract a release later: the database says which schema it has and the
 * oldest schema number that a program must know to work with it. Each writer's lease says what its program knows, so that a newer program never
 * migrates past a live older one; it is refused until the older ones have stopped.
 */
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { Connection, DatabaseAddress, Queryable } from "./postgres-driver.ts";
import { schema1 } from "./postgres-schema-1.ts";
import { schema2 } from "./postgres-schema-2.ts";
import { isoTime } from "../base/clock.ts";

/** One step of the schema. Never changed once released. */
export interface PostgresMigration {
  /** Counts up from 1. */
  readonly version: number;
  /** The oldest schema number that a program must know to read and write the database after this step. */
  readonly oldestServed: number;
  readonly sql: string;
}

/** Every step, in order. The program knows the schema of the last one. */
export const postgresMigrations: readonly PostgresMigration[] = [
  { version: 1, oldestServed: 1, sql: schema1 },
  { version: 2, oldestServed: 1, sql: schema2 },
];

/** Who migrates holds this lock of the database alone; who takes a lease shares it, so that no lease of an older program slips in between. */
const schemaLock = 5_280_442_391;
export const shareSchemaLock = `select pg_advisory_xact_lock_shared(${schemaLock})`;

/** The schema number that a program of these steps knows. */
export function knownSchema(steps: readonly PostgresMigration[] = postgresMigrations): number {
  return steps.at(-1)?.version ?? 0;
}

/** Brings the database to the newest schema that this program knows, in one transaction. Refuses a database that is too new, or not ours. */
export async function migratePostgres(
  connection: Connection,
  address: DatabaseAddress,
  birth: { readonly atMs: number },
  steps: readonly PostgresMigration[] = postgresMigrations,
): Promise<void> {
  await connection.query("begin isolation level read committed");
  try {
    await connection.query(`select pg_advisory_xact_lock(${schemaLock})`);
    const found = await foundSchema(connection, address);
    refuseTooNew(found, address, knownSchema(steps));
    const missing = steps.filter(({ version }) => version > found.version);
    if (found.version > 0) await refuseLiveOlder(connection, address, missing);
    await applySteps(connection, missing);
    if (found.version === 0 && missing.length > 0) {
      await writePostgresMeta(connection, "epoch", "1");
      await writePostgresMeta(connection, "created", isoTime(birth.atMs));
    }
    await connection.query("commit");
  } catch (error) {
    await connection.query("rollback").catch(() => undefined);
    throw error;
  }
}

/**
 * Brings an empty database, or one that `buildSchema` began, to a schema, inside the caller's transaction; the lock that migrations share is held
 * to its end.
 */
export async function buildSchema(connection: Connection, through: number): Promise<void> {
  await connection.query(`select pg_advisory_xact_lock(${schemaLock})`);
  const [[isBegun] = []] = await connection.query("select to_regclass('signalbox.meta') is not null");
  const from = isBegun === true ? Number((await readPostgresMeta(connection, "schema")) ?? 0) : 0;
  await applySteps(
    connection,
    postgresMigrations.filter(({ version }) => version > from && version <= through),
  );
}

async function applySteps(connection: Connection, steps: readonly PostgresMigration[]): Promise<void> {
  for (const step of steps) {
    if (step.version === 1) await connection.query("create schema signalbox");
    await connection.query(step.sql);
    await writePostgresMeta(connection, "schema", String(step.version));
    await writePostgresMeta(connection, "oldest-served", String(step.oldestServed));
  }
}

/** Refuses a database whose schema this program is too old for, or that has none. */
export async function requireSchema(target: Queryable, address: DatabaseAddress, known: number = knownSchema()): Promise<void> {
  const found = await foundSchema(target, address);
  if (found.version === 0)
    throw configProblem(`there is no store in \`${address.name}\`; start a gateway on it first, or name another database`);
  refuseTooNew(found, address, known);
}

interface FoundSchema {
  /** 0: none yet. */
  readonly version: number;
  readonly oldestServed: number;
}

async function foundSchema(target: Queryable, address: DatabaseAddress): Promise<FoundSchema> {
  const [[hasSchema, hasMeta] = []] = await target.query(
    "select to_regnamespace('signalbox') is not null, to_regclass('signalbox.meta') is not null",
  );
  if (hasSchema !== true) return { version: 0, oldestServed: 0 };
  if (hasMeta !== true)
    throw configProblem(`\`${address.name}\` has a schema \`signalbox\` of another program; name a database of its own for the store`);
  const version = Number(await readPostgresMeta(target, "schema"));
  return { version, oldestServed: Number((await readPostgresMeta(target, "oldest-served")) ?? version) };
}

function refuseTooNew(found: FoundSchema, address: DatabaseAddress, known: number): void {
  if (found.version > known && found.oldestServed > known)
    throw configProblem(
      `\`${address.name}\` has schema ${found.version}, which serves programs that know schema ${found.oldestServed} or later; this one knows ${known}: use a newer Signalbox`,
    );
}

async function refuseLiveOlder(connection: Connection, address: DatabaseAddress, missing: readonly PostgresMigration[]): Promise<void> {
  const needed = missing.at(-1)?.oldestServed ?? 0;
  const [older] = await connection.query(
    "select id, program_schema from signalbox.writers where expires_at > clock_timestamp() and program_schema < $1 order by program_schema limit 1",
    [needed],
  );
  if (older !== undefined)
    throw configProblem(
      `\`${address.name}\` cannot be brought to schema ${missing.at(-1)?.version}: the live writer \`${String(older[0])}\` knows only schema ${String(older[1])}, and ${needed} would be needed; stop the older processes first`,
    );
}

/** A text of the database's own table of settings. */
export async function readPostgresMeta(target: Queryable, name: string): Promise<string | undefined> {
  const [row] = await target.query("select value from signalbox.meta where name = $1", [name]);
  return row?.[0] as string | undefined;
}

/** Sets such a text. */
export async function writePostgresMeta(target: Queryable, name: string, value: string): Promise<void> {
  await target.query("insert into signalbox.meta(name, value) values($1, $2) on conflict (name) do update set value = excluded.value", [
    name,
    value,
  ]);
}

function configProblem(message: string): ToolCallError {
  return toolCallError("CONFIG_INVALID", message);
}
