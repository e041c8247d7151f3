/** What is said to upstream servers, and what of their messages is understood. */
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Era, LinkRequest } from "./link.ts";
import { LinkFailure } from "./link.ts";

/** The revision that we speak where a server does. */
export const modernVersion = "2026-07-28";

/** Revisions with a handshake; newest first. */
export const legacyVersions: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/** How we call ourselves towards servers. */
export const clientInfo: JsonObject = { name: "signalbox", version: "1" };

/** Members of `_meta` that every request of the modern era has. We declare no capabilities: a server can ask us for nothing. */
export const modernMeta: JsonObject = {
  "io.modelcontextprotocol/protocolVersion": modernVersion,
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": clientInfo,
};

/** The parameters of a request with its `_meta`. */
export function withMeta(request: LinkRequest, era: Era | undefined, progressToken: number): JsonObject {
  const meta = {
    ...(era?.kind === "modern" && modernMeta),
    ...(request.onProgress !== undefined && { progressToken }),
    ...request.meta,
  };
  return Object.keys(meta).length === 0 ? request.params : { ...request.params, _meta: meta };
}

/** A message of a server. */
export type FromServer =
  | { readonly kind: "result"; readonly id: number; readonly result: JsonObject }
  | { readonly kind: "error"; readonly id: number | undefined; readonly failure: LinkFailure }
  | { readonly kind: "request"; readonly id: string | number; readonly method: string }
  | { readonly kind: "notification"; readonly method: string; readonly params: JsonObject }
  | { readonly kind: "nothing" };

/** Reads one message. Anything that is none is `nothing`: a server that talks nonsense gets no further than being ignored. */
export function readServerMessage(value: unknown): FromServer {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return { kind: "nothing" };
  const { id, method, params, result, error } = value;
  if (typeof method === "string") {
    if (typeof id === "string" || typeof id === "number") return { kind: "request", id, method };
    return { kind: "notification", method, params: isObject(params) ? params : {} };
  }
  const knownId = typeof id === "number" ? id : undefined;
  if (isObject(error)) return { kind: "error", id: knownId, failure: rpcFailure(error) };
  if (knownId === undefined) return { kind: "nothing" };
  if (isObject(result)) return { kind: "result", id: knownId, result };
  return { kind: "error", id: knownId, failure: new LinkFailure({ kind: "malformed", message: "the server's answer has no result" }) };
}

/** The text of a progress notification for one of our tokens. */
export function progressOf(params: JsonObject): { readonly token: number; readonly message: string } | undefined {
  const { progressToken, message, progress, total } = params;
  if (typeof progressToken !== "number") return undefined;
  if (typeof message === "string") return { token: progressToken, message };
  const of = typeof total === "number" ? ` of ${total}` : "";
  return { token: progressToken, message: typeof progress === "number" ? `${progress}${of}` : "" };
}

/** A JSON-RPC error as a failure. */
export function rpcFailure(error: JsonObject, status?: number): LinkFailure {
  const { code, message, data } = error;
  return new LinkFailure({
    kind: "rpc",
    message: "the server answered with an error",
    code: typeof code === "number" ? code : 0,
    data,
    status,
    detail: typeof message === "string" ? boundedText(message) : undefined,
  });
}

/** A server's words without control characters, bounded. */
export function boundedText(text: string): string {
  return text
    .slice(0, fixedBounds.upstreamWordsCharsMax)
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, " ")
    .toWellFormed();
}

/** Whether a value is an object that is no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
