import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { JsonObject } from "../../domain/json.ts";

/** Revisions in which every request stands for itself; newest first. */
export const modernVersions: readonly string[] = ["2026-07-28"];

/** Revisions that begin with an `initialize` handshake; newest first. */
export const legacyVersions: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/** Members of `_meta` that the protocol defines. */
export const metaMembers = {
  version: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscription: "io.modelcontextprotocol/subscriptionId",
} as const;

/** Member of `_meta` in which a client names the conversation that a call belongs to; calls of one conversation share a session. */
export const conversationMember = "signalbox/conversation";

/** JSON-RPC error codes of the protocol: the standard ones, and those of the range that MCP reserves (-32020 to -32099). */
export const rpcCodes = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  sessionNotFound: -32001,
  headerMismatch: -32020,
  unsupportedVersion: -32022,
} as const;

/** A JSON-RPC id as MCP allows it. */
export type RpcId = string | number;

/** A message of a client, as far as its envelope goes. */
export type Inbound =
  | { readonly kind: "request"; readonly id: RpcId; readonly method: string; readonly params: JsonObject; readonly message: JsonObject }
  | { readonly kind: "notification"; readonly method: string; readonly params: JsonObject }
  /** An answer to a request of ours; without a result where it is an error. */
  | { readonly kind: "response"; readonly id: RpcId | undefined; readonly result: JsonObject | undefined }
  | { readonly kind: "invalid"; readonly id: RpcId | undefined; readonly problem: string };

/** What to send back. `status` is for HTTP. */
export type McpAnswer =
  | { readonly kind: "message"; readonly status: number; readonly message: JsonObject; readonly sessionId?: string }
  /** Nothing to say. */
  | { readonly kind: "accepted" }
  /** The client cancelled the request by a notification; transports other than HTTP send nothing. */
  | { readonly kind: "cancelled"; readonly message: JsonObject };

/** Reads the envelope of a message. */
export function readMessage(message: JsonObject): Inbound {
  const { jsonrpc, id, method, params = {} } = message;
  const knownId = isRpcId(id) ? id : undefined;
  const invalid = (problem: string): Inbound => ({ kind: "invalid", id: knownId, problem });
  if (jsonrpc !== "2.0") return invalid("`jsonrpc` must be `2.0`");
  if (method === undefined && ("result" in message || "error" in message))
    return { kind: "response", id: knownId, result: isObject(message["result"]) ? message["result"] : undefined };
  if (method === undefined) return invalid("`method` is missing");
  if (typeof method !== "string" || method === "" || method.length > fixedBounds.mcpMethodCharsMax)
    return invalid("`method` must be a text");
  if (!isObject(params)) return invalid("`params` must be an object");
  if (!("id" in message)) return { kind: "notification", method, params };
  if (knownId === undefined) return invalid("`id` must be a text or a whole number");
  return { kind: "request", id: knownId, method, params, message };
}

/** The `_meta` of a message's parameters; `{}` where there is none. */
export function metaOf(params: JsonObject): JsonObject {
  const { _meta: meta } = params;
  return isObject(meta) ? meta : {};
}

/** A successful response. */
export function resultMessage(id: RpcId, result: JsonObject): JsonObject {
  return { jsonrpc: "2.0", id, result };
}

/** An error response. `message` is ours, on one line. */
export function errorMessage(
  id: RpcId | undefined,
  error: { readonly code: number; readonly message: string; readonly data?: JsonObject | undefined },
): JsonObject {
  const { code, message, data } = error;
  return { jsonrpc: "2.0", id: id ?? null, error: { code, message, ...(data !== undefined && { data }) } };
}

function isRpcId(id: unknown): id is RpcId {
  return (typeof id === "string" && id.length <= fixedBounds.mcpIdCharsMax) || (typeof id === "number" && Number.isSafeInteger(id));
}

/** Whether a value is an object that is no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
