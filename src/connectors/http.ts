/**
 * Calls one HTTP operation. The request is built from arguments before anything leaves, the connection goes only to checked addresses, and the answer
 * is read with a cap. What matters most is the effect that a failure reports: until the request is written nothing can have happened; after that,
 * without an answer, nobody can say.
 */
import { Pool } from "undici";
import { systemClock, type Clock } from "../base/clock.ts";
import { createGather, type Gather } from "../base/gather.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Connector, Execution, ExecutionResult, Failure } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { effectOfLostAttempt, networkFailure } from "../resilience/classify.ts";
import { EgressRefused, refuseUrl, type EgressPolicy } from "./egress.ts";
import { checkHttpOptions, egressOf } from "./http-check.ts";
import { exchange, type WireRequest, type WireResponse } from "./http-exchange.ts";
import type { HttpOptions } from "./http-options.ts";
import { HttpCredential } from "./http-credential.ts";
import { createRequestBuilder, type RequestBuilder } from "./http-request.ts";
import { isSuccess, resultOf } from "./http-response.ts";
import { createGuardedConnector, type Lookup } from "./ssrf-guard.ts";

/** What an HTTP connector works with. */
export interface HttpParts {
  readonly clock: Clock;
  readonly limits: Limits;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** What all operations of one source prove themselves with. Default: one of this operation's own. */
  readonly credential?: HttpCredential | undefined;
}

/** A connector for one HTTP operation. Throws `CONFIG_INVALID` with every problem of its options. */
export function httpConnector(options: HttpOptions, parts: HttpParts = { clock: systemClock, limits: defaultLimits }): Connector {
  const problems = checkHttpOptions(options);
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", problems.join("; "));
  return new HttpConnector(options, parts);
}

class HttpConnector implements Connector {
  readonly kind = "http";
  readonly #options: HttpOptions;
  readonly #parts: HttpParts;
  readonly #egress: EgressPolicy;
  readonly #build: RequestBuilder;
  readonly #credential: HttpCredential | undefined;
  readonly #pools = new Map<string, Pool>();
  readonly #gather: Gather;

  constructor(options: HttpOptions, parts: HttpParts) {
    this.#options = options;
    this.#parts = parts;
    this.#gather = createGather(parts.limits.gatheredTasksMax);
    this.#egress = egressOf(options);
    this.#build = createRequestBuilder(options);
    this.#credential = parts.credential ?? (options.auth === undefined ? undefined : new HttpCredential(options.auth, parts));
  }

  get actsAs(): Connector["actsAs"] {
    return this.#credential?.actsAs;
  }

  async lacks(asked: Parameters<NonNullable<Connector["lacks"]>>[0]): Promise<string | undefined> {
    return await this.#credential?.lacks(asked);
  }

  async execute(args: JsonObject, execution: Execution): Promise<ExecutionResult> {
    execution.mark?.("unsent");
    const built = this.#build(args);
    if (built.kind === "refused") return failure({ kind: "rejected", message: built.problem, effect: "none" });
    const { tool } = execution;
    const credential = await this.#credential?.header(execution);
    if (credential?.kind === "failure") return failure(credential.failure);
    const authorized = this.#authorized(built.request, execution, credential);
    let isSent = false;
    const onSend = (): void => {
      isSent = true;
      execution.mark?.("sent");
    };
    try {
      const response = await this.#exchange(authorized, execution, onSend);
      if (response.status === 401) await this.#credential?.refused(execution);
      const isResent = execution.attempt > 1 && this.#keyHeader() !== undefined;
      const { limits, clock } = this.#parts;
      return resultOf({ options: this.#options, tool, limits, response, isResent, nowMs: clock.now() });
    } catch (thrown) {
      return failure(transportFailure(thrown, execution, isSent));
    }
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all([...pools.map((pool) => pool.close()), this.#credential?.close()]);
  }

  #keyHeader(): string | undefined {
    const { idempotencyHeader, method } = this.#options;
    if (idempotencyHeader === false) return undefined;
    return idempotencyHeader?.toLowerCase() ?? (method === "GET" || method === "HEAD" ? undefined : "idempotency-key");
  }

  /** The request with key and credential. */
  #authorized(
    request: WireRequest,
    execution: Execution,
    credential: { readonly name: string; readonly value: string } | undefined,
  ): WireRequest {
    const headers: Record<string, string> = { ...request.headers };
    const keyHeader = this.#keyHeader();
    if (keyHeader !== undefined) headers[keyHeader] = encodeKey(execution.key);
    if (credential !== undefined) headers[credential.name] = credential.value;
    return { ...request, headers };
  }

  async #exchange(first: WireRequest, execution: Execution, onSend: () => void): Promise<WireResponse> {
    const { limits } = this.#parts;
    const isFollowing = (first.method === "GET" || first.method === "HEAD") && this.#options.followsRedirects !== false;
    let request = first;
    for (let redirects = 0; ; redirects += 1) {
      const refusal = refuseUrl(request.url, this.#egress);
      if (refusal !== undefined) throw new EgressRefused(refusal);
      const response = await exchange({
        dispatcher: this.#poolFor(request.url.origin),
        request,
        signal: execution.signal,
        timeoutMs: execution.tool.timeouts.attemptMs + 1_000,
        bodyBytesMax: (status) => (isSuccess(this.#options, status) ? limits.resultBytesMax : limits.errorBodyBytesMax),
        onSend,
        gather: this.#gather,
      });
      const { location } = response.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== undefined;
      if (!isFollowing || !isRedirect || isSuccess(this.#options, response.status)) return response;
      if (redirects >= limits.redirectsMax) throw new EgressRefused(`more than ${limits.redirectsMax} redirects`);
      request = redirected(request, location);
    }
  }

  #poolFor(origin: string): Pool {
    const { limits, lookup } = this.#parts;
    const known = this.#pools.get(origin);
    if (known !== undefined) return known;
    if (this.#pools.size >= limits.originsPerToolMax) {
      const [oldest, pool] = this.#pools.entries().next().value as [string, Pool];
      this.#pools.delete(oldest);
      // Requests on their way finish; a failure to close has nobody to tell.
      pool.close().catch(() => {});
    }
    const connect = createGuardedConnector({ allow: this.#egress, limits, lookup });
    const pool: Pool = new Pool(origin, {
      connections: limits.connectionsPerOriginMax,
      connect,
      pipelining: 1,
      maxHeaderSize: limits.headerBytesMax,
    });
    this.#pools.set(origin, pool);
    return pool;
  }
}

function redirected(request: WireRequest, location: string): WireRequest {
  if (!URL.canParse(location, request.url.href)) throw new EgressRefused("a redirect leads to something that is no URL");
  const url = new URL(location, request.url.href);
  if (request.url.protocol === "https:" && url.protocol !== "https:") throw new EgressRefused("a redirect leads from https to http");
  if (url.origin === request.url.origin) return { ...request, url };
  // Another origin gets nothing that was meant for the first one: no credential and no header of the template.
  const { accept = "*/*" } = request.headers;
  return { ...request, url, headers: { accept, "accept-encoding": "identity" } };
}

/** A key is visible ASCII in a header; anything else is percent-encoded, so that two keys never become one. */
function encodeKey(key: string): string {
  return /^[\x21-\x24\x26-\x7e]+$/.test(key) ? key : encodeURIComponent(key);
}

function transportFailure(thrown: unknown, execution: Execution, isSent: boolean): Failure {
  const { tool } = execution;
  const effect = effectOfLostAttempt(tool, isSent);
  if (thrown instanceof EgressRefused) return { kind: "rejected", message: `\`${tool.name}\` may not go there: ${thrown.message}`, effect };
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
  const network = networkFailure(code);
  const kind = network?.kind ?? (isSent ? "failed" : "unavailable");
  const what = isSent ? "gave no complete answer" : "could not be reached";
  return { kind, message: `the upstream of \`${tool.name}\` ${what}`, effect, cause: thrown };
}

function failure(value: Failure): ExecutionResult {
  return { kind: "failure", failure: value };
}
