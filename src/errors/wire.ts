import { codes, type Effect, type ErrorCode, type Retry } from "./codes.ts";
import type { FieldProblem, ToolCallError } from "./tool-call-error.ts";

/** The one documented body that a model or program reads, the same at every stage and in every form. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly retry: Retry;
    readonly effect: Effect;
    readonly fields?: readonly FieldProblem[];
    readonly retryAfterMs?: number;
    readonly approvalId?: string;
    readonly callId?: string;
    /** An upstream's own words: untrusted. */
    readonly untrustedDetail?: string;
  };
}

/** The body of an error. */
export function errorBody(error: ToolCallError): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      retry: error.retry,
      effect: error.effect,
      ...(error.fields.length > 0 && { fields: error.fields }),
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
      ...(error.approvalId !== undefined && { approvalId: error.approvalId }),
      ...(error.callId !== undefined && { callId: error.callId }),
      ...(error.detail !== undefined && { untrustedDetail: error.detail }),
    },
  };
}

/** The HTTP problem of an error (RFC 9457): status, and a body with the members of `errorBody` beside the standard ones. */
export function httpProblem(error: ToolCallError): { readonly status: number; readonly body: Record<string, unknown> } {
  const row = codes[error.code];
  return {
    status: row.http,
    body: {
      type: `urn:signalbox:error:${error.code}`,
      title: row.about,
      status: row.http,
      detail: error.message,
      ...errorBody(error),
    },
  };
}

/** The JSON-RPC error of an error. */
export function jsonRpcError(error: ToolCallError): { readonly code: number; readonly message: string; readonly data: ErrorBody } {
  return { code: codes[error.code].jsonRpc, message: error.message, data: errorBody(error) };
}
