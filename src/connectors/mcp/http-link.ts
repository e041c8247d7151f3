/** A server behind HTTP: each request is a POST of its own; the answer is JSON or a stream of events. Goes only where the egress rules let it. */
import { Pool, type Dispatcher } from "undici";
import type { IncomingHttpHeaders } from "node:http";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Clock } from "../../base/clock.ts";
import { createGather, type Gather } from "../../base/gather.ts";
import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";
import { parseRetryAfter } from "../../resilience/backoff.ts";
import { networkFailure } from "../../resilience/classify.ts";
import { bareHost, EgressRefused, refuseUrl, type EgressPolicy } from "../egress.ts";
import { isHeaderValue } from "../http-request.ts";
import { createGuardedConnector, type Lookup } from "../ssrf-guard.ts";
import { LinkFailure, type Era, type Link, type LinkRequest } from "./link.ts";
import type { McpReach } from "./options.ts";
import { EventReader } from "./sse.ts";
import { encodeHeader } from "./param-headers.ts";
import { boundedText, isObject, progressOf, readServerMessage, rpcFailure, withMeta } from "./wire.ts";

/** A credential as a header. */
export interface Proof {
  readonly name: string;
  readonly value: string;
}

/** How a server is asked. */
export interface HttpLinkParts {
  readonly reach: Extract<McpReach, { kind: "http" }>;
  /** Sent with every request of this link, in place of the credential of `reach`. */
  readonly proof?: Proof | undefined;
  readonly secret: (reference: string) => Promise<string>;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
}

/** A link over HTTP. Nothing is connected before the first request. */
export function createHttpLink(parts: HttpLinkParts): Link {
  return new HttpLink(parts);
}

class HttpLink implements Link {
  readonly kind = "http";
  readonly gone = new Promise<void>(() => undefined);
  readonly #parts: HttpLinkParts;
  readonly #path: string;
  /** Why the address may not be asked. Address and rules are those of the whole link; which host it leads to is judged at each connection. */
  readonly #refusal: string | undefined;
  readonly #pool: Pool;
  readonly #gather: Gather;
  #era: Era | undefined;
  #sessionId: string | undefined;
  #nextId = 1;
  #openCount = 0;

  constructor(parts: HttpLinkParts) {
    const { reach, limits, lookup } = parts;
    this.#parts = parts;
    const url = new URL(reach.url);
    const egress: EgressPolicy = {
      hosts: [bareHost(url.hostname)],
      allowPrivate: (reach.allowPrivate ?? []).map((allowed) => allowed.toLowerCase()),
    };
    this.#path = url.pathname + url.search;
    this.#refusal = refuseUrl(url, egress);
    this.#gather = createGather(limits.gatheredTasksMax);
    this.#pool = new Pool(url.origin, {
      connections: limits.connectionsPerOriginMax,
      connect: createGuardedConnector({ allow: egress, limits, lookup }),
      pipelining: 1,
      maxHeaderSize: limits.headerBytesMax,
    });
  }

  speak(era: Era | undefined): void {
    this.#era = era;
  }

  async request(request: LinkRequest): Promise<JsonObject> {
    const { limits } = this.#parts;
    if (this.#openCount >= limits.mcpCallsWaitingMax)
      throw new LinkFailure({ kind: "busy", message: "too many calls wait for this server" });
    const id = this.#nextId;
    this.#nextId += 1;
    this.#openCount += 1;
    try {
      const body = { jsonrpc: "2.0", id, method: request.method, params: withMeta(request, this.#era, id) };
      return await this.#post(body, request, id);
    } catch (thrown) {
      // In the eras before, a closed connection takes nothing back.
      const isGivenUp = thrown instanceof LinkFailure && thrown.parts.kind === "aborted" && this.#era?.kind === "legacy";
      if (isGivenUp) void this.notify("notifications/cancelled", { requestId: id, reason: "given up" }).catch(() => undefined);
      throw thrown;
    } finally {
      this.#openCount -= 1;
    }
  }

  async notify(method: string, params: JsonObject): Promise<void> {
    const { clock, limits } = this.#parts;
    const controller = new AbortController();
    const timer = clock.after(limits.mcpConnectMs, () => controller.abort());
    try {
      await this.#post({ jsonrpc: "2.0", method, params }, { method, params, signal: controller.signal }, undefined);
    } finally {
      timer.cancel();
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #post(body: JsonObject, request: LinkRequest, id: number | undefined): Promise<JsonObject> {
    const refusal = this.#refusal;
    if (refusal !== undefined) throw new LinkFailure({ kind: "refused", message: `the server may not be asked: ${refusal}` });
    const headers = await this.#headers(request);
    if (request.signal.aborted) throw new LinkFailure({ kind: "aborted", message: "given up before it was sent" });
    const sent = { isSent: false };
    const onSent = (): void => {
      sent.isSent = true;
      request.onSent?.();
    };
    const { limits, clock } = this.#parts;
    const answer = await new Promise<Answer>((resolve, reject) => {
      const exchange = new Exchange({ request, id, limits, gather: this.#gather, onSent }, resolve, (cause) =>
        reject(transportFailure(cause, request.signal, sent.isSent)),
      );
      this.#pool.dispatch(
        {
          path: this.#path,
          method: "POST",
          headers,
          body: JSON.stringify(body),
          // The attempt's own time ends the wait; these only end what nobody waits for any more.
          headersTimeout: 600_000,
          bodyTimeout: 600_000,
        },
        exchange,
      );
    });
    return this.#read(answer, id, clock.now());
  }

  async #headers(request: LinkRequest): Promise<Record<string, string>> {
    const headers: Record<string, string> = {
      ...request.headers,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "accept-encoding": "identity",
    };
    if (this.#era !== undefined) headers["mcp-protocol-version"] = this.#era.version;
    if (this.#era?.kind === "modern") {
      headers["mcp-method"] = request.method;
      const { name } = request.params;
      if (typeof name === "string") headers["mcp-name"] = encodeHeader(name);
    } else if (this.#sessionId !== undefined) headers["mcp-session-id"] = this.#sessionId;
    const { reach, proof } = this.#parts;
    if (proof !== undefined) return { ...headers, [proof.name]: proof.value };
    const { auth } = reach;
    if (auth === undefined) return headers;
    const value = await this.#parts.secret(auth.secret).catch(() => undefined);
    if (value === undefined || !isHeaderValue(value))
      throw new LinkFailure({ kind: "refused", message: "there is no usable credential for this server" });
    if (auth.scheme === "bearer") headers["authorization"] = `Bearer ${value}`;
    else if (auth.scheme === "basic") headers["authorization"] = `Basic ${Buffer.from(value, "utf8").toString("base64")}`;
    else headers[auth.scheme.header.toLowerCase()] = value;
    return headers;
  }

  #read(answer: Answer, id: number | undefined, nowMs: number): JsonObject {
    const { status, headers } = answer;
    if (status >= 200 && status < 300) {
      const session = headers["mcp-session-id"];
      if (typeof session === "string" && /^[\x21-\x7e]{1,1000}$/.test(session)) this.#sessionId = session;
      if (id === undefined) return {};
      if (answer.result !== undefined) return answer.result;
      throw answer.failure ?? new LinkFailure({ kind: "lost", message: "the server's answer ended before it was whole", status });
    }
    throw this.#statusFailure(answer, nowMs);
  }

  #statusFailure({ status, headers, failure, text }: Answer, nowMs: number): LinkFailure {
    const detail = failure?.parts.detail ?? (text === "" ? undefined : boundedText(text));
    const retryAfter = headers["retry-after"];
    const retryAfterMs = parseRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined, nowMs);
    const make = (kind: "refused" | "busy" | "lost" | "session-lost" | "malformed", message: string): LinkFailure =>
      new LinkFailure({ kind, message, status, detail, retryAfterMs });
    if (status === 401 || status === 403) return make("refused", `the server refuses our credential (status ${status})`);
    if (status === 429) return make("busy", "the server takes no more requests for now");
    if (status === 404 && this.#era?.kind === "legacy" && this.#sessionId !== undefined)
      return make("session-lost", "the server has forgotten the session");
    if (status >= 500) return make("lost", `the server failed on its side (status ${status})`);
    return failure ?? make("malformed", `the server answered with status ${status}`);
  }
}

/** What came back. */
interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly result: JsonObject | undefined;
  readonly failure: LinkFailure | undefined;
  /** Beginning of a body that is no message. */
  readonly text: string;
}

interface ExchangeParts {
  readonly request: LinkRequest;
  readonly id: number | undefined;
  readonly limits: Limits;
  readonly gather: Gather;
  readonly onSent: () => void;
}

/** One POST on its way. A stream is left as soon as it has brought the answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #parts: ExchangeParts;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (cause: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #bytes = 0;
  #events: EventReader | undefined;
  #isDone = false;

  constructor(parts: ExchangeParts, resolve: (answer: Answer) => void, reject: (cause: unknown) => void) {
    this.#parts = parts;
    this.#resolve = resolve;
    this.#reject = reject;
    parts.request.signal.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.#fail(gaveUp());
    this.#controller?.abort(gaveUp());
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#parts.request.signal.aborted) controller.abort(gaveUp());
    else this.#parts.onSent();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    if (/^text\/event-stream\b/i.test(String(headers["content-type"] ?? ""))) this.#events = new EventReader((data) => this.#event(data));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#parts.limits.mcpMessageBytesMax) {
      this.#answer(
        undefined,
        new LinkFailure({ kind: "malformed", message: "the server's answer is too large", status: this.#status }),
        "",
      );
      controller.abort(gaveUp());
    } else if (this.#events === undefined) this.#chunks.push(chunk);
    else this.#events.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isDone) return;
    if (this.#events !== undefined || this.#parts.id === undefined) return this.#answer(undefined, undefined, "");
    this.#parts.gather(this.#onWhole);
  }

  /** A while after the last byte: the signal may have fired since, and then nobody asks any more. */
  readonly #onWhole = (): void => {
    if (this.#isDone) return;
    const [chunk] = this.#chunks;
    const whole = this.#chunks.length === 1 && chunk !== undefined ? chunk : Buffer.concat(this.#chunks);
    this.#message(whole.toString("utf8"), true);
  };

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #event(data: string): void {
    if (!this.#isDone) this.#message(data, false);
  }

  #message(text: string, isWhole: boolean): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      if (isWhole) this.#answer(undefined, undefined, text.slice(0, fixedBounds.upstreamWordsCharsMax));
      return;
    }
    const message = readServerMessage(value);
    if (message.kind === "notification" && message.method === "notifications/progress") {
      const progress = progressOf(message.params);
      if (progress !== undefined && progress.token === this.#parts.id) this.#parts.request.onProgress?.(progress.message);
    }
    if (message.kind === "notification" && message.method === "notifications/tools/list_changed") this.#parts.request.onToolsChanged?.();
    const isOurs = message.kind === "result" && message.id === this.#parts.id;
    // An error that could not be assigned is that of the only request of this exchange.
    const isOurError = message.kind === "error" && (message.id === undefined || message.id === this.#parts.id);
    if (isOurs) this.#answer(message.result, undefined, "");
    else if (isOurError) this.#answer(undefined, withStatus(message.failure, this.#status), "");
    else if (isWhole) this.#answer(undefined, undefined, text.slice(0, fixedBounds.upstreamWordsCharsMax));
  }

  #answer(result: JsonObject | undefined, failure: LinkFailure | undefined, text: string): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#parts.request.signal.removeEventListener("abort", this.#onAbort);
    this.#resolve({ status: this.#status, headers: this.#headers, result, failure, text });
    // Whatever the stream would still bring is for nobody.
    if (this.#events !== undefined) this.#controller?.abort(gaveUp());
  }

  #fail(cause: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#parts.request.signal.removeEventListener("abort", this.#onAbort);
    this.#reject(cause);
  }
}

function withStatus(failure: LinkFailure, status: number): LinkFailure {
  const { code = 0, detail, data } = failure.parts;
  return failure.parts.kind === "rpc"
    ? rpcFailure({ code, ...(detail !== undefined && { message: detail }), ...(isObject(data) && { data }) }, status)
    : failure;
}

function transportFailure(cause: unknown, signal: AbortSignal, isSent: boolean): LinkFailure {
  if (cause instanceof EgressRefused) return new LinkFailure({ kind: "refused", message: `the server may not be asked: ${cause.message}` });
  if (signal.aborted) return new LinkFailure({ kind: "aborted", message: "given up while it was carried out" });
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  const isReached = isSent || (networkFailure(code)?.isSent ?? false);
  return isReached
    ? new LinkFailure({ kind: "lost", message: "the connection to the server broke before it answered", cause })
    : new LinkFailure({ kind: "unreached", message: "the server could not be reached", cause });
}

function gaveUp(): Error {
  return new DOMException("the exchange was given up", "AbortError");
}
