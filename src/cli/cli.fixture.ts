import { PassThrough } from "node:stream";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { commands } from "./commands.ts";
import { runCommandLine } from "./run.ts";

/** What a command did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Keys of the credentials in a test installation. */
export const environment = {
  AGENT_KEY: "agent-key-000000000000000000",
  LEAD_KEY: "lead-key-0000000000000000000",
  OPERATOR_KEY: "operator-key-00000000000000",
} as const;

/** Runs a command line in this process. */
export async function run(
  folder: string,
  line: readonly string[],
  variables: Readonly<Record<string, string>> = {},
  stopped: () => Promise<void> = () => Promise.resolve(),
): Promise<Ran> {
  let out = "";
  let err = "";
  const code = await runCommandLine(line, commands, {
    environment: { ...environment, ...variables },
    terminal: { out: (text) => (out += text), err: (text) => (err += text), hasColour: false },
    clock: systemClock,
    random: systemRandom,
    folder,
    version: "0.0.0",
    stopped,
    onHangup: () => undefined,
    readInput: () => Promise.resolve('{"orderId":"A-9"}'),
    streams: () => ({ input: new PassThrough(), output: new PassThrough() }),
  });
  return { code, out, err };
}

const bin = fileURLToPath(new URL("../../bin/signalbox.js", import.meta.url));

/** A command in a process of its own. */
export interface Spawned {
  /** Resolves with the first line of its output. */
  readonly firstLine: Promise<string>;
  readonly ended: Promise<Ran>;
  /** What it has written to standard error so far. */
  errors(): string;
  signal(name: "SIGHUP" | "SIGTERM"): void;
  stop(): void;
}

/** Starts the program itself, as a shell would. */
export function start(folder: string, line: readonly string[], variables: Readonly<Record<string, string>> = {}): Spawned {
  const child = spawn(process.execPath, [bin, ...line], { cwd: folder, env: { PATH: "", ...environment, ...variables } });
  let out = "";
  let err = "";
  const ended = new Promise<Ran>((resolve) => {
    child.on("close", (code) => resolve({ code: code ?? -1, out, err }));
  });
  const firstLine = new Promise<string>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes("\n")) resolve(out.split("\n")[0] as string);
    });
    void ended.then(() => resolve(out));
  });
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  return { firstLine, ended, errors: () => err, signal: (name) => void child.kill(name), stop: () => void child.kill("SIGTERM") };
}

/** A shop that counts its refunds. */
export interface Shop {
  readonly port: number;
  readonly refunds: readonly string[];
  close(): Promise<void>;
}

export async function startShop(): Promise<Shop> {
  const refunds: string[] = [];
  const server = createServer((request, response) => {
    if (request.method === "POST") refunds.push(String(request.headers["idempotency-key"]));
    request.resume();
    if (request.url?.endsWith("/pickup") === true) {
      // The line drops before the reply arrives.
      response.destroy();
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ path: request.url, method: request.method }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    refunds,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A folder with a configuration whose shop listens on `port`. */
export async function makeFolder(port: number): Promise<{ readonly folder: string; readonly remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-"));
  await writeFile(
    join(folder, "signalbox.yaml"),
    `version: 1
store: sqlite:./box.db
listen: 127.0.0.1:0
keys: ./box.keys
credentials:
  agent: { secret: secret://env/AGENT_KEY, tenant: acme, actsFor: [support], words: attested }
  lead: { secret: secret://env/LEAD_KEY, tenant: acme, approves: [approver] }
  operator: { secret: secret://env/OPERATOR_KEY, tenant: acme, administers: true }
sources:
  shop:
    http:
      url: http://127.0.0.1:${port}
      allowPrivate: ["127.0.0.1:${port}"]
      tools:
        get_order:
          { method: GET, path: "/orders/{orderId}", tier: read, description: Look up one order, input: { type: object, properties: { orderId: { type: string } }, required: [orderId] } }
        refund:
          { method: POST, path: "/orders/{orderId}/refund", tier: irreversible, idempotency: key, description: Refund an order, input: { type: object, properties: { orderId: { type: string } }, required: [orderId] } }
        pickup:
          { method: POST, path: "/orders/{orderId}/pickup", tier: reversible, timeoutMs: 2000, description: Book a pick-up, input: { type: object, properties: { orderId: { type: string } }, required: [orderId] } }
policy:
  roles: { support: [shop.get_order, shop.refund, shop.pickup] }
anchors: [{ file: ./anchors.jsonl }]
`,
  );
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
