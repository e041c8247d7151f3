/** A scripted MCP server over stdio, run as a program by tests. What it does is told by `UPSTREAM`, JSON of `Script`. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync, appendFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** How the server behaves. */
export interface Script {
  /** `ends`: goes away over a question that comes before the handshake; `silent`: does not answer it; `mute`: answers nothing. Default `legacy`. */
  readonly era?: "modern" | "legacy" | "ends" | "silent" | "mute";
  /** File with the definitions, read again at each list. Default a few tools of its own. */
  readonly toolsFile?: string;
  /** Tools on each page. */
  readonly page?: number;
  /** Every page names the same next one. */
  readonly circles?: boolean;
  /** File to which its process ids are appended, one a line, when it starts. */
  readonly startsFile?: string;
  /** Does not go when its input ends, nor when it is told to. */
  readonly stubborn?: boolean;
  /** Dies at once. */
  readonly stillborn?: boolean;
}

type Message = { readonly id?: number; readonly method?: string; readonly params?: Readonly<Record<string, unknown>> };

const text = process.env["UPSTREAM"];
if (text !== undefined) run(JSON.parse(text) as Script);

const schema = { type: "object", properties: { text: { type: "string" } } };
const names = [
  "echo",
  "slow",
  "die",
  "fail",
  "progress",
  "structured",
  "picture",
  "environment",
  "change",
  "cancelled",
  "garbage",
  "children",
  "asks",
  "flood",
  "gush",
];

function run(script: Script): void {
  if (script.startsFile !== undefined) appendFileSync(script.startsFile, `${process.pid}\n`);
  if (script.stillborn === true) process.exit(3);
  if (script.stubborn === true) {
    process.on("SIGTERM", () => undefined);
    // What listens keeps a process.
    createServer().listen(0, "127.0.0.1");
  }
  const cancelled: unknown[] = [];
  const send = (message: object): void => void process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const tools = (): unknown[] =>
    script.toolsFile === undefined
      ? names.map((name) => ({ name, description: `Does ${name}.`, inputSchema: schema }))
      : (JSON.parse(readFileSync(script.toolsFile, "utf8")) as unknown[]);
  createInterface({ input: process.stdin }).on("line", (line) => {
    const message = JSON.parse(line) as Message;
    if (message.method === "notifications/cancelled") cancelled.push(message.params?.["requestId"]);
    if (message.id !== undefined && message.method !== undefined) answer({ script, message, send, tools, cancelled });
  });
}

interface Asked {
  readonly script: Script;
  readonly message: Message;
  readonly send: (message: object) => void;
  readonly tools: () => unknown[];
  readonly cancelled: readonly unknown[];
}

function answer(asked: Asked): void {
  const { script, message, send, tools } = asked;
  const { id, method, params = {} } = message;
  if (script.era === "mute") return undefined;
  const error = (code: number, words: string): void => send({ id, error: { code, message: words } });
  switch (method) {
    case "server/discover":
      if (script.era === "modern")
        return send({ id, result: { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, resultType: "complete" } });
      if (script.era === "ends") process.exit(1);
      return script.era === "silent" ? undefined : error(-32601, "Method not found");
    case "initialize":
      return send({
        id,
        result: {
          protocolVersion: params["protocolVersion"],
          capabilities: { tools: { listChanged: true } },
          serverInfo: { name: "scripted", version: "1" },
        },
      });
    case "tools/list": {
      const all = tools();
      const from = Number(params["cursor"] ?? 0);
      const page = script.page ?? all.length;
      const next =
        from + page < all.length || script.circles === true ? { nextCursor: script.circles === true ? "0" : String(from + page) } : {};
      return send({ id, result: { tools: all.slice(from, from + page), ...next } });
    }
    case "tools/call":
      return call(asked, String(params["name"]), (params["arguments"] ?? {}) as Readonly<Record<string, unknown>>);
    default:
      return error(-32601, "Method not found");
  }
}

function call({ script, message, send, cancelled }: Asked, name: string, args: Readonly<Record<string, unknown>>): void {
  const { id, params = {} } = message;
  const meta = params["_meta"] as Readonly<Record<string, unknown>> | undefined;
  const done = (result: object): void => send({ id, result });
  const say = (words: string): void => done({ content: [{ type: "text", text: words }] });
  switch (name) {
    case "slow":
      return undefined;
    case "die":
      return process.exit(9);
    case "fail":
      return done({ content: [{ type: "text", text: "no such order\u001b[31m" }], isError: true });
    case "progress":
      send({ method: "notifications/progress", params: { progressToken: meta?.["progressToken"], progress: 1, message: "half way" } });
      send({ method: "notifications/progress", params: { progressToken: 999_999, progress: 1, message: "somebody else's" } });
      return say("done");
    case "structured":
      return done({ content: [{ type: "text", text: "{}" }], structuredContent: { "signalbox:parts": [], total: 3 } });
    case "picture":
      return done({
        content: [
          { type: "text", text: "look" },
          { type: "image", data: "AAAA", mimeType: "image/png" },
          { type: "resource_link", uri: "file:///x", name: "x" },
        ],
      });
    case "environment":
      return say(Object.keys(process.env).sort().join(" "));
    case "change":
      if (script.toolsFile !== undefined) writeFileSync(script.toolsFile, String(args["text"]));
      send({ method: "notifications/tools/list_changed" });
      return say("changed");
    case "cancelled":
      return say(JSON.stringify(cancelled));
    case "garbage":
      process.stdout.write("this is no JSON\n[1,2]\n");
      send({ id: 424242, result: {} });
      send({ id, result: "no object" });
      return undefined;
    case "flood":
      for (let count = Number(args["text"]); count > 0; count -= 1) {
        process.stderr.write(`${"noise ".repeat(100)}\n`);
        send({ method: "notifications/message", params: { level: "info", data: "noise" } });
      }
      return say("flooded");
    case "gush":
      process.stdout.write("x".repeat(Number(args["text"])));
      return undefined;
    case "children":
      return say(String(spawn("sleep", ["600"], { stdio: "ignore" }).pid));
    case "asks":
      send({ id: "s1", method: "sampling/createMessage", params: {} });
      send({ id: "s2", method: "ping" });
      return say("asked");
    default:
      return say(`${name}: ${JSON.stringify(args)}`);
  }
}
