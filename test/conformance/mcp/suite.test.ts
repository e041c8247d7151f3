/** Programs of others against a real `signalbox serve`: the official conformance suite, MCP Inspector's command line, and both official client SDKs. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as LegacyStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as LegacyHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../../verifies.ts";
import { serveGateway, type ServedGateway } from "./gateway.ts";

const here = import.meta.dirname;
const program = (name: string, path: string): string => join(here, "node_modules", name, path);

let gateway: ServedGateway;
let home: string;
beforeAll(async () => {
  gateway = await serveGateway();
  home = await mkdtemp(join(tmpdir(), "signalbox-mcp-home-"));
});
afterAll(async () => {
  await gateway.close();
  await rm(home, { recursive: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
}

/** Runs a program of others with the pinned Node.js, in a home and a folder of its own. */
function run(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const environment = { PATH: process.env["PATH"] ?? "", HOME: home, NO_COLOR: "1" };
    execFile(process.execPath, [...args], { cwd: home, env: environment, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + stderr }),
    );
  });
}

describe("the official conformance suite", () => {
  it.each([
    ["2025-11-25", "@modelcontextprotocol/conformance", "--spec-version", 12],
    ["2026-07-28", "conformance-next", "--requirements", 15],
  ] as const)(
    verifies("CONN-04", "passes through the gateway for %s, except for what its file of expected failures lists with the reason"),
    async (revision, name, choice, passesMin) => {
      const suite = program(name, "dist/index.js");
      const baseline = join(here, `expected-failures-${revision}.yaml`);
      const { code, out } = await run([suite, "server", "--url", gateway.openUrl, choice, revision, "--expected-failures", baseline]);
      expect(out, out).toContain("Baseline check passed");
      expect(code).toBe(0);
      // A run that did nothing would pass as well.
      const passed = [...out.matchAll(/^✓ (\S+): (\d+) passed/gm)].filter(([, , count]) => Number(count) > 0);
      expect(passed.length, out).toBeGreaterThanOrEqual(passesMin);
    },
  );
});

describe("MCP Inspector's command line", () => {
  const inspector = program("@modelcontextprotocol/inspector", "clients/launcher/build/index.js");
  const ways: Readonly<Record<string, () => readonly string[]>> = {
    HTTP: () => [gateway.url, "--header", `Authorization: Bearer ${gateway.agentKey}`],
    stdio: () => ["--config", gateway.clientConfiguration, "--server", "signalbox"],
  };

  it.each(["HTTP", "stdio"])(verifies("CONN-04", "lists and calls over %s"), async (way) => {
    const target = ways[way]?.() ?? [];
    const list = await run([inspector, "--cli", ...target, "--method", "tools/list"]);
    expect(list.out).toMatch(/test_simple_text[\s\S]*signalbox\.outcome/);
    expect(list.code).toBe(0);
    const call = await run([inspector, "--cli", ...target, "--method", "tools/call", "--tool-name", "test_simple_text"]);
    expect(call.out).toContain("This is a simple text response for testing.");
    expect(call.code).toBe(0);
  });
});

interface AnyClient {
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  callTool(request: { readonly name: string; readonly arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

const header = (): { readonly requestInit: RequestInit } => ({ requestInit: { headers: { authorization: `Bearer ${gateway.agentKey}` } } });
const started = (): { command: string; args: string[]; env: Record<string, string>; stderr: "ignore" } => ({
  command: gateway.stdio.command,
  args: [...gateway.stdio.args],
  env: { ...gateway.stdio.env },
  stderr: "ignore",
});

async function modern(transport: ModernHttp | ModernStdio, mode: "auto" | "legacy"): Promise<AnyClient> {
  const client = new ModernClient({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

async function legacy(transport: unknown): Promise<AnyClient> {
  const client = new LegacyClient({ name: "test", version: "1" });
  await client.connect(transport as never);
  return client as AnyClient;
}

describe("an official client", () => {
  it.each<readonly [string, () => Promise<AnyClient>]>([
    ["SDK v2, 2026-07-28, HTTP", () => modern(new ModernHttp(new URL(gateway.url), header()), "auto")],
    ["SDK v2, 2026-07-28, stdio", () => modern(new ModernStdio(started()), "auto")],
    ["SDK v2 with a handshake, HTTP", () => modern(new ModernHttp(new URL(gateway.url), header()), "legacy")],
    ["SDK v1, HTTP", () => legacy(new LegacyHttp(new URL(gateway.url), header()))],
    ["SDK v1, stdio", () => legacy(new LegacyStdio(started()))],
  ])(verifies("CONN-04", "lists, calls an upstream's tool, and is told what waits: %s"), async (_, connect) => {
    const client = await connect();
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["docs.read_text_file", "shop.refund", "signalbox.outcome", "test_simple_text"]));
    const file = await client.callTool({ name: "docs.read_text_file", arguments: { path: "hello.txt" } });
    expect(JSON.stringify(file)).toContain("hello from a file");
    const refund = JSON.stringify(await client.callTool({ name: "shop.refund", arguments: { orderId: "A-1" } }));
    expect(refund).toMatch(/approvalId.*signalbox\.outcome/);
    await client.close();
  });
});
