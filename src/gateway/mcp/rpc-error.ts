import type { JsonObject } from "../../domain/json.ts";
import { codes } from "../../errors/codes.ts";
import type { ToolCallError } from "../../errors/tool-call-error.ts";
import { errorBody } from "../../errors/wire.ts";
import { errorMessage, rpcCodes, type McpAnswer, type RpcId } from "./protocol.ts";

/** The answer to a request that ended by an error outside any call. */
export function failureAnswer(
  error: ToolCallError,
  id: RpcId,
  asked: { readonly isModern: boolean; readonly isInSession: boolean },
): McpAnswer & { readonly kind: "message" } {
  const data = errorBody(error) as unknown as JsonObject;
  // A legacy client begins anew on this status, and on no other.
  if (error.code === "SESSION_UNKNOWN" && !asked.isModern && asked.isInSession)
    return { kind: "message", status: 404, message: errorMessage(id, { code: rpcCodes.sessionNotFound, message: error.message, data }) };
  return {
    kind: "message",
    status: statusOf(error),
    message: errorMessage(id, { code: codes[error.code].jsonRpc, message: error.message, data }),
  };
}

function statusOf(error: ToolCallError): number {
  if (error.code === "PERMISSION_DENIED") return 403;
  if (error.code === "RATE_LIMITED") return 429;
  if (error.code === "SHUTTING_DOWN") return 503;
  return error.code === "INTERNAL" ? 500 : 200;
}
