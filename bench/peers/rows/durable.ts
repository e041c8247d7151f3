/**
 * Rows `durable-ratio/…`: durable steps a second with 32 callers, in engines and here. A step of ours is a governed call with its intent and outcome on
 * disk; one of theirs is a step whose result they keep and which runs again after a crash, and so does a `read` of ours, which is told beside it. DBOS and our
 * stores on PostgreSQL share one server. The rounds take turns.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTestServer } from "../../../src/store/postgres.fixture.ts";
import { atLeast, isQuick, median, print, told, type Row } from "../../measure.ts";
import type { WorkflowsWanted } from "../durable/child.ts";

const roundsCount = isQuick ? 3 : 9;
const folder = mkdtempSync(join(tmpdir(), "signalbox-peers-"));
const children: ChildProcess[] = [];

interface Engine {
  readonly name: string;
  readonly child: ChildProcess;
  /** Workflows of a round, of 10 steps each. */
  readonly workflowsCount: number;
  readonly rates: number[];
  madeCount: number;
}

async function start(name: string, workflowsCount: number, file: string, args: readonly string[]): Promise<Engine> {
  const child = fork(fileURLToPath(new URL(`../durable/${file}.ts`, import.meta.url)), [...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [],
    env: { PATH: process.env["PATH"], NODE_ENV: "production", DO_NOT_TRACK: "1", RESTATE_LOGGING: "ERROR" },
  });
  children.push(child);
  await answerOf(child);
  return { name, child, workflowsCount, rates: [], madeCount: 0 };
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the child ended with ${code ?? "a signal"}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });
}

async function round(engine: Engine, isKept: boolean): Promise<void> {
  const wanted: WorkflowsWanted = { from: engine.madeCount, count: engine.workflowsCount };
  engine.madeCount += engine.workflowsCount;
  const answer = answerOf(engine.child);
  engine.child.send(wanted);
  const rate = (await answer) as number;
  if (isKept) engine.rates.push(rate);
}

/** Starts Restate's server with its defaults, apart from its ports, and without its reports home. */
async function startRestate(): Promise<readonly [ingress: string, admin: string]> {
  const [ingress, admin, node] = [await freePort(), await freePort(), await freePort()];
  const require = createRequire(import.meta.url);
  const binary = require.resolve(`@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`);
  const child = spawn(binary, ["--base-dir", join(folder, "restate")], {
    stdio: ["ignore", "ignore", "ignore"],
    env: {
      PATH: process.env["PATH"],
      DO_NOT_TRACK: "1",
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    },
  });
  children.push(child);
  await listening(admin, child);
  await listening(ingress, child);
  return [String(ingress), String(admin)];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const startedMs = performance.now();
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() - startedMs > 60_000) throw new Error("Restate's server does not listen");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function row(our: Engine, peer: Engine): Row {
  const ratio = median(our.rates.map((rate, index) => rate / (peer.rates[index] as number)));
  const perS = ({ rates }: Engine): string => `${median(rates).toFixed(0)} steps/s`;
  const id = `durable-ratio/${peer.name}/${our.name}`;
  const about = `ours ${perS(our)}, theirs ${perS(peer)}`;
  return our.name.endsWith("-read") ? told(id, ratio, "× theirs", about) : atLeast(id, ratio, "× theirs", 5, about);
}

const server = await startTestServer();
try {
  const [ingress, admin] = await startRestate();
  const ours = [
    await start("postgres", isQuick ? 64 : 400, "signalbox", [await server.newDatabase(), join(folder, "keys")]),
    await start("sqlite", isQuick ? 64 : 800, "signalbox", [join(folder, "store.db"), join(folder, "store.keys")]),
    await start("postgres-read", isQuick ? 64 : 400, "signalbox", [await server.newDatabase(), join(folder, "read.keys"), "read"]),
    await start("sqlite-read", isQuick ? 64 : 800, "signalbox", [join(folder, "read.db"), join(folder, "read.db.keys"), "read"]),
  ];
  const peers = [
    await start("dbos", isQuick ? 32 : 64, "dbos", [await server.newDatabase()]),
    await start("restate", isQuick ? 32 : 96, "restate", [ingress, admin]),
  ];
  for (let index = 0; index <= roundsCount; index += 1) for (const engine of [...ours, ...peers]) await round(engine, index > 0);
  print({
    rows: peers.flatMap((peer) => ours.map((our) => row(our, peer))),
    notMeasured: [
      "durable-ratio: recovery, timers, waiting for events, replication; a server's CPU; Restate keeps its own log instead of a database",
      "durable-ratio: a workflow of theirs also keeps its beginning and end, a call of ours is on its own and also keeps its arguments",
    ],
  });
} finally {
  for (const child of children) child.kill();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
