import type * as Driver from "pg";
import { AssertionFailure } from "../base/assert.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { internalError, toolCallError, ToolCallError } from "../errors/tool-call-error.ts";

/** Where the database is, how to speak of it, and how long to wait for it. */
export interface DatabaseAddress {
  readonly connectionString: string;
  /** `host/database` without user or password, for messages. */
  readonly name: string;
  readonly limits: Limits;
}

/** A row of an answer: its columns in order. Whole numbers of 8 bytes come as numbers. */
export type Columns = readonly (string | number | boolean | null | Uint8Array)[];

/** Something that answers statements. */
export interface Queryable {
  /** Runs a statement. With a `name` it is prepared once per connection. Rejects with the driver's own error: see `faultOf`. */
  query(text: string, values?: readonly unknown[], name?: string): Promise<readonly Columns[]>;
}

/** One connection. Statements may be sent without waiting for the answers of those before. */
export interface Connection extends Queryable {
  /** Whether it can still be used. */
  isAlive(): boolean;
  close(): Promise<void>;
}

/** Several connections; each statement goes to any of them. */
export interface ConnectionPool extends Queryable {
  close(): Promise<void>;
}

/** Checks a `postgres://` address. `CONFIG_INVALID` without repeating it, since it may hold a password. */
export function databaseAddress(connectionString: string, limits: Limits = defaultLimits): DatabaseAddress {
  const url = URL.parse(connectionString);
  const database = url?.pathname.slice(1) ?? "";
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || database === "")
    throw toolCallError("CONFIG_INVALID", "the store's address is not one of PostgreSQL; write `postgres://user@host:5432/database`");
  return { connectionString, name: `${url.host === "" ? "localhost" : url.host}/${database}`, limits };
}

/** Opens one connection. */
export async function connect(address: DatabaseAddress, settings: { readonly isPipelined: boolean }): Promise<Connection> {
  const driver = await loadDriver();
  const client: Driver.Client = new driver.Client({
    ...clientConfig(driver, address),
    pipeline: settings.isPipelined,
    query_timeout: address.limits.storeAnswerMs,
  });
  let isAlive = true;
  const lost = (): void => {
    isAlive = false;
  };
  // Without a listener the loss of an idle connection would end the process; whoever uses it next learns of it.
  client.on("error", lost);
  client.on("end", lost);
  try {
    await client.connect();
  } catch (cause) {
    client.end().catch(() => undefined);
    throw cause;
  }
  return {
    query: (text, values, name) => run(client, text, values, name),
    isAlive: () => isAlive,
    async close() {
      isAlive = false;
      await client.end();
    },
  };
}

/** Opens a pool of at most `storeConnectionsMax` connections, made when needed. */
export async function openPool(address: DatabaseAddress): Promise<ConnectionPool> {
  const driver = await loadDriver();
  const pool: Driver.Pool = new driver.Pool({
    ...clientConfig(driver, address),
    max: address.limits.storeConnectionsMax,
    allowExitOnIdle: true,
  });
  pool.on("error", () => undefined);
  let ending: Promise<void> | undefined;
  return {
    query: (text, values, name) => run(pool, text, values, name),
    close() {
      ending ??= pool.end();
      return ending;
    },
  };
}

function clientConfig(driver: typeof Driver, address: DatabaseAddress) {
  return {
    connectionString: address.connectionString,
    application_name: "signalbox",
    keepAlive: true,
    connectionTimeoutMillis: address.limits.storeConnectMs,
    types: {
      // Every number that is stored is a safe integer.
      getTypeParser: (oid: number, format?: "text" | "binary"): unknown =>
        oid === 20 ? Number : (driver.types.getTypeParser(oid, format as "text") as unknown),
    },
  };
}

async function run(
  target: Driver.Client | Driver.Pool,
  text: string,
  values: readonly unknown[] = [],
  name?: string,
): Promise<readonly Columns[]> {
  const query = { text, values: [...values], rowMode: "array" as const, ...(name !== undefined && { name }) };
  const { rows } = await target.query<unknown[]>(query);
  return rows as unknown as Columns[];
}

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import("pg");
  } catch (cause) {
    throw toolCallError("CONFIG_INVALID", "a `postgres://` store needs the package `pg`, which is not installed; run `npm install pg@8`", {
      cause,
    });
  }
}

/**
 * What an error of the driver means for what was asked.
 * - `lost`: the connection is gone, so nobody knows whether the statement was done;
 * - `again`: nothing was done, and the same may succeed when it is tried again;
 * - `fenced`: nothing was done, because the writer's lease belongs to somebody else;
 * - `data`: nothing was done, because of what the statement holds;
 * - `refused`: nothing was done, for a reason that an operator must look at.
 */
export type Fault = "lost" | "again" | "fenced" | "data" | "refused";

const faultsByCode: Readonly<Record<string, Fault>> = {
  SB001: "again",
  SB002: "fenced",
  "40001": "again",
  "40P01": "again",
  "55P03": "again",
  "57P01": "lost",
  "57P02": "lost",
  "57P03": "lost",
  "57P05": "lost",
  "53300": "lost",
  "25P03": "lost",
  // A server that became a standby: the address leads to the new one soon.
  "25006": "lost",
};

/** Sorts an error of the driver. SQLSTATE codes after PostgreSQL's appendix A; SB001 and SB002 are the store's own. */
export function faultOf(error: unknown): Fault {
  // Errors of ours do not come from the driver, and trying again would not change them.
  if (error instanceof ToolCallError || error instanceof AssertionFailure) return "refused";
  const code = sqlState(error);
  if (code === undefined || code.startsWith("08")) return "lost";
  return faultsByCode[code] ?? (/^(22|54)/.test(code) ? "data" : "refused");
}

/** The SQLSTATE of an error that the database itself reported. */
export function sqlState(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  const isReported = error instanceof Error && "severity" in error;
  return isReported && typeof code === "string" ? code : undefined;
}

/** An error of the driver as one that may cross boundaries. Errors of ours pass. */
export function databaseProblem(cause: unknown, address: DatabaseAddress): ToolCallError {
  if (cause instanceof ToolCallError) return cause;
  if (cause instanceof AssertionFailure) return internalError(cause);
  const state = sqlState(cause);
  if (state === undefined) return unavailable(`the database \`${address.name}\` cannot be reached`, cause);
  if (state === "53100") return unavailable("the database's disk is full", cause);
  if (state.startsWith("28")) return unavailable(`the database \`${address.name}\` refuses this user`, cause);
  return unavailable(`the database \`${address.name}\` refused it with SQLSTATE \`${state}\``, cause);
}

function unavailable(why: string, cause: unknown): ToolCallError {
  return toolCallError("LEDGER_UNAVAILABLE", `${why}; nothing of this change holds, repeat it later`, { cause });
}
