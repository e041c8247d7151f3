import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { randomUUID } from "node:crypto";
import { createMcpHandler, McpServer as ModernServer } from "@modelcontextprotocol/server";
import { McpServer as LegacyServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { verifies } from "../../../test/verifies.ts";
import { startSource, type StartedSource } from "./source.fixture.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const servers: Server[] = [];
const started: StartedSource[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ source }) => source.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => void Promise.resolve(handler(request, response)).catch(() => response.destroy()));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(host: string, changes: Parameters<typeof startSource>[1] & { readonly auth?: string } = {}): Promise<StartedSource> {
  const { auth } = changes;
  const reach = {
    kind: "http",
    url: `http://${host}/mcp`,
    allowPrivate: [host],
    ...(auth !== undefined && { auth: { secret: auth, scheme: "bearer" as const } }),
  } as const;
  const source = await startSource(reach, changes);
  started.push(source);
  return source;
}

/** A server of the official SDK of 2026-07-28, behind `node:http`. */
function modernServer(seen: IncomingMessage[] = []): Handler {
  const handler = createMcpHandler(() => {
    const server = new ModernServer({ name: "modern", version: "1" });
    const schema = z.object({ text: z.string(), region: z.string().meta({ "x-mcp-header": "Region" }).optional() });
    server.registerTool("echo", { description: "Echoes.", inputSchema: schema }, ({ text }) => ({ content: [{ type: "text", text }] }));
    server.registerTool("fail", { description: "Fails." }, () => ({ content: [{ type: "text", text: "broken" }], isError: true }));
    return server;
  });
  return async (request, response) => {
    seen.push(request);
    const body = await buffer(request);
    const asked = new Request(`http://${request.headers.host ?? ""}${request.url ?? ""}`, {
      method: request.method ?? "POST",
      headers: request.headers as Record<string, string>,
      ...(body.length > 0 && { body: new Uint8Array(body) }),
    });
    const answer = await handler.fetch(asked);
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  };
}

/** A server of the first official SDK, with sessions. */
function legacyServer(seen: { sessions: Map<string, StreamableHTTPServerTransport>; deaf?: boolean }): Handler {
  return async (request, response) => {
    const body = JSON.parse((await buffer(request)).toString()) as unknown;
    const id = request.headers["mcp-session-id"];
    let transport = typeof id === "string" ? seen.sessions.get(id) : undefined;
    if (transport === undefined && typeof id === "string")
      return void response.writeHead(404).end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
    if (transport === undefined) {
      const made: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (session) => void seen.sessions.set(session, made),
      });
      transport = made;
      const server = new LegacyServer({ name: "legacy", version: "1" });
      server.registerTool(
        "echo",
        { description: "Echoes.", inputSchema: { text: z.string() } },
        async ({ text }, { sendNotification, _meta }) => {
          await sendNotification({
            method: "notifications/progress",
            params: { progressToken: _meta?.progressToken as number, progress: 1, message: "on it" },
          });
          return { content: [{ type: "text", text }] };
        },
      );
      await server.connect(transport as never);
    }
    await transport.handleRequest(request, response, body);
  };
}

describe("a server of the official SDK for 2026-07-28, over HTTP", () => {
  it(verifies("CONN-03", "is found to be modern, listed and called, with the headers that it checks"), async () => {
    const seen: IncomingMessage[] = [];
    const up = await start(await serve(modernServer(seen)));
    expect(up.source.state()).toEqual({ kind: "ready", note: "connected (2026-07-28)" });
    expect(up.listings[0]?.tools.map(({ name }) => name)).toEqual(["echo", "fail"]);
    // The server itself refuses a call whose `Mcp-Param-Region` differs from the body.
    expect(await up.call("echo", { text: "hi", region: "Köln" })).toMatchObject({ kind: "value", value: "hi", marks: ["unsent", "sent"] });
    expect(seen.at(-1)?.headers).toMatchObject({
      "mcp-method": "tools/call",
      "mcp-name": "echo",
      "mcp-param-region": "=?base64?S8O2bG4=?=",
    });
    expect(await up.call("fail", {}, { tier: "read" })).toMatchObject({ kind: "failure", failure: { detail: "broken", effect: "none" } });
  });
});

describe("a server of the first official SDK, over HTTP", () => {
  it("is greeted, listed and called, with progress", async () => {
    const sessions = new Map<string, StreamableHTTPServerTransport>();
    const up = await start(await serve(legacyServer({ sessions })));
    expect(up.source.state()).toEqual({ kind: "ready", note: "connected (2025-11-25)" });
    const told: string[] = [];
    expect(await up.call("echo", { text: "hi" }, { progress: (message) => told.push(message) })).toMatchObject({
      kind: "value",
      value: "hi",
    });
    expect(told).toEqual(["on it"]);
  });

  it("that has forgotten the session has done nothing, and is greeted and listed again", async () => {
    const sessions = new Map<string, StreamableHTTPServerTransport>();
    const up = await start(await serve(legacyServer({ sessions })));
    sessions.clear();
    const listed = up.nextListing();
    expect(await up.call("echo", { text: "hi" })).toMatchObject({ kind: "failure", failure: { kind: "unavailable", effect: "none" } });
    await listed;
    expect(await up.call("echo", { text: "hi" })).toMatchObject({ kind: "value", value: "hi" });
    expect(sessions.size).toBe(1);
  });
});

describe("a server that is in trouble", () => {
  const tools = [{ name: "act", description: "Acts.", inputSchema: { type: "object" } }];

  /** A modern server by hand, whose answer to a call a test gives. */
  function scripted(call: (request: IncomingMessage, response: ServerResponse, id: number) => void): Handler {
    return async (request, response) => {
      const { id, method } = JSON.parse((await buffer(request)).toString()) as { readonly id: number; readonly method: string };
      const done = (result: object): void =>
        void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
      if (method === "server/discover") done({ supportedVersions: ["2026-07-28"], capabilities: { tools: {} } });
      else if (method === "tools/list") done({ tools });
      else call(request, response, id);
    };
  }

  it.each([
    ["breaks the connection", (_: unknown, response: ServerResponse) => response.destroy(), { kind: "unavailable", effect: "unknown" }],
    [
      "fails on its side",
      (_: unknown, response: ServerResponse) => response.writeHead(500).end("oops"),
      { kind: "unavailable", effect: "unknown", detail: "oops" },
    ],
    [
      "takes no more requests",
      (_: unknown, response: ServerResponse) => response.writeHead(429, { "retry-after": "7" }).end(),
      { kind: "rate-limited", effect: "none", retryAfterMs: 7_000 },
    ],
    ["refuses our credential", (_: unknown, response: ServerResponse) => response.writeHead(401).end(), { kind: "failed", effect: "none" }],
    [
      "answers with a page",
      (_: unknown, response: ServerResponse) => response.writeHead(200, { "content-type": "text/html" }).end("<p>"),
      { kind: "unavailable", effect: "unknown" },
    ],
    [
      "ends a stream early",
      (_: unknown, response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" }).end(": hm\n\n"),
      { kind: "unavailable", effect: "unknown" },
    ],
    [
      "leads elsewhere",
      (_: unknown, response: ServerResponse) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
      { effect: "unknown" },
    ],
  ])("that %s is reported with the effect that is certain", async (_, call, failure) => {
    const up = await start(await serve(scripted((request, response) => call(request, response))));
    expect(await up.call("act")).toMatchObject({ kind: "failure", failure });
  });

  it("whose stream goes on after the answer is left", async () => {
    let isClosed: (value: boolean) => void = () => undefined;
    const closed = new Promise<boolean>((resolve) => (isClosed = resolve));
    const up = await start(
      await serve(
        scripted((_request, response, id) => {
          response.on("close", () => isClosed(true));
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.write(
            `event: message\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":1,"message":"a"}}\r\n\r\n`,
          );
          response.write(`data: {"jsonrpc":"2.0","id":${id},\ndata: "result":{"content":[{"type":"text","text":"ok"}]}}\n\n`);
        }),
      ),
    );
    const told: string[] = [];
    expect(await up.call("act", {}, { progress: (message) => told.push(message) })).toMatchObject({ kind: "value", value: "ok" });
    expect(told).toEqual(["a"]);
    expect(await closed).toBe(true);
  });

  it("loses the connection of a call that is given up", async () => {
    let isClosed: (value: boolean) => void = () => undefined;
    const closed = new Promise<boolean>((resolve) => (isClosed = resolve));
    let hasCame: () => void = () => undefined;
    const came = new Promise<void>((resolve) => (hasCame = resolve));
    const up = await start(
      await serve(
        scripted((_request, response) => {
          response.on("close", () => isClosed(true));
          hasCame();
        }),
      ),
    );
    const controller = new AbortController();
    const given = up.call("act", {}, { signal: controller.signal });
    await came;
    controller.abort();
    expect(await given).toMatchObject({ kind: "failure", failure: { effect: "unknown" } });
    expect(await closed).toBe(true);
  });

  it("that answers with more than mcpMessageBytesMax is not read to the end", async () => {
    const up = await start(
      await serve(
        scripted((_request, response) =>
          response.writeHead(200, { "content-type": "application/json" }).end(Buffer.alloc(3_000_000, 0x20)),
        ),
      ),
      { limits: { mcpMessageBytesMax: 1_000_000 } },
    );
    expect(await up.call("act")).toMatchObject({ kind: "failure", failure: { message: "the server of `up.act` gave no usable answer" } });
  });

  it("is never asked at a private address that was not allowed, and gets no credential before", async () => {
    let askedCount = 0;
    const host = await serve((_request, response) => {
      askedCount += 1;
      response.end();
    });
    const source = await startSource({ kind: "http", url: `http://${host}/mcp` });
    started.push(source);
    expect(source.source.state().kind).toBe("down");
    expect(askedCount).toBe(0);
  });

  it("gets the configured credential, and none where it cannot be resolved", async () => {
    const seen: string[] = [];
    const host = await serve(
      scripted((request, response, id) => {
        seen.push(request.headers.authorization ?? "");
        response
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ jsonrpc: "2.0", id, result: { content: [] } }));
      }),
    );
    const up = await start(host, { auth: "secret://env/T", secrets: { "secret://env/T": "t0ken" } });
    await up.call("act");
    expect(seen).toEqual(["Bearer t0ken"]);
    const without = await start(host, { auth: "secret://env/NONE" });
    expect(without.source.state()).toEqual({ kind: "down", note: "there is no usable credential for this server" });
  });
});
