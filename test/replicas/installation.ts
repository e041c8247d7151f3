import { systemClock } from "../../src/base/clock.ts";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startTestServer, type TestServer } from "../../src/store/postgres.fixture.ts";
import { startProcess, type RunningProcess } from "../crash/processes.ts";
import { freePorts, startProgram, type Program } from "./program.ts";

/** API keys of the installation's credentials. */
export const keys = {
  agent: "agent-key-agent-key-agent-key-000001",
  lead: "lead-key-lead-key-lead-key-lead-01",
  operator: "operator-key-operator-key-operator",
} as const;

/** An answer of a gateway. */
export interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An effect that the outside world saw. */
export interface SeenEffect {
  readonly path: string;
  readonly key: string;
  readonly order: string;
}

/** Several gateways as users run them, on one PostgreSQL database, behind a load balancer, and an outside world that counts effects. */
export interface Installation {
  readonly postgres: TestServer;
  readonly folder: string;
  /** Address of the store. */
  readonly store: string;
  /** Where clients ask: the balancer. */
  readonly address: string;
  /** One place for each gateway; the balancer knows them all. */
  readonly slots: readonly Slot[];
  ask(where: string, who: keyof typeof keys, path: string, body?: object): Promise<Reply>;
  openSession(user: string): Promise<string>;
  effects(): Promise<readonly SeenEffect[]>;
  /** Another policy in the file, as YAML or JSON. */
  configure(rules: string): Promise<void>;
  close(): Promise<void>;
}

/** The place of one gateway. */
export interface Slot {
  readonly address: string;
  readonly process: Program | undefined;
  /** Starts a gateway here, of this program unless another is named, and waits until it is ready; says how long that took. */
  start(program?: string): Promise<number>;
}

/** Tools `frail0` and so on are left alone for so long when two attempts in a row have failed. */
export const frailOpenMs = [3_000, 3_000, 60_000] as const;

/** Tools `once0` and so on may be called once, and then a minute later again. */
const onceCount = 10;

/** What the gateways decide by, unless told otherwise. */
export const policy = {
  roles: { tester: ["effect.*"] },
  rules: [{ id: "no-questions", on: "effect.*", when: '!args.order.startsWith("ask-")', effect: "allow", waives: "tier" }],
};

/** The program of this checkout. */
export const presentProgram = fileURLToPath(new URL("../../bin/signalbox.js", import.meta.url));
const startMsMax = 60_000;

const ownLimits = {
  attemptTimeoutMs: 3_000,
  executeDeadlineMs: 4_000,
  reconcileSettleMs: 300,
  upkeepIntervalMs: 500,
  writerLeaseMs: 3_000,
  rateCallsPerMinute: 1_000_000,
  rateBurstCalls: 1_000_000,
  sessionCallsMax: 1_000_000,
  sessionDenialsMax: 10_000,
  sessionExecutionMsMax: 1_000_000_000,
  approvalsPendingMax: 10_000,
};

/** For loads on a machine with much else to do: what is late there is neither turned away nor given up, and the balancer has time to ask. */
export const patientLimits = {
  drainNoticeMs: 5_000,
  loopDelayMs: 10_000,
  attemptTimeoutMs: 25_000,
  executeDeadlineMs: 28_000,
  writerLeaseMs: 20_000,
};

/** What an installation may have besides. */
export interface InstallationOptions {
  /** More lines of the configuration. */
  readonly settings?: string;
  /** Limits that differ from `ownLimits`. */
  readonly limits?: Readonly<Record<string, number>>;
  /** What the gateways run at first. Default: `presentProgram`. */
  readonly program?: string;
}

/** Starts PostgreSQL, the outside world, the balancer and `count` gateways. */
export async function startInstallation(
  count: number,
  { settings = "", limits = {}, program = presentProgram }: InstallationOptions = {},
): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-replicas-"));
  const postgres = await startTestServer();
  const store = await postgres.newDatabase();
  const counter = startProcess("counter-service.ts", {});
  const counterHost = `127.0.0.1:${String((await counter.firstLine)?.["port"])}`;
  const [balancerPort = 0, ...ports] = await freePorts(count + 1);
  const configPath = join(folder, "signalbox.yaml");
  const configure = async (rules: string): Promise<void> =>
    await writeFile(configPath, `${configuration({ store, counterHost, rules, limits })}${settings}`);
  await configure(JSON.stringify(policy));
  const slots = ports.map((port) => createSlot(port, { configPath, store }));
  const balancer = await startBalancer(folder, balancerPort, ports);
  const address = `http://127.0.0.1:${balancerPort}`;
  const close = (): Promise<void> => closeAll({ slots, balancer, counter, postgres, folder });
  try {
    await slots[0]?.start(program);
    await Promise.all(slots.slice(1).map((slot) => slot.start(program)));
    await untilReady(address);
  } catch (cause) {
    await close();
    throw cause;
  }
  return {
    postgres,
    folder,
    store,
    address,
    slots,
    ask,
    configure,
    async openSession(user) {
      const { body } = await ask(address, "agent", "/v1/sessions", { user, roles: ["tester"] });
      return String(body["id"]);
    },
    effects: async () => ((await (await fetch(`http://${counterHost}/report`)).json()) as { readonly effects: SeenEffect[] }).effects,
    close,
  };
}

async function closeAll(parts: {
  readonly slots: readonly Slot[];
  readonly balancer: Program;
  readonly counter: RunningProcess;
  readonly postgres: TestServer;
  readonly folder: string;
}): Promise<void> {
  await Promise.all(parts.slots.map(async ({ process }) => await process?.end()));
  await parts.balancer.end();
  parts.counter.signal("SIGKILL");
  await parts.counter.exited;
  await parts.postgres.stop();
  await rm(parts.folder, { recursive: true, force: true });
}

/** A place for one gateway on a port, with its configuration. */
export function createSlot(port: number, { configPath, store }: { readonly configPath: string; readonly store: string }): Slot {
  const address = `http://127.0.0.1:${port}`;
  let gateway: Program | undefined;
  return {
    address,
    get process() {
      return gateway;
    },
    async start(program = presentProgram) {
      const startedAt = systemClock.monotonic();
      gateway = startProgram(process.execPath, [program, "serve", "--config", configPath], {
        SIGNALBOX_LISTEN: `127.0.0.1:${port}`,
        PGPASSWORD: new URL(store).password,
        AGENT_KEY: keys.agent,
        LEAD_KEY: keys.lead,
        OPERATOR_KEY: keys.operator,
      });
      await untilReady(address, gateway);
      return systemClock.monotonic() - startedAt;
    },
  };
}

/** Waits for a `/readyz` that says yes. */
async function untilReady(address: string, gateway?: Program): Promise<void> {
  const untilMs = systemClock.monotonic() + startMsMax;
  while (systemClock.monotonic() < untilMs) {
    if (gateway?.isOver() === true) throw new Error(`a gateway did not start: ${gateway.said().slice(-2_000)}`);
    const status = await fetch(`${address}/readyz`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await pause(25);
  }
  throw new Error(`nobody is ready at ${address} after ${startMsMax} ms: ${gateway?.said().slice(-2_000) ?? ""}`);
}

/** Asks a gateway, or the balancer. Rejects when the connection breaks. */
export async function ask(where: string, who: keyof typeof keys, path: string, body?: object): Promise<Reply> {
  const response = await fetch(`${where}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${keys[who]}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // What the balancer itself answers is no JSON.
  return { status: response.status, body: (text.startsWith("{") ? JSON.parse(text) : { text }) as Record<string, unknown> };
}

async function startBalancer(folder: string, port: number, gateways: readonly number[]): Promise<Program> {
  const path = join(folder, "haproxy.cfg");
  const servers = gateways.map((gateway, index) => `  server gateway${index + 1} 127.0.0.1:${gateway}`);
  const lines = [
    "global",
    "  maxconn 4000",
    "defaults",
    "  mode http",
    "  timeout connect 2s",
    "  timeout client 60s",
    "  timeout server 60s",
    // A busy machine answers late; only a no takes a gateway out.
    "  timeout check 10s",
    "  option redispatch",
    "  retries 3",
    "frontend clients",
    `  bind 127.0.0.1:${port}`,
    "  default_backend gateways",
    "backend gateways",
    "  balance roundrobin",
    "  option httpchk GET /readyz",
    "  http-check expect status 200",
    "  default-server check inter 200ms fall 1 rise 1",
    ...servers,
  ];
  await writeFile(path, `${lines.join("\n")}\n`);
  const balancer = startProgram("haproxy", ["-db", "-f", path]);
  // It answers for itself as soon as it listens.
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (balancer.isOver()) throw new Error(`HAProxy did not start: ${balancer.said()}`);
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isUp) return balancer;
    await pause(25);
  }
  throw new Error("HAProxy does not listen");
}

/** What differs between configurations. */
export interface ConfigurationParts {
  readonly store: string;
  readonly counterHost: string;
  readonly rules: string;
  /** Beside `ownLimits`. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** The text of a configuration. */
export function configuration(parts: ConfigurationParts): string {
  const { counterHost, rules } = parts;
  const store = new URL(parts.store);
  store.password = "";
  const tool = (path: string, more: string): string =>
    `        ${path}: { method: POST, path: /${path}, tier: irreversible, description: Has an effect., ${more} input: { type: object, properties: { order: { type: string } }, required: [order] } }`;
  return `version: 1
store: ${store.href}
listen: 127.0.0.1:1
keys: ./keys
anchors: [{ file: ./anchors.jsonl }]
credentials:
  agent: { secret: secret://env/AGENT_KEY, tenant: t, actsFor: ["*"], words: attested }
  lead: { secret: secret://env/LEAD_KEY, tenant: t, approves: [approver] }
  operator: { secret: secret://env/OPERATOR_KEY, tenant: t, administers: true }
sources:
  effect:
    http:
      url: http://${counterHost}
      allowPrivate: ["${counterHost}"]
      tools:
${tool("keyed", "idempotency: key,")}
${tool("opaque", "idempotency: none,")}
${tool("rated", "idempotency: key, ratePerMinute: 30,")}
${Array.from({ length: onceCount }, (_, index) => tool(`once${index}`, "idempotency: key, ratePerMinute: 1,")).join("\n")}
${frailOpenMs.map((openMs, index) => tool(`frail${index}`, `idempotency: key, breaker: { failures: 2, openMs: ${openMs} },`)).join("\n")}
policy: ${rules}
limits:
${Object.entries({ ...ownLimits, ...parts.limits })
  .map(([name, value]) => `  ${name}: ${value}\n`)
  .join("")}`;
}
