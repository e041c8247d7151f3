import type { JsonObject } from "../../domain/json.ts";

/** One request to an upstream server. */
export interface LinkRequest {
  readonly method: string;
  /** Without `_meta`: the link adds what its era needs. */
  readonly params: JsonObject;
  /** Members of `_meta` besides those of the era. */
  readonly meta?: JsonObject;
  /** Headers of this request, where the transport has any. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the request back; whoever fires it has said why. */
  readonly signal: AbortSignal;
  /** Told when the request may have reached the server. */
  readonly onSent?: () => void;
  readonly onProgress?: (message: string) => void;
  /** Told that the server has announced a change of its tools in the stream of this request, over HTTP. */
  readonly onToolsChanged?: () => void;
}

/** Which era a server belongs to, and the version that is spoken with it. */
export interface Era {
  readonly kind: "modern" | "legacy";
  readonly version: string;
}

/** A connection to an upstream server: requests out, results back, in any order. */
export interface Link {
  readonly kind: "stdio" | "http";
  /** Resolves with the result. Rejects with a `LinkFailure` and nothing else. */
  request(request: LinkRequest): Promise<JsonObject>;
  notify(method: string, params: JsonObject): Promise<void>;
  /** Says how to speak from now on; undefined before anything is agreed. */
  speak(era: Era | undefined): void;
  /** Resolves when the server is gone for good; never rejects. A link over HTTP never says so by itself. */
  readonly gone: Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * Why a request brought no result.
 * `rpc`: the server answered with an error. `unreached`: nothing was sent. `lost`: it was or may have been sent, and no answer came. `malformed`: the answer
 * is none. `refused`: the server does not take our credential, or the place may not be asked. `session-lost`: the server has forgotten our session, and did
 * nothing. `busy`: it asks to come back later. `aborted`: the signal fired.
 */
export type LinkFailureKind = "rpc" | "unreached" | "lost" | "malformed" | "refused" | "session-lost" | "busy" | "aborted";

/** What is known of a failure. */
export interface LinkFailureParts {
  readonly kind: LinkFailureKind;
  /** Ours. */
  readonly message: string;
  /** JSON-RPC code, with `rpc`. */
  readonly code?: number | undefined;
  readonly data?: unknown;
  /** HTTP status, where there was one. */
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The server's own words, untrusted, bounded. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

/** A failure of a link; never leaves this folder. */
export class LinkFailure extends Error {
  override readonly name = "LinkFailure";
  readonly parts: LinkFailureParts;

  constructor(parts: LinkFailureParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.parts = parts;
  }
}

/** The failure behind whatever was thrown. */
export function linkFailure(thrown: unknown): LinkFailure {
  return thrown instanceof LinkFailure
    ? thrown
    : new LinkFailure({ kind: "lost", message: "the exchange with the server failed", cause: thrown });
}
