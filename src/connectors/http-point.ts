/**
 * Decision points over HTTP: the OpenID AuthZEN Authorization API 1.0 (`POST …/access/v1/evaluation`) and Open Policy Agent's data API
 * (`POST …/v1/data/…`). Requests leave through the same guard as those of tools; redirects are not followed.
 */
import { Pool } from "undici";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { DecisionPoint, PointAnswer, PointRequest } from "../domain/decision-point.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { EgressRefused, refuseUrl, type EgressPolicy } from "./egress.ts";
import { egressOf } from "./http-check.ts";
import { exchange } from "./http-exchange.ts";
import { isHeaderValue } from "./http-request.ts";
import { createGuardedConnector } from "./ssrf-guard.ts";

/** A decision point over HTTP. */
export interface HttpPointOptions {
  readonly name: string;
  readonly protocol: "authzen" | "opa";
  /** The whole address that is asked. */
  readonly url: string;
  /** Tool globs that it is asked about. Default every tool. */
  readonly on?: readonly string[];
  /** A bearer token, such as `secret://env/PDP_TOKEN`. Default none. */
  readonly secret?: string;
  /** Exact `host:port` that may be asked although the address is private, or without TLS. Default none. */
  readonly allowPrivate?: readonly string[];
  /** How long an answer to the very same question is used again. Default 0: never. */
  readonly cacheMs?: number;
}

/** Why a decision point may not be asked where its options say; undefined when it may. */
export function httpPointProblem(options: HttpPointOptions): string | undefined {
  return URL.canParse(options.url) ? refuseUrl(new URL(options.url), egressOfPoint(options)) : "it is no URL";
}

function egressOfPoint({ url, allowPrivate }: HttpPointOptions): EgressPolicy {
  return egressOf({ method: "POST", url, ...(allowPrivate !== undefined && { allowPrivate }) });
}

/** A decision point over HTTP. Throws `CONFIG_INVALID` where the address may not be asked. */
export function httpDecisionPoint(options: HttpPointOptions, limits: Limits = defaultLimits): DecisionPoint {
  const refusal = httpPointProblem(options);
  if (refusal !== undefined)
    throw toolCallError("CONFIG_INVALID", `the decision point \`${options.name}\` cannot be asked at \`${options.url}\`: ${refusal}`);
  return new HttpPoint(options, egressOfPoint(options), limits);
}

class HttpPoint implements DecisionPoint {
  readonly name: string;
  readonly on: readonly string[];
  readonly cacheMs: number;
  readonly #options: HttpPointOptions;
  readonly #limits: Limits;
  readonly #url: URL;
  readonly #pool: Pool;

  constructor(options: HttpPointOptions, egress: EgressPolicy, limits: Limits) {
    this.name = options.name;
    this.on = options.on ?? ["*"];
    this.cacheMs = options.cacheMs ?? 0;
    this.#options = options;
    this.#limits = limits;
    this.#url = new URL(options.url);
    const connect = createGuardedConnector({ allow: egress, limits, lookup: undefined });
    this.#pool = new Pool(this.#url.origin, { connections: limits.connectionsPerOriginMax, connect, maxHeaderSize: limits.headerBytesMax });
  }

  async decide(request: PointRequest, parts: Parameters<DecisionPoint["decide"]>[1]): Promise<PointAnswer> {
    const { protocol, secret } = this.#options;
    const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
    if (secret !== undefined) {
      const value = await parts.secret(secret);
      if (!isHeaderValue(value)) throw new EgressRefused("the credential cannot stand in a header");
      headers["authorization"] = `Bearer ${value}`;
    }
    const question = authzenQuestion(request);
    const response = await exchange({
      dispatcher: this.#pool,
      request: { url: this.#url, method: "POST", headers, body: JSON.stringify(protocol === "opa" ? { input: question } : question) },
      signal: parts.signal,
      timeoutMs: this.#limits.decisionPointMs,
      bodyBytesMax: () => this.#limits.errorBodyBytesMax,
      onSend: () => {},
    });
    if (response.status !== 200 || response.isCut) return { kind: "garbage", problem: `it answered with status ${response.status}` };
    return protocol === "opa" ? opaAnswer(read(response.body)) : authzenAnswer(read(response.body));
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** Subject, action, resource and context, as AuthZEN names them. */
function authzenQuestion({ principal, tool, args, sessionId, facts }: PointRequest): JsonObject {
  const { tenant, user, roles, attributes } = principal;
  return {
    subject: { type: "user", id: user, properties: { ...attributes, tenant, roles } },
    action: { name: tool.name, properties: { version: tool.version, tier: tool.tier } },
    resource: { type: "tool", id: tool.name, properties: { source: tool.source, arguments: args } },
    context: { session: sessionId, facts },
  };
}

function read(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString("utf8")) as Json;
  } catch {
    // What is no JSON is no decision; the caller says so.
    return undefined;
  }
}

function memberOf(value: Json | undefined, name: string): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject)[name] : undefined;
}

function authzenAnswer(body: Json | undefined): PointAnswer {
  return answerOf(memberOf(body, "decision"), memberOf(body, "context"), "`decision` is neither true nor false");
}

/** `{result: true}`, or `{result: {allow: true}}`. A result that is not defined is no decision. */
function opaAnswer(body: Json | undefined): PointAnswer {
  const result = memberOf(body, "result");
  return answerOf(memberOf(result, "allow") ?? result, result, "`result` is neither true nor false");
}

function answerOf(decision: Json | undefined, context: Json | undefined, problem: string): PointAnswer {
  if (decision === true) return { kind: "allow" };
  if (decision !== false) return { kind: "garbage", problem };
  const reason = memberOf(context, "reason");
  return { kind: "deny", reason: typeof reason === "string" ? reason : undefined };
}
