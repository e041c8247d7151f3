/**
 * Exchanges what a user has given us for a credential that one upstream accepts: OAuth 2.0 Token Exchange (RFC 8693, section 2). What is exchanged is never sent to
 * the upstream, and what comes back is kept at most until it expires, for that tenant and user alone.
 */
import { Pool } from "undici";
import type { Clock } from "../base/clock.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { Execution } from "../domain/tool.ts";
import type { EgressPolicy } from "./egress.ts";
import { exchange, type WireResponse } from "./http-exchange.ts";
import { egressOf } from "./http-check.ts";
import type { ExchangeOptions } from "./http-options.ts";
import { isHeaderValue } from "./http-request.ts";
import { createGuardedConnector } from "./ssrf-guard.ts";

/** What came of an exchange. `refused`: the user has to connect anew; `misconfigured`: the operator has to mend something. */
export type Exchanged =
  | { readonly kind: "token"; readonly value: string }
  | { readonly kind: "refused" | "misconfigured" | "unavailable"; readonly cause: unknown };

interface Kept {
  readonly value: string;
  readonly untilMs: number;
}

function egressOfExchange({ url, allowPrivate }: ExchangeOptions): EgressPolicy {
  return egressOf({ method: "POST", url, ...(allowPrivate !== undefined && { allowPrivate }) });
}

/** Tokens of one source, by user. */
export class TokenExchange {
  readonly #options: ExchangeOptions;
  readonly #parts: { readonly clock: Clock; readonly limits: Limits };
  readonly #pool: Pool;
  readonly #kept = new Map<string, Kept>();
  // One request for all who ask at the same time.
  readonly #asking = new Map<string, Promise<Exchanged>>();

  constructor(options: ExchangeOptions, parts: { readonly clock: Clock; readonly limits: Limits }) {
    const { limits } = parts;
    const connect = createGuardedConnector({ allow: egressOfExchange(options), limits, lookup: undefined });
    this.#options = options;
    this.#parts = parts;
    this.#pool = new Pool(new URL(options.url).origin, {
      connections: limits.connectionsPerOriginMax,
      connect,
      maxHeaderSize: limits.headerBytesMax,
    });
  }

  /** A token for the user whose own secret is `subject`. A changed secret is another user's as far as tokens go. */
  async token(subject: string, execution: Pick<Execution, "principal" | "secret" | "conceal">): Promise<Exchanged> {
    const key = keyOf(subject, execution);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#parts.clock.monotonic() < kept.untilMs) {
      execution.conceal(kept.value);
      return { kind: "token", value: kept.value };
    }
    this.#kept.delete(key);
    const running = this.#asking.get(key);
    if (running !== undefined) return await running;
    const asked = this.#ask(key, subject, execution).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return await asked;
  }

  /** The upstream did not accept the token. */
  forget(subject: string, execution: Pick<Execution, "principal">): void {
    this.#kept.delete(keyOf(subject, execution));
  }

  /** Idempotent, since all operations of a source close it. */
  async close(): Promise<void> {
    this.#kept.clear();
    if (!this.#pool.closed) await this.#pool.close();
  }

  async #ask(key: string, subject: string, execution: Pick<Execution, "secret" | "conceal">): Promise<Exchanged> {
    const askedMs = this.#parts.clock.monotonic();
    let authorization: string | undefined;
    try {
      authorization = await this.#client(execution);
    } catch (cause) {
      return { kind: "misconfigured", cause };
    }
    try {
      const read = readAnswer(await this.#send(subject, authorization), this.#parts.limits);
      if (read.kind !== "token") return read;
      execution.conceal(read.value);
      this.#keep(key, read, askedMs);
      return { kind: "token", value: read.value };
    } catch (cause) {
      return { kind: "unavailable", cause };
    }
  }

  async #client({ secret }: Pick<Execution, "secret">): Promise<string | undefined> {
    const { client } = this.#options;
    return client === undefined ? undefined : `Basic ${Buffer.from(await secret(client), "utf8").toString("base64")}`;
  }

  #send(subject: string, authorization: string | undefined): Promise<WireResponse> {
    const { url, audience, scope, subjectType = "access_token" } = this.#options;
    const { limits } = this.#parts;
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: subject,
      subject_token_type: `urn:ietf:params:oauth:token-type:${subjectType}`,
      requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
      ...(audience !== undefined && { audience }),
      ...(scope !== undefined && { scope }),
    });
    return exchange({
      dispatcher: this.#pool,
      request: {
        url: new URL(url),
        method: "POST",
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          accept: "application/json",
          ...(authorization !== undefined && { authorization }),
        },
        body: body.toString(),
      },
      // Whoever asked first may be gone while others still wait; the transport's own time ends it.
      signal: new AbortController().signal,
      timeoutMs: limits.tokenExchangeMs,
      bodyBytesMax: () => limits.errorBodyBytesMax,
      onSend: () => {},
    });
  }

  #keep(key: string, { value, lifeMs }: { readonly value: string; readonly lifeMs: number }, askedMs: number): void {
    const { limits } = this.#parts;
    const untilMs = askedMs + Math.min(lifeMs, limits.tokenLifeMsMax) - limits.tokenLeewayMs;
    if (untilMs <= this.#parts.clock.monotonic()) return;
    if (this.#kept.size >= limits.tokensKeptMax) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#kept.set(key, { value, untilMs });
  }
}

function keyOf(subject: string, { principal }: Pick<Execution, "principal">): string {
  return JSON.stringify([principal.tenant, principal.user, sha256Hex(subject)]);
}

type Read =
  | { readonly kind: "token"; readonly value: string; readonly lifeMs: number }
  | { readonly kind: "refused" | "misconfigured" | "unavailable"; readonly cause: Error };

/** An answer of a token endpoint: RFC 8693, sections 2.2.1 and 2.2.2. Its own words are not repeated, they may quote what was sent. */
function readAnswer(response: WireResponse, limits: Limits): Read {
  const { status } = response;
  const no = (kind: "refused" | "misconfigured" | "unavailable"): Read => ({
    kind,
    cause: new Error(`the token endpoint answered with status ${status}`),
  });
  if (status >= 500 || status === 429) return no("unavailable");
  const body = response.isCut ? undefined : parsed(response.body);
  if (status !== 200) return no(body?.["error"] === "invalid_grant" || body?.["error"] === "invalid_request" ? "refused" : "misconfigured");
  const { access_token: value, token_type: type, expires_in: seconds } = body ?? {};
  const isBearer = typeof type === "string" && type.toLowerCase() === "bearer";
  if (typeof value !== "string" || !isBearer || !/^[\x21-\x7e]+$/.test(value) || !isHeaderValue(value)) return no("misconfigured");
  if (value.length > limits.tokenCharsMax) return no("misconfigured");
  // One that does not say how long it lives is used once.
  return { kind: "token", value, lifeMs: typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : 0 };
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    // What is no JSON is no answer of a token endpoint; the caller says so.
    return undefined;
  }
}
