import { request as httpRequest } from "node:http";
import { createIdSource } from "../base/ids.ts";
import { systemClock } from "../base/clock.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { systemRandom } from "../base/random.ts";
import type { Signalbox } from "../call/box/box.ts";
import { createSignalbox } from "../call/box/signalbox.ts";
import type { Credential } from "../domain/principal.ts";
import { tool } from "../registry/define.ts";
import { createApiKeys, type ApiKeys } from "./api-keys.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { sharedVerifier } from "./ledger-verifier.ts";
import type { LogLine } from "./log.ts";

/** Keys of the credentials in a test gateway, by role. */
export const keys = {
  agent: "agent-key-000000000000000000",
  rival: "rival-key-000000000000000000",
  stranger: "stranger-key-0000000000000000",
  lead: "lead-key-0000000000000000000",
  outsider: "outsider-key-000000000000000",
  operator: "operator-key-00000000000000",
  ada: "ada-key-0000000000000000000000",
  zoe: "zoe-key-0000000000000000000000",
} as const;

function credential(id: string, parts: Partial<Credential>): Credential {
  return { id, tenant: "acme", actsFor: [], approves: [], administers: false, words: "attested", authenticatedAtMs: undefined, ...parts };
}

/** What each key stands for. */
export const credentials: Readonly<Record<keyof typeof keys, Credential>> = {
  agent: credential("agent", { actsFor: ["support"] }),
  rival: credential("rival", { actsFor: ["support"] }),
  stranger: credential("stranger", { tenant: "other", actsFor: ["support"] }),
  lead: credential("lead", { approves: ["approver"] }),
  outsider: credential("outsider", { approves: ["somebody-else"] }),
  operator: credential("operator", { administers: true }),
  ada: credential("ada-phone", { approves: ["self", "approver"], person: { user: "ada", roles: [], attributes: {} } }),
  zoe: credential("zoe-phone", { approves: ["self", "approver"], person: { user: "zoe", roles: ["support"], attributes: {} } }),
};

/** What a test gateway answered. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

export interface Sending {
  readonly key?: string;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly box: Signalbox;
  readonly apiKeys: ApiKeys;
  readonly lines: readonly LogLine[];
  /** Lets the tool `shop.slow` answer. */
  readonly release: () => void;
  send(method: string, path: string, sending?: Sending): Promise<Answered>;
  /** A session of the agent. */
  session(key?: string): Promise<string>;
  close(): Promise<void>;
}

/** A gateway on a free loopback port over a real box whose state lives in memory. */
export async function startGateway(
  changes: { readonly limits?: Partial<Limits>; readonly box?: Partial<Signalbox>; readonly hosts?: readonly string[] } = {},
): Promise<TestGateway> {
  const limits = { ...defaultLimits, ...changes.limits };
  let release = (): void => undefined;
  const released = new Promise<string>((resolve) => {
    release = () => resolve("done");
  });
  const input = { type: "object", properties: { id: { type: "string" } }, required: ["id"] } as const;
  const real = await createSignalbox({
    allowUnsafeMemory: true,
    limits: { ...changes.limits },
    policy: { roles: { support: ["shop.*"] } },
    tools: [
      tool({ name: "shop.get", tier: "read", description: "Look up one order", input, run: (args) => ({ order: args }) }),
      tool({ name: "shop.slow", tier: "read", description: "Look up slowly", input, run: () => released }),
      tool({
        name: "shop.refund",
        tier: "irreversible",
        idempotency: "key",
        description: "Refund an order",
        input,
        run: () => ({ refunded: true }),
      }),
      tool({
        name: "shop.address",
        tier: "reversible",
        isSensitive: true,
        description: "Change an address",
        input,
        run: () => ({ changed: true }),
      }),
      tool({ name: "bank.close", tier: "read", description: "Not granted to anybody", input, run: () => ({}) }),
    ],
  });
  const box: Signalbox = { ...real, ...changes.box };
  const lines: LogLine[] = [];
  const apiKeys = createApiKeys(
    (Object.keys(keys) as (keyof typeof keys)[]).map((name) => ({ credential: credentials[name], key: keys[name] })),
    { limits, clock: systemClock },
  );
  const gateway = createGateway({
    box,
    keys: apiKeys,
    listen: { host: "127.0.0.1", port: 0 },
    hosts: changes.hosts ?? [],
    limits,
    clock: systemClock,
    ids: createIdSource(systemClock, systemRandom),
    logger: { log: (line) => lines.push(line), flush: () => undefined },
    verifier: sharedVerifier(() => Promise.resolve({ ok: true })),
    version: "0.0.0",
  });
  await gateway.start();
  const send = (method: string, path: string, sending: Sending = {}): Promise<Answered> =>
    exchange(gateway.address as string, { method, path, sending });
  return {
    gateway,
    box,
    apiKeys,
    lines,
    release,
    send,
    session: async (key = keys.agent) => {
      const opened = await send("POST", "/v1/sessions", { key, body: { user: "ada", roles: ["support"] } });
      return opened.json?.["id"] as string;
    },
    close: async () => {
      release();
      await gateway.close();
      await real.close();
    },
  };
}

function exchange(
  address: string,
  parts: { readonly method: string; readonly path: string; readonly sending: Sending },
): Promise<Answered> {
  const { method, path, sending } = parts;
  const raw = sending.raw ?? (sending.body === undefined ? undefined : JSON.stringify(sending.body));
  const headers = {
    ...(sending.key !== undefined && { authorization: `Bearer ${sending.key}` }),
    ...(raw !== undefined && { "content-type": "application/json", "content-length": String(Buffer.byteLength(raw)) }),
    ...sending.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(address, { method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = /json/.test(response.headers["content-type"] ?? "");
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson && text !== "" ? (JSON.parse(text) as Record<string, unknown>) : undefined,
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(raw);
  });
}
