import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { createMcpHandler, McpServer as ModernServer } from "@modelcontextprotocol/server";
import { McpServer as LegacyServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { verifies } from "../../../test/verifies.ts";
import type { Limits } from "../../base/limits.ts";
import { serve, type LocalServer } from "../connectors.fixture.ts";
import type { HttpAuth } from "../http-options.ts";
import { startSource, type StartedSource } from "./source.fixture.ts";

const servers: LocalServer[] = [];
const started: StartedSource[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ source }) => source.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const mail = "secret://file/secrets/mail/{tenant}/{user}";
const people = ["ada", "bob", "cyd", "dan"];
const ownSecrets: Record<string, string> = {
  "secret://env/LIST": "lister",
  ...Object.fromEntries(people.map((user) => [`secret://file/secrets/mail/acme/${user}`, `${user}-own`])),
  "secret://file/secrets/mail/other/ada": "other-ada-own",
};

interface Upstream {
  readonly host: string;
  /** Users by the token that the server takes. */
  readonly tokens: Map<string, string>;
  /** What it was asked, with the token of each request. */
  readonly asked: { readonly method: string; readonly token: string; readonly session: string | undefined }[];
  /** What it calls its tool today. */
  description: (user: string) => string;
  hold: Promise<void>;
}

/** A server of an official SDK that takes no request without a token it knows, and tells who it thinks is asking. */
async function upstream(era: "modern" | "legacy"): Promise<Upstream> {
  const made: Upstream = {
    host: "",
    tokens: new Map([["lister", "the desk"], ["other-ada-own", "other ada"], ...people.map((user) => [`${user}-own`, user] as const)]),
    asked: [],
    description: () => "Tells who asks.",
    hold: Promise.resolve(),
  };
  const answer = era === "modern" ? modern(made) : legacy(made);
  const server = await serve((request, response) => {
    void (async () => {
      const body = await buffer(request);
      const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
      const { method = "" } = JSON.parse(body.toString()) as { readonly method?: string };
      made.asked.push({ method, token, session: request.headers["mcp-session-id"] as string | undefined });
      const user = made.tokens.get(token);
      if (user === undefined) return void response.writeHead(401, { "www-authenticate": "Bearer" }).end();
      if (method === "tools/call") await made.hold;
      await answer({ request, response, body, user });
    })().catch(() => response.destroy());
  });
  servers.push(server);
  return Object.assign(made, { host: server.host });
}

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  readonly user: string;
}

function modern(made: Upstream): (asked: Asked) => Promise<void> {
  return async ({ request, response, body, user }) => {
    const handler = createMcpHandler(() => {
      const server = new ModernServer({ name: "modern", version: "1" });
      const inputSchema = z.object({ note: z.string() });
      server.registerTool("whoami", { description: made.description(user), inputSchema }, ({ note }) => ({
        content: [{ type: "text", text: `${user}: ${note}` }],
      }));
      return server;
    });
    const headers = request.headers as Record<string, string>;
    const answer = await handler.fetch(new Request(`http://${made.host}/mcp`, { method: "POST", headers, body: new Uint8Array(body) }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
  };
}

/** Its sessions belong to whoever opened them. */
function legacy(made: Upstream): (asked: Asked) => Promise<void> {
  const sessions = new Map<string, { readonly transport: StreamableHTTPServerTransport; readonly user: string }>();
  return async ({ request, response, body, user }) => {
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? sessions.get(id) : undefined;
    if (typeof id === "string" && known === undefined) return void response.writeHead(404).end();
    if (known !== undefined && known.user !== user) return void response.writeHead(500).end("a session of somebody else");
    let transport = known?.transport;
    if (transport === undefined) {
      const opened: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (session) => void sessions.set(session, { transport: opened, user }),
      });
      transport = opened;
      const server = new LegacyServer({ name: "legacy", version: "1" });
      server.registerTool("whoami", { description: made.description(user), inputSchema: { note: z.string() } }, ({ note }) => ({
        content: [{ type: "text", text: `${user}: ${note}` }],
      }));
      await server.connect(transport as never);
    }
    await transport.handleRequest(request, response, JSON.parse(body.toString()));
  };
}

async function start(up: Upstream, changes: { secrets?: Record<string, string>; limits?: Partial<Limits>; auth?: Partial<HttpAuth> } = {}) {
  const reach = {
    kind: "http",
    url: `http://${up.host}/mcp`,
    allowPrivate: [up.host],
    auth: { secret: "secret://env/LIST", scheme: "bearer" },
    userAuth: { secret: mail, scheme: "bearer", connectAt: "https://portal.example/connect", ...changes.auth },
  } as const;
  const source = await startSource(reach, { secrets: changes.secrets ?? ownSecrets, ...(changes.limits && { limits: changes.limits }) });
  started.push(source);
  return source;
}

describe.each(["modern", "legacy"] as const)("a server of the %s era that runs as each user", (era) => {
  it(verifies("AUTH-05", "CONN-03", "is listed with the service's credential and called with each user's own"), async () => {
    const up = await upstream(era);
    const { call, listings } = await start(up);
    expect(listings[0]?.tools[0]?.connector.actsAs).toBe("user");
    expect(new Set(up.asked.map(({ token }) => token))).toEqual(new Set(["lister"]));
    for (const [user, tenant, told] of [
      ["ada", "acme", "ada"],
      ["bob", "acme", "bob"],
      ["ada", "other", "other ada"],
    ] as const)
      expect(await call("whoami", { note: "hi" }, { user, tenant })).toMatchObject({ kind: "value", value: `${told}: hi` });
    expect(up.asked.filter(({ method, token }) => method === "tools/call" && token === "lister")).toEqual([]);
  });

  it(
    verifies(
      "AUTH-05",
      "never sends what one user asks under another's token or session, however calls, evictions and changed tokens mix (property)",
    ),
    async () => {
      const up = await upstream(era);
      const secrets = { ...ownSecrets };
      const { call } = await start(up, { secrets, limits: { mcpUserLinksMax: 2 } });
      let renewedCount = 0;
      const step = fc.record({ user: fc.constantFrom(...people), renews: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }), async (rounds) => {
          for (const round of rounds) {
            for (const { user } of round.filter(({ renews }) => renews)) {
              renewedCount += 1;
              const token = `${user}-own-${renewedCount}`;
              secrets[`secret://file/secrets/mail/acme/${user}`] = token;
              up.tokens.set(token, user);
            }
            const answers = await Promise.all(round.map(({ user }) => call("whoami", { note: `of ${user}` }, { user })));
            for (const [index, answer] of answers.entries()) {
              const { user } = round[index] as (typeof round)[number];
              if (answer.kind === "value") expect(answer.value).toBe(`${user}: of ${user}`);
              // With more users at once than there may be connections.
              else expect(answer.failure).toMatchObject({ kind: "rate-limited", effect: "none" });
            }
          }
        }),
        { numRuns: 15 },
      );
      const users = new Map<string, Set<string | undefined>>();
      for (const { session, token } of up.asked)
        if (session !== undefined) users.set(session, (users.get(session) ?? new Set()).add(up.tokens.get(token)));
      expect([...users.values()].filter((each) => each.size > 1)).toEqual([]);
    },
  );

  it("is asked what it offers this user, and not called where that is not what was reviewed", async () => {
    const up = await upstream(era);
    up.description = (user) => (user === "bob" ? "Does something else for bob." : "Tells who asks.");
    const { call } = await start(up);
    expect(await call("whoami", { note: "x" }, { user: "bob" })).toMatchObject({
      kind: "failure",
      failure: { kind: "rejected", effect: "none", message: "the server does not offer `up.whoami` to this user as it was reviewed" },
      marks: ["unsent"],
    });
    expect((await call("whoami", { note: "x" }, { user: "ada" })).kind).toBe("value");
    expect(up.asked.some(({ method, token }) => method === "tools/call" && token === "bob-own")).toBe(false);
  });
});

describe("a user's connection", () => {
  it(verifies("AUTH-05", "is missed in words for the user, before anything is sent and where the server refuses it"), async () => {
    const up = await upstream("legacy");
    const secrets = { ...ownSecrets };
    const { call } = await start(up, { secrets });
    const asked = up.asked.length;
    expect(await call("whoami", { note: "x" }, { user: "eve" })).toMatchObject({
      failure: { kind: "rejected", code: "CREDENTIAL_MISSING", message: expect.stringContaining("is missing") as string },
    });
    expect(up.asked.length).toBe(asked);
    up.tokens.delete("ada-own");
    const refused = {
      kind: "rejected",
      code: "CREDENTIAL_MISSING",
      effect: "none",
      message: expect.stringContaining("is not accepted there") as string,
    };
    expect(await call("whoami", { note: "x" })).toMatchObject({ failure: refused });
    expect((await call("whoami", { note: "x" }, { user: "bob" })).kind).toBe("value");
    up.tokens.delete("bob-own");
    expect(await call("whoami", { note: "x" }, { user: "bob" })).toMatchObject({ failure: refused });
    up.tokens.set("ada-own", "ada");
    expect((await call("whoami", { note: "x" })).kind).toBe("value");
  });

  it(verifies("AUTH-05", "ends with the credential that it was made with: another one may be another account"), async () => {
    const up = await upstream("legacy");
    const secrets = { ...ownSecrets };
    const { call } = await start(up, { secrets });
    await call("whoami", { note: "x" });
    up.tokens.set("ada-second", "ada at work");
    secrets["secret://file/secrets/mail/acme/ada"] = "ada-second";
    expect(await call("whoami", { note: "x" })).toMatchObject({ kind: "value", value: "ada at work: x" });
    const sessions = (token: string): Set<string | undefined> =>
      new Set(up.asked.flatMap((each) => (each.token === token && each.session !== undefined ? [each.session] : [])));
    expect([sessions("ada-own").size, sessions("ada-second").size]).toEqual([1, 1]);
    expect([...sessions("ada-own")]).not.toEqual([...sessions("ada-second")]);
  });

  it("is opened once for calls at the same moment, and used again", async () => {
    const up = await upstream("legacy");
    const { call } = await start(up);
    await Promise.all([1, 2, 3, 4].map((note) => call("whoami", { note: String(note) })));
    await call("whoami", { note: "again" });
    expect(up.asked.filter(({ method, token }) => method === "initialize" && token === "ada-own")).toHaveLength(1);
  });

  it("is one of at most `mcpUserLinksMax`: one that is in use never makes room, one that is not does", async () => {
    const up = await upstream("modern");
    const { call } = await start(up, { limits: { mcpUserLinksMax: 1 } });
    let letGo = (): void => undefined;
    up.hold = new Promise((resolve) => (letGo = resolve));
    const first = call("whoami", { note: "long" });
    while (!up.asked.some(({ method }) => method === "tools/call")) await new Promise((resolve) => setImmediate(resolve));
    expect(await call("whoami", { note: "x" }, { user: "bob" })).toMatchObject({ failure: { kind: "rate-limited", effect: "none" } });
    letGo();
    expect(await first).toMatchObject({ kind: "value", value: "ada: long" });
    expect(await call("whoami", { note: "x" }, { user: "bob" })).toMatchObject({ kind: "value", value: "bob: x" });
  });

  it("ends with the source, also while it is being opened", async () => {
    const up = await upstream("modern");
    const { call, source } = await start(up);
    up.hold = new Promise(() => undefined);
    const waiting = call("whoami", { note: "x" });
    while (!up.asked.some(({ method }) => method === "tools/call")) await new Promise((resolve) => setImmediate(resolve));
    await source.close();
    expect((await waiting).kind).toBe("failure");
  });
});

it(
  verifies("AUTH-05", "a token that was exchanged for the user's secret is what the server gets, and never the secret itself"),
  async () => {
    const up = await upstream("legacy");
    const given: string[] = [];
    const endpoint = await serve((request, response) => {
      void buffer(request).then((body) => {
        const subject = new URLSearchParams(body.toString()).get("subject_token") ?? "";
        given.push(subject);
        const token = `token-${given.length}`;
        up.tokens.set(token, subject.replace("-own", ""));
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ access_token: token, token_type: "Bearer", issued_token_type: "x", expires_in: 300 }));
      });
    });
    servers.push(endpoint);
    const exchange = { url: `${endpoint.url}/token`, allowPrivate: [endpoint.host] };
    const { call } = await start(up, { auth: { exchange } });
    expect(await call("whoami", { note: "x" }, { user: "ada" })).toMatchObject({ value: "ada: x" });
    expect(await call("whoami", { note: "x" }, { user: "bob" })).toMatchObject({ value: "bob: x" });
    expect(given).toEqual(["ada-own", "bob-own"]);
    expect(up.asked.filter(({ token }) => token.endsWith("-own"))).toEqual([]);
    up.tokens.delete("token-1");
    expect(await call("whoami", { note: "x" }, { user: "ada" })).toMatchObject({ failure: { code: "CREDENTIAL_MISSING" } });
    // A token that the server does not take is not used again.
    expect(await call("whoami", { note: "x" }, { user: "ada" })).toMatchObject({ value: "ada: x" });
  },
);
