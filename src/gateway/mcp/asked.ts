import type { JsonObject } from "../../domain/json.ts";
import type { Credential } from "../../domain/principal.ts";
import type { McpHeaders } from "./era.ts";
import { errorMessage, metaMembers, metaOf, resultMessage, type Inbound, type McpAnswer, type RpcId } from "./protocol.ts";

/** Who sends a message, and by which way. */
export interface McpSender {
  readonly credential: Credential;
  /** `Mcp-Session-Id`, as sent. */
  readonly sessionId: string | undefined;
  /** The protocol's headers; undefined where the transport has none. */
  readonly headers: McpHeaders | undefined;
  readonly traceId: string;
}

/** What the transport offers while a request is worked on. */
export interface McpDelivery {
  /** Fires when the client is gone, for requests of 2026-07-28, where that is how a call is cancelled. */
  readonly gone?: AbortSignal | undefined;
  /** Sends a message that belongs to the request; undefined where the client takes none. */
  readonly notify?: ((message: JsonObject) => void) | undefined;
  /** Fires when nobody sends or reads any more: ends what would never end by itself, and no call. */
  readonly ended?: AbortSignal | undefined;
}

/** A request, its envelope read. */
export type McpRequest = Extract<Inbound, { kind: "request" }>;

/** A request on its way. */
export interface Asked {
  readonly request: McpRequest;
  readonly sender: McpSender;
  readonly delivery: McpDelivery;
  readonly isModern: boolean;
}

/** The answer with a result; `resultType` is `complete` where the result says nothing else. */
export function answered(
  { request, isModern }: Asked,
  result: JsonObject,
  serverInfo: JsonObject,
): Extract<McpAnswer, { kind: "message" }> {
  const whole = isModern
    ? { resultType: "complete", ...result, _meta: { ...metaOf(result), [metaMembers.serverInfo]: serverInfo } }
    : result;
  return { kind: "message", status: 200, message: resultMessage(request.id, whole) };
}

/** The answer with an error of the protocol. */
export function refusal(
  status: number,
  id: RpcId | undefined,
  error: { readonly code: number; readonly message: string; readonly data?: JsonObject },
): McpAnswer {
  return { kind: "message", status, message: errorMessage(id, error) };
}

/** Among whose messages an id is unique: without a session, ids of several clients of one credential meet, and nothing can be named by its id. */
export function cancelScope({ credential, sessionId, headers }: McpSender): string | undefined {
  const scope = sessionId ?? (headers === undefined ? "stdio" : undefined);
  return scope === undefined ? undefined : `${credential.id}\n${scope}`;
}
