/**
 * The HTTP gateway: a thin layer on `node:http`. What happens to a request is `#answer` in this file from top to bottom; what exists is in
 * `routes.ts`. It decides nothing about calls: it finds out who asks, checks the form of the request and hands over to the box.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Clock } from "../base/clock.ts";
import { createGather, type Gather } from "../base/gather.ts";
import type { IdSource } from "../base/ids.ts";
import type { Limits } from "../base/limits.ts";
import type { Signalbox } from "../call/box/box.ts";
import type { ListenConfig } from "../config/document.ts";
import type { Credential } from "../domain/principal.ts";
import { internalError, ToolCallError, toolCallError } from "../errors/tool-call-error.ts";
import type { ApiKeys } from "./api-keys.ts";
import { isJsonType, parseBody, readBody } from "./body.ts";
import { createChecks, type RouteChecks } from "./checks.ts";
import { docsPage } from "./docs-page.ts";
import { createEventStreams, type EventStreams } from "./event-streams.ts";
import { addressOf, httpServer, listenOn } from "./http-server.ts";
import type { LedgerVerifier } from "./ledger-verifier.ts";
import { causeFacts, type Logger } from "./log.ts";
import { openapiDocument } from "./openapi.ts";
import type { McpFace } from "./mcp/face.ts";
import { answerMcp, mcpPath, type McpReply } from "./mcp/http.ts";
import { createOriginGuard, type OriginGuard } from "./origin-guard.ts";
import { sendReply } from "./replies.ts";
import { isGuarded, rolesOf, type GuardedRoute, type Reply, type Route, type Services } from "./route.ts";
import { createRouter } from "./router.ts";
import { routes } from "./routes.ts";
import { probePaths } from "./service-routes.ts";
import { requestNames, type RequestNames } from "./trace.ts";

/** What a gateway is made of. */
export interface GatewayParts {
  readonly box: Signalbox;
  readonly keys: ApiKeys;
  /** Port 0 lets the system choose. */
  readonly listen: ListenConfig;
  /** Names besides loopback and `listen.host` that the `Host` header may carry. */
  readonly hosts: readonly string[];
  readonly limits: Limits;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly verifier: LedgerVerifier;
  /** Version of the program, for the document. */
  readonly version: string;
  /** Answers at `/mcp`. Default: nothing is there. */
  readonly mcp?: McpFace | undefined;
}

/** A gateway. */
export interface Gateway {
  /** Listens. Rejects when the address cannot be had. */
  start(): Promise<void>;
  /** Says that it is not ready, and asks every client to come back over another connection; calls are taken all the same. */
  retire(): void;
  /** Stops accepting, lets accepted requests finish within `drainMs`, then closes every connection. Does not close the box. Idempotent. */
  close(): Promise<void>;
  /** Such as `http://127.0.0.1:7320`; undefined before `start`. */
  readonly address: string | undefined;
}

/** One request on its way. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly names: RequestNames;
  /** For the log. */
  route: string;
  credentialId: string | undefined;
}

/** Makes a gateway; nothing listens before `start`. */
export function createGateway(parts: GatewayParts): Gateway {
  return new HttpGateway(parts);
}

class HttpGateway implements Gateway {
  readonly #parts: GatewayParts;
  readonly #server: Server;
  readonly #services: Services;
  readonly #streams: EventStreams;
  readonly #guard: OriginGuard;
  readonly #gather: Gather;
  readonly #router = createRouter(routes);
  readonly #checks: ReadonlyMap<Route, RouteChecks>;
  #closing: Promise<void> | undefined;
  #isRetiring = false;
  #openCount = 0;
  #onIdle: (() => void) | undefined;

  constructor(parts: GatewayParts) {
    const { box, limits, clock, verifier, version } = parts;
    this.#parts = parts;
    this.#gather = createGather(limits.gatheredTasksMax);
    this.#guard = createOriginGuard(parts.listen.host, parts.hosts);
    this.#checks = new Map(routes.map((route) => [route, createChecks(route, limits)]));
    this.#streams = createEventStreams({ box, clock, limits });
    this.#services = {
      box,
      limits,
      clock,
      verifier,
      describe: once(() => describeRoutes(version)),
      isClosing: () => this.#isRetiring || this.#closing !== undefined,
    };
    this.#server = httpServer(limits, (request, response) => this.#accept(request, response));
  }

  get address(): string | undefined {
    return addressOf(this.#server.address(), this.#parts.listen.host);
  }

  start(): Promise<void> {
    return listenOn(this.#server, this.#parts.listen);
  }

  retire(): void {
    this.#isRetiring = true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#server.listening ? this.#drain() : Promise.resolve();
    return this.#closing;
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    this.#openCount += 1;
    if (this.#isRetiring) response.shouldKeepAlive = false;
    response.on("close", () => {
      this.#openCount -= 1;
      if (this.#openCount === 0) this.#onIdle?.();
    });
    void this.#serve(request, response);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const names = requestNames(request.headers, () => this.#parts.ids.next("req"));
    const exchange: Exchange = { request, response, names, route: "none", credentialId: undefined };
    const startedAt = this.#parts.clock.monotonic();
    let reply: McpReply;
    try {
      reply = await this.#answer(exchange);
    } catch (cause) {
      reply = { kind: "problem", error: internalError(cause) };
    }
    this.#gather(() => this.#logAnswered(exchange, this.#settle(reply, exchange), startedAt));
  }

  async #answer(exchange: Exchange): Promise<McpReply> {
    const { request } = exchange;
    const [path, query] = split(request.url ?? "");
    // Load balancers and orchestrators ask by address, or without a name; what they are told is no secret of anybody.
    const refused = probePaths.has(path) ? undefined : this.#guard(request.headers);
    const isMcp = path === mcpPath && this.#parts.mcp !== undefined;
    if (refused !== undefined) return { kind: "problem", error: refused, ...(isMcp && { status: 403 }) };
    if (isMcp) return await this.#answerMcp(exchange);
    const found = this.#router(request.method ?? "", path);
    if (found.kind === "none")
      return {
        kind: "problem",
        error: found.error,
        status: found.status,
        ...(found.allow !== undefined && { headers: { allow: found.allow } }),
      };
    const { route } = found;
    exchange.route = route.id;
    if (!isGuarded(route)) return await route.handle(this.#services);
    const { authorization } = request.headers;
    const credential = this.#parts.keys.authenticate(authorization) ?? (await this.#delegated(authorization));
    if (credential === undefined) return unauthenticated();
    exchange.credentialId = credential.id;
    const forbidden = refusedRole(route, credential);
    if (forbidden !== undefined) return { kind: "problem", error: forbidden };
    if (this.#closing !== undefined) return stopping();
    const { limits } = this.#parts;
    const check = this.#checks.get(route) as RouteChecks;
    const values = check.query(query);
    if (values instanceof ToolCallError) return { kind: "problem", error: values };
    const body = await bodyOf({ route, check, request, limits, gather: this.#gather });
    if ("kind" in body) return body;
    const idempotencyKey = route.takesKey === true ? keyHeader(request.headers["idempotency-key"], limits.keyCharsMax) : undefined;
    return await route.handle({
      services: this.#services,
      credential,
      path: found.path,
      query: values,
      body: body.value,
      idempotencyKey,
      traceId: exchange.names.traceId,
    });
  }

  /** The credential of a delegated session's token, as long as the credential that it came from has its key. */
  async #delegated(header: string | undefined): Promise<Credential | undefined> {
    const { keys, box } = this.#parts;
    const token = keys.tokenOf(header);
    const credential = token === undefined ? undefined : await box.delegated(token);
    return credential !== undefined && keys.holds(credential.id) ? credential : undefined;
  }

  async #answerMcp(exchange: Exchange): Promise<McpReply> {
    const { request, response, names } = exchange;
    exchange.route = "mcp";
    const { authorization } = request.headers;
    const credential = this.#parts.keys.authenticate(authorization) ?? (await this.#delegated(authorization));
    if (credential === undefined) return unauthenticated();
    exchange.credentialId = credential.id;
    if (!rolesOf(credential).some((role) => role === "caller" || role === "delegate")) {
      const error = toolCallError("PERMISSION_DENIED", `MCP is for callers; the credential \`${credential.id}\` is none`);
      return { kind: "problem", error };
    }
    if (this.#closing !== undefined) return stopping();
    const { limits, clock } = this.#parts;
    return await answerMcp(this.#parts.mcp as McpFace, { request, response, names, credential }, { limits, clock, gather: this.#gather });
  }

  /** Sends a reply and says with which status it went out. */
  #settle(reply: McpReply, { response, names, request }: Exchange): number {
    if (reply.kind === "sent") return reply.status;
    if (response.destroyed || (request.destroyed && !request.complete)) {
      response.destroy();
      return 499;
    }
    if (reply.kind === "problem" && reply.error.code === "INTERNAL")
      this.#parts.logger.log({
        level: "error",
        event: "request-failed",
        requestId: names.requestId,
        traceId: names.traceId,
        ...causeFacts(reply.error.cause),
      });
    if (reply.kind !== "events") return sendReply(response, reply, names);
    const refusal =
      request.method === "HEAD"
        ? toolCallError("REQUEST_INVALID", "a stream is asked for with `GET`")
        : this.#streams.open(response, reply.accepts, names);
    return refusal === undefined ? 200 : sendReply(response, { kind: "problem", error: refusal }, names);
  }

  #logAnswered(exchange: Exchange, status: number, startedAt: number): void {
    const { requestId, traceId } = exchange.names;
    const tookMs = Math.round((this.#parts.clock.monotonic() - startedAt) * 100) / 100;
    this.#parts.logger.log({
      level: status >= 500 ? "error" : "info",
      event: "request-answered",
      requestId,
      traceId,
      credential: exchange.credentialId,
      route: exchange.route,
      status,
      tookMs,
    });
  }

  async #drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#streams.close();
    this.#parts.mcp?.close();
    this.#server.closeIdleConnections();
    if (this.#openCount > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        this.#parts.clock.after(this.#parts.limits.drainMs, resolve);
      });
    }
    this.#server.closeAllConnections();
    await closed;
    this.#parts.logger.flush();
  }
}

function describeRoutes(version: string): ReturnType<Services["describe"]> {
  const document = openapiDocument(routes, version);
  const page = docsPage(document);
  return { openapi: JSON.stringify(document), page: page.html, pagePolicy: page.contentPolicy };
}

function stopping(): Reply {
  const error = toolCallError("SHUTTING_DOWN", "this process is stopping; ask again in a moment", { retryAfterMs: fixedBounds.comeBackMs });
  return { kind: "problem", error, headers: { connection: "close" } };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

function split(url: string): readonly [string, string] {
  const at = url.indexOf("?");
  return at < 0 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}

function unauthenticated(): Reply {
  const error = toolCallError(
    "UNAUTHENTICATED",
    "no valid API key came with the request; send it as `Authorization: Bearer <key>`, never in the address",
  );
  return { kind: "problem", error, headers: { "www-authenticate": 'Bearer realm="signalbox"' } };
}

function refusedRole(route: GuardedRoute, credential: Credential): ToolCallError | undefined {
  const roles = rolesOf(credential);
  if (route.access.some((role) => roles.includes(role))) return undefined;
  const needed = route.access.map((role) => `${role}s`).join(" or ");
  return toolCallError("PERMISSION_DENIED", `this route is for ${needed}; the credential \`${credential.id}\` is none of them`);
}

async function bodyOf({
  route,
  check,
  request,
  limits,
  gather,
}: {
  readonly route: Route;
  readonly check: RouteChecks;
  readonly request: IncomingMessage;
  readonly limits: Limits;
  readonly gather: Gather;
}): Promise<{ readonly value: Parameters<RouteChecks["body"]>[0] } | Reply> {
  if (route.body === undefined) return { value: {} };
  if (!isJsonType(request.headers["content-type"]))
    return {
      kind: "problem",
      status: 415,
      error: toolCallError("REQUEST_INVALID", "the body must be JSON; send `content-type: application/json`"),
    };
  const read = await readBody(request, limits, gather);
  if ("error" in read)
    return { kind: "problem", error: read.error, ...(read.isTooLarge && { status: 413, headers: { connection: "close" } }) };
  const parsed = parseBody(read.text, limits);
  if ("error" in parsed) return { kind: "problem", error: parsed.error };
  const error = check.body(parsed.value);
  return error === undefined ? parsed : { kind: "problem", error };
}

// The header is a quoted text in the IETF's draft and a bare one with most senders.
function keyHeader(header: string | readonly string[] | undefined, charsMax: number): string | undefined {
  if (header === undefined) return undefined;
  const key = typeof header === "string" ? header.replace(/^"(.*)"$/, "$1") : "";
  if (key === "" || key.length > charsMax || !/^[\x21-\x7e]+$/.test(key))
    throw toolCallError("REQUEST_INVALID", `the \`Idempotency-Key\` header must be 1 to ${charsMax} visible characters`);
  return key;
}
