import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { McpServers } from "./mcp-clients.ts";

/** Runs the story to its end in a process of its own, on free ports. */
async function runOnce(): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const state = await mkdtemp(join(tmpdir(), "signalbox-desk-"));
  try {
    const environment = { PATH: "", NO_COLOR: "1", DESK_PORT: "0", SHOP_PORT: "0", DESK_STATE: state };
    const child = spawn(process.execPath, [join(import.meta.dirname, "start.ts"), "--once"], { env: environment });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    return await new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  } finally {
    await rm(state, { recursive: true, force: true });
  }
}

/** Without ids and times. */
function timeless(text: string): string {
  return text.replace(/apr_[0-9a-z]+/g, "apr_").replace(/\d+ ms/g, "some ms");
}

/** Starts the desk, waits until its story is told and it says what to try next, hands over what it printed, and stops it. */
async function withDesk(use: (out: string) => Promise<void>): Promise<void> {
  const state = await mkdtemp(join(tmpdir(), "signalbox-desk-"));
  const environment = { PATH: "", NO_COLOR: "1", DESK_PORT: "0", SHOP_PORT: "0", DESK_STATE: state };
  const child = spawn(process.execPath, [join(import.meta.dirname, "start.ts")], { env: environment, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    let out = "";
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      out += chunk.toString();
      if (out.includes("Ctrl-C ends it.")) break;
    }
    await use(out);
  } finally {
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    await rm(state, { recursive: true, force: true });
  }
}

/** What the story must show, in its order: a heading, and how its calls ended. */
const told = [
  /1\. an allowed read[\s\S]*?✓ completed \{"result":\{"id":"A-1042"/,
  /2\. an argument of the wrong type[\s\S]*?validate +repaired \/limit[\s\S]*?✓ completed/,
  /3\. somebody else's record[\s\S]*?authorize +PERMISSION_DENIED[\s\S]*?✗ denied/,
  /4\. a refund waits[\s\S]*?… pending[\s\S]*?person +team-lead approves[\s\S]*?gate +intent on disk[\s\S]*?✓ completed \{"refunded":20/,
  /5\. the model asks for the same refund again[\s\S]*?deduplicate[\s\S]*?… pending[\s\S]*?team-lead says no[\s\S]*?✗ denied/,
  /6\. a tool that hangs[\s\S]*?attempt 3[\s\S]*?✗ failed +\{"error":\{"code":"TOOL_TIMEOUT"/,
  /7\. a lost reply[\s\S]*?\? unknown[\s\S]*?joined the earlier call; nothing was sent again[\s\S]*?✓ completed/,
  /8\. a review tells the agent[\s\S]*?TOOL_NOT_FOUND/,
  /9\. a read through an MCP server[\s\S]*?resolve +handbook\.read_text_file[\s\S]*?✓ completed \{"result":\{"content":"# Broken goods/,
  /10\. a write through an MCP server[\s\S]*?resolve +memory\.create_entities[\s\S]*?gate +intent on disk[\s\S]*?✓ completed/,
  /refunds 1, pick-ups 1, mails 0/,
  /ledger ✓ verified: \d+ entries in \d+ sealed batches, [1-9]\d* signed checkpoints?/,
];

test(verifies("OPS-01", "the support desk tells its story as written, and its ledger verifies"), async () => {
  const { code, out, err } = await runOnce();
  expect({ code, err }).toEqual({ code: 0, err: "" });
  let from = 0;
  for (const part of told) {
    const found = part.exec(out.slice(from));
    expect(found, `${String(part)} in\n${out}`).not.toBeNull();
    from += (found as RegExpExecArray).index;
  }
  expect(out).not.toMatch(/did not go as told|It stays up/);
  // What the README quotes is what is printed.
  const quoted = /^4\. a refund waits.*?```/ms.exec(await readFile(join(import.meta.dirname, "../../README.md"), "utf8"))?.[0] ?? "";
  const lines = quoted.split("\n").slice(0, -1);
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) expect(timeless(out)).toContain(timeless(line.replace(/…$/, "")));
});

test(
  verifies("CONN-04", "the MCP client configuration that the support desk prints works as it is, over HTTP and over stdio"),
  async () => {
    await withDesk(async (out) => {
      const printed = /^\{\n[\s\S]*?^\}$/m.exec(out)?.[0] ?? "";
      const { mcpServers } = JSON.parse(printed) as { readonly mcpServers: McpServers };
      const { "desk-http": http, "desk-stdio": stdio } = mcpServers;
      // What a client keeps of the server that it starts itself has no secret in it.
      expect(JSON.stringify(stdio)).not.toContain(http.headers["Authorization"]?.slice("Bearer ".length));
      const transports = [
        new StreamableHTTPClientTransport(new URL(http.url), { requestInit: { headers: { ...http.headers } } }),
        new StdioClientTransport({ command: stdio.command, args: [...stdio.args], env: {}, stderr: "ignore" }),
      ];
      for (const transport of transports) {
        const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
        await client.connect(transport);
        const names = (await client.listTools()).tools.map(({ name }) => name);
        expect(names).toEqual(
          expect.arrayContaining(["shop.get_order", "handbook.read_text_file", "memory.create_entities", "signalbox.outcome"]),
        );
        expect(names).not.toContain("handbook.write_file");
        const page = await client.callTool({ name: "handbook.read_text_file", arguments: { path: "delivery.md" } });
        expect(JSON.stringify(page.structuredContent)).toContain("paid by noon");
        const reviews = await client.callTool({ name: "shop.read_reviews", arguments: { product: "kettle" } });
        expect([reviews.isError ?? false, JSON.stringify(reviews.content)]).toEqual([false, expect.stringContaining("Boils fast")]);
        await client.close();
      }
    });
  },
  180_000,
);

test(
  verifies("OPS-01", "the call that the support desk prints to try next waits for a person, and the smaller one that it tells of runs"),
  async () => {
    await withDesk(async (out) => {
      const [, url = ""] = /curl -s (\S+)/.exec(out) ?? [];
      const [, key = ""] = /"authorization: (Bearer [0-9a-f]+)"/.exec(out) ?? [];
      const [, body = ""] = /-d '(\{.*\})'/.exec(out) ?? [];
      const outcomeOf = async (text: string): Promise<unknown> => {
        const answer = await fetch(url, {
          method: "POST",
          headers: { authorization: key, "content-type": "application/json" },
          body: text,
        });
        return ((await answer.json()) as { readonly outcome: { readonly kind: string } }).outcome.kind;
      };
      expect(await outcomeOf(body)).toBe("pending");
      expect(await outcomeOf(body.replace("refund 30", "refund 5").replace('"amount":30', '"amount":5'))).toBe("completed");
      // Nobody said so, and the number stands nowhere.
      expect(await outcomeOf(body.replace(/,"turn":\{.*?\}/, "").replace('"amount":30', '"amount":4'))).toBe("pending");
    });
  },
  180_000,
);
