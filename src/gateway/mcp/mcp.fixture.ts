import { request as httpRequest, type IncomingMessage } from "node:http";
import { createIdSource } from "../../base/ids.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import type { Signalbox } from "../../call/box/box.ts";
import { createSignalbox } from "../../call/box/signalbox.ts";
import type { Credential } from "../../domain/principal.ts";
import type { RegisteredTool } from "../../domain/tool.ts";
import { tool } from "../../registry/define.ts";
import type { Store } from "../../store/store.ts";
import { createApiKeys } from "../api-keys.ts";
import { createGateway, type Gateway } from "../gateway.ts";
import { sharedVerifier } from "../ledger-verifier.ts";
import { createMcpFace, type McpFace } from "./face.ts";

/** Keys of the credentials in a test gateway. */
export const keys = {
  agent: "agent-key-000000000000000000",
  rival: "rival-key-000000000000000000",
  narrow: "narrow-key-00000000000000000",
  nobody: "nobody-key-00000000000000000",
  lead: "lead-key-0000000000000000000",
} as const;

type Holder = keyof typeof keys;

function credential(id: Holder, parts: Partial<Credential>): Credential {
  return { id, tenant: "acme", actsFor: [], approves: [], administers: false, words: "attested", authenticatedAtMs: undefined, ...parts };
}

/** The credentials behind them; `nobody` calls, but no user is configured for it. */
export const credentials: Readonly<Record<Holder, Credential>> = {
  agent: credential("agent", { actsFor: ["support"] }),
  rival: credential("rival", { actsFor: ["support"] }),
  narrow: credential("narrow", { actsFor: ["reader"] }),
  nobody: credential("nobody", { actsFor: ["support"] }),
  lead: credential("lead", { approves: ["approver"] }),
};

const id = { type: "object", properties: { id: { type: "string" } }, required: ["id"] } as const;

/** What the slow tool has seen. */
export interface Seen {
  aborted: number;
  readonly waiting: (() => void)[];
}

/** Tools of the test box. `slow` answers when `release` is called, and says once that it works. */
export function testTools(slow: Promise<string>, seen: Seen): readonly RegisteredTool[] {
  return [
    tool({ name: "shop.get", tier: "read", description: "Look up one order", input: id, run: (args) => ({ order: args }) }),
    tool({
      name: "shop.slow",
      tier: "read",
      description: "Look up slowly",
      input: id,
      run: async (_args, { progress, signal }) => {
        signal.addEventListener("abort", () => (seen.aborted += 1));
        progress("still looking");
        for (const started of seen.waiting.splice(0)) started();
        return await slow;
      },
    }),
    tool({ name: "shop.long", tier: "read", description: "A long text", input: id, run: () => "long ".repeat(2_000) }),
    tool({
      name: "shop.refund",
      tier: "irreversible",
      idempotency: "key",
      description: "Refund an order",
      input: id,
      run: () => ({ refunded: true }),
    }),
    tool({ name: "bank.close", tier: "read", description: "Not granted to anybody", input: id, run: () => ({}) }),
  ];
}

/** What was answered. */
export interface Posted {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** The body as JSON, or the messages of a stream of events. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

/** How a message is sent. */
export interface Posting {
  readonly key?: string | undefined;
  readonly method?: string;
  /** Sent as it is, instead of the message. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A gateway with an MCP face over a box in memory. */
export interface McpGateway {
  readonly gateway: Gateway;
  readonly box: Signalbox;
  readonly face: McpFace;
  readonly url: string;
  readonly faults: readonly unknown[];
  readonly seen: Seen;
  /** Resolves when the slow tool is called the next time. */
  slowStarted(): Promise<void>;
  readonly release: () => void;
  post(message: unknown, posting?: Posting): Promise<Posted>;
  /** A request of 2026-07-28 with its headers. */
  modern(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    posting?: Posting & { readonly meta?: object; readonly id?: unknown },
  ): Promise<Posted>;
  close(): Promise<void>;
}

/** Members of `_meta` that every request of 2026-07-28 has. */
export const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
} as const;

/** Starts one on a free loopback port. */
export async function startMcp(
  changes: {
    readonly limits?: Partial<Limits>;
    readonly store?: Store;
    readonly clock?: Clock;
    readonly more?: readonly RegisteredTool[];
    readonly roles?: Readonly<Record<string, readonly string[]>>;
    readonly rules?: readonly object[];
  } = {},
): Promise<McpGateway> {
  const limits = { ...defaultLimits, ...changes.limits };
  const clock = changes.clock ?? systemClock;
  const seen: Seen = { aborted: 0, waiting: [] };
  let release = (): void => undefined;
  const slow = new Promise<string>((resolve) => {
    release = () => resolve("done");
  });
  const box = await createSignalbox({
    allowUnsafeMemory: true,
    limits: { ...changes.limits },
    policy: { roles: { support: ["shop.*"], reader: ["shop.get"], ...changes.roles }, rules: changes.rules ?? [] },
    tools: [...testTools(slow, seen), ...(changes.more ?? [])],
    ...(changes.store !== undefined && { store: changes.store }),
    ...(changes.clock !== undefined && { clock: changes.clock }),
  });
  const faults: unknown[] = [];
  const users = new Map([
    ["agent", { user: "ada", roles: ["support"], isInteractive: true }],
    ["rival", { user: "bob", roles: ["support"] }],
    ["narrow", { user: "eve", roles: ["reader"] }],
  ]);
  const face = createMcpFace({
    box,
    users,
    stateKey: new Uint8Array(32),
    limits,
    clock,
    version: "0.0.0",
    onFault: (cause) => faults.push(cause),
  });
  const gateway = createGateway({
    box,
    keys: createApiKeys(
      (Object.keys(keys) as Holder[]).map((name) => ({ credential: credentials[name], key: keys[name] })),
      { limits, clock },
    ),
    listen: { host: "127.0.0.1", port: 0 },
    hosts: [],
    limits,
    clock: systemClock,
    ids: createIdSource(clock, systemRandom),
    logger: { log: () => undefined, flush: () => undefined },
    verifier: sharedVerifier(() => Promise.resolve({ ok: true })),
    version: "0.0.0",
    mcp: face,
  });
  await gateway.start();
  const url = `${gateway.address as string}/mcp`;
  const post = (message: unknown, posting: Posting = {}): Promise<Posted> => send(url, message, posting);
  return {
    gateway,
    box,
    face,
    url,
    faults,
    seen,
    slowStarted: () => new Promise((resolve) => seen.waiting.push(resolve)),
    release,
    post,
    modern: (method, params = {}, posting = {}) => {
      const name = params["name"];
      const headers = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        ...(typeof name === "string" && { "mcp-name": name }),
        ...posting.headers,
      };
      const message = { jsonrpc: "2.0", id: posting.id ?? 1, method, params: { ...params, _meta: { ...envelope, ...posting.meta } } };
      return post(message, { ...posting, headers });
    },
    close: async () => {
      release();
      await gateway.close();
      await box.close();
    },
  };
}

function send(url: string, message: unknown, posting: Posting): Promise<Posted> {
  const raw = posting.raw ?? JSON.stringify(message);
  const key = "key" in posting ? posting.key : keys.agent;
  const headers = {
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(raw)),
    ...posting.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      url,
      { method: posting.method ?? "POST", headers, agent: false, signal: posting.signal },
      (response) => void collect(response).then(resolve, reject),
    );
    outgoing.on("error", reject);
    outgoing.end(raw);
  });
}

async function collect(response: IncomingMessage): Promise<Posted> {
  let text = "";
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  const type = response.headers["content-type"] ?? "";
  const isJson = /json/.test(type) && text !== "";
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : undefined,
    events: /event-stream/.test(type)
      ? text.split("\n").flatMap((line) => (line.startsWith("data: ") ? [JSON.parse(line.slice(6)) as Record<string, unknown>] : []))
      : [],
  };
}
