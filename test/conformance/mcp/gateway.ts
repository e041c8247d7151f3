/** A real `signalbox serve` for programs that know nothing of credentials: a forwarder in front of it adds one, and changes nothing else. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const root = join(here, "../../..");
const agentKey = "agent-key-000000000000000000";
const leadKey = "lead-key-0000000000000000000";
const upstream = (name: string): string => join(root, "node_modules/@modelcontextprotocol", name, "dist/index.js");

/** A gateway that is up, and how it is reached. */
export interface ServedGateway {
  /** Of the MCP endpoint; wants `agentKey`. */
  readonly url: string;
  readonly agentKey: string;
  /** Of the forwarder, under the name `localhost`; wants no key. */
  readonly openUrl: string;
  /** How a client starts one of its own over stdio, with a store of its own. */
  readonly stdio: { readonly command: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** Path of an MCP client's own configuration, which names the same under `mcpServers` as `signalbox`. */
  readonly clientConfiguration: string;
  close(): Promise<void>;
}

function configuration(folder: string, store: string): string {
  return `version: 1
store: sqlite:${join(folder, store)}
listen: 127.0.0.1:0
credentials:
  agent: { secret: secret://env/AGENT_KEY, tenant: acme, actsFor: [tester] }
  lead: { secret: secret://env/LEAD_KEY, tenant: acme, approves: [approver] }
mcp:
  credentials:
    agent: { user: ada, roles: [tester], interactive: true }
tools: { modules: [${JSON.stringify(join(here, "fixture-tools.ts"))}] }
sources:
  docs:
    mcp:
      command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(upstream("server-filesystem"))}, ${JSON.stringify(folder)}]
      tier: read
      allow: [read_text_file]
      admit: reads
policy:
  roles: { tester: [test_*, json_*, shop.*, docs.*] }
  rules:
    - { id: own, on: "test_input_required_*", when: "true", effect: ask, confirm: self, reason: the user confirms it }
`;
}

const environment = { PATH: process.env["PATH"] ?? "", AGENT_KEY: agentKey, LEAD_KEY: leadKey };

/** Starts one, with `hello.txt` in the folder that its upstream server serves. */
export async function serveGateway(): Promise<ServedGateway> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-mcp-"));
  await writeFile(join(folder, "hello.txt"), "hello from a file");
  await writeFile(join(folder, "http.yaml"), configuration(folder, "http.db"));
  await writeFile(join(folder, "stdio.yaml"), configuration(folder, "stdio.db"));
  const program = join(root, "bin/signalbox.js");
  const stdio = {
    command: process.execPath,
    args: [program, "serve", "--stdio", "--config", join(folder, "stdio.yaml")],
    env: environment,
  };
  const clientConfiguration = join(folder, "mcp.json");
  await writeFile(clientConfiguration, JSON.stringify({ mcpServers: { signalbox: stdio } }));
  const gateway = spawn(process.execPath, [program, "serve", "--json", "--config", join(folder, "http.yaml")], {
    env: environment,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const address = await new Promise<string>((resolve, reject) => {
    gateway.stdout.once("data", (chunk: Buffer) => resolve((JSON.parse(chunk.toString()) as { readonly address: string }).address));
    gateway.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
  });
  const forwarder = await forwardTo(new URL(address));
  return {
    url: `${address}/mcp`,
    agentKey,
    openUrl: `http://localhost:${(forwarder.address() as AddressInfo).port}/mcp`,
    stdio,
    clientConfiguration,
    async close() {
      forwarder.closeAllConnections();
      forwarder.close();
      const ended = new Promise((resolve) => gateway.once("exit", resolve));
      gateway.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function forwardTo(target: URL): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const authorization = `Bearer ${agentKey}`;
    const forwarded = httpRequest(
      { host: target.hostname, port: target.port, method, path: url, headers: { ...headers, authorization } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return server;
}
