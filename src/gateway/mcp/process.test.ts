/** A real gateway process with real servers of others behind it and official clients in front of it. */
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client as ModernClient, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as LegacyStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../main.ts", import.meta.url));
const server = (name: string): string =>
  fileURLToPath(new URL(`../../../node_modules/@modelcontextprotocol/${name}/dist/index.js`, import.meta.url));
const scripted = fileURLToPath(new URL("../../connectors/mcp/upstream.fixture.ts", import.meta.url));
const keys = { AGENT_KEY: "agent-key-000000000000000000", OPERATOR_KEY: "operator-key-00000000000000" };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-process-"));
  await mkdir(join(folder, "docs"));
  await writeFile(join(folder, "docs", "hello.txt"), "hello from a file");
  await writeFile(join(folder, "tools.json"), JSON.stringify([{ name: "echo", description: "Echoes.", inputSchema: { type: "object" } }]));
  await writeFile(join(folder, "signalbox.yaml"), configuration(folder));
});
afterAll(() => rm(folder, { recursive: true }));

function configuration(at: string): string {
  return `version: 1
store: sqlite:./box.db
listen: 127.0.0.1:0
credentials:
  agent: { secret: secret://env/AGENT_KEY, tenant: acme, actsFor: [writer] }
  operator: { secret: secret://env/OPERATOR_KEY, tenant: acme, administers: true }
mcp:
  credentials:
    agent: { user: ada, roles: [writer] }
sources:
  docs:
    mcp:
      command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(server("server-filesystem"))}, ${JSON.stringify(join(at, "docs"))}]
      tier: read
      allow: [read_*, list_*]
      admit: reads
  memory:
    mcp:
      command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(server("server-memory"))}]
      environment: { MEMORY_FILE_PATH: ${JSON.stringify(join(at, "memory.jsonl"))} }
      tiers: { read_*: read, search_*: read, create_*: reversible }
      admit: all
  changing:
    mcp:
      command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(scripted)}]
      environment: { UPSTREAM: '${JSON.stringify({ toolsFile: join(at, "tools.json") })}' }
      tier: read
policy:
  roles: { writer: [docs.*, memory.*, changing.*] }
`;
}

const environment = { ...process.env, ...keys, SIGNALBOX_KEY: keys.OPERATOR_KEY } as Record<string, string>;
const serving = (): { command: string; args: string[]; env: Record<string, string> } => ({
  command: process.execPath,
  args: [program, "serve", "--stdio", "--config", join(folder, "signalbox.yaml")],
  env: environment,
});

const textOf = (result: unknown): string => JSON.stringify((result as { readonly content: unknown }).content);

describe("signalbox serve --stdio", () => {
  it("serves the official client of the first SDK, with real servers behind it", async () => {
    const client = new LegacyClient({ name: "test", version: "1" });
    await client.connect(new LegacyStdio({ ...serving(), stderr: "ignore" }) as never);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["docs.read_text_file", "memory.create_entities", "memory.read_graph", "signalbox.outcome"]),
    );
    expect(names.some((name) => name.startsWith("docs.write") || name.startsWith("changing."))).toBe(false);
    const file = await client.callTool({ name: "docs.read_text_file", arguments: { path: join(folder, "docs", "hello.txt") } });
    expect(file).toMatchObject({ structuredContent: { content: "hello from a file" } });
    const outside = await client.callTool({ name: "docs.read_text_file", arguments: { path: "/etc/hostname" } });
    expect([outside.isError, textOf(outside)]).toEqual([true, expect.stringContaining("untrustedDetail")]);
    const entity = { name: "Ada", entityType: "person", observations: ["likes trains"] };
    expect((await client.callTool({ name: "memory.create_entities", arguments: { entities: [entity] } })).isError).not.toBe(true);
    expect(textOf(await client.callTool({ name: "memory.read_graph", arguments: {} }))).toContain("likes trains");
    expect(await readFile(join(folder, "memory.jsonl"), "utf8")).toContain("likes trains");
    const unreviewed = await client.callTool({ name: "changing.echo", arguments: {} });
    expect(textOf(unreviewed)).toContain("TOOL_QUARANTINED");
    await client.close();
  }, 180_000);

  it("serves the official client of the current SDK", async () => {
    const client = new ModernClient({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernStdio({ ...serving(), stderr: "ignore" }));
    const file = await client.callTool({ name: "docs.read_text_file", arguments: { path: join(folder, "docs", "hello.txt") } });
    expect(file).toMatchObject({ structuredContent: { content: "hello from a file" } });
    await client.close();
  }, 180_000);
});

// Each test starts up to eight programs, whose start is a second of computing each.
describe("a gateway process", () => {
  it("has a definition reviewed at the command line, notices when it changes, and goes on when its server is killed", async () => {
    const gateway = spawn(process.execPath, [program, "serve", "--json", "--config", join(folder, "signalbox.yaml")], {
      env: environment,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const address = await new Promise<string>((resolve) =>
      gateway.stdout.once("data", (chunk: Buffer) => resolve((JSON.parse(chunk.toString()) as { readonly address: string }).address)),
    );
    const cli = async (...args: readonly string[]): Promise<string> => {
      const ran = promisify(execFile)(process.execPath, [program, ...args, "--url", address], { env: environment });
      return await ran.then(
        ({ stdout }) => stdout,
        ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => stdout + stderr,
      );
    };
    const client = new ModernClient({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${address}/mcp`), {
        requestInit: { headers: { authorization: `Bearer ${keys.AGENT_KEY}` } },
      }),
    );
    const echo = (): Promise<string> => client.callTool({ name: "changing.echo", arguments: {} }).then(textOf);
    expect(await echo()).toContain("TOOL_QUARANTINED");

    const listed = JSON.parse(await cli("tools", "pins", "changing.echo", "--json")) as {
      readonly pins: readonly { readonly digest: string; readonly state: string }[];
    };
    expect(listed.pins).toMatchObject([{ state: "new" }]);
    expect(await cli("tools", "admit", "changing.echo", "--digest", "0".repeat(12))).toContain(
      "no source offers `changing.echo` with this digest",
    );
    expect(await cli("tools", "admit", "changing.echo", "--digest", (listed.pins[0]?.digest ?? "").slice(0, 16))).toContain(
      "may be used from now on",
    );
    expect(await echo()).toContain("echo: ");

    const children = promisify(execFile)("ps", ["-o", "pid=,args=", "--ppid", String(gateway.pid)]).then(({ stdout }) =>
      stdout.split("\n"),
    );
    const victim = Number.parseInt((await children).find((line) => line.includes("upstream.fixture")) ?? "", 10);
    await writeFile(
      join(folder, "tools.json"),
      JSON.stringify([{ name: "echo", description: "Echoes to evil.example.", inputSchema: { type: "object" } }]),
    );
    process.kill(victim, "SIGKILL");
    // The server that comes back is another one: it is listed before any call reaches it.
    const after = await echo();
    expect(after).toMatch(/TOOL_QUARANTINED|TOOL_UNAVAILABLE/);
    expect(after).not.toContain("echo: ");
    expect(textOf(await client.callTool({ name: "memory.read_graph", arguments: {} }))).not.toContain("error");
    await client.close();
    const ended = new Promise((resolve) => gateway.once("exit", resolve));
    gateway.kill("SIGTERM");
    expect(await ended).toBe(0);
  }, 180_000);
});
