/** Did the side effect happen? `none`: certainly not; `applied`: certainly; `unknown`: nobody can say yet. */
export type Effect = "none" | "unknown" | "applied";

/** Who must change something: the model's call, the caller around it, the policy or a person behind it, the tool, or Signalbox itself. */
export type Fault = "model" | "caller" | "policy" | "tool" | "runtime";

/** May the same call be made again? `same-key`: only under the same idempotency key; `after-fix`: only changed. */
export type Retry = "never" | "after-fix" | "later" | "same-key";

/** One row of the error table. */
export interface CodeRow {
  readonly fault: Fault;
  /** Effects that an error of this code may report. */
  readonly effects: readonly Effect[];
  /** HTTP status (RFC 9110). */
  readonly http: number;
  /**
   * JSON-RPC error code: -32600, -32602 and -32603 as in JSON-RPC 2.0, the others beyond what JSON-RPC reserves, where any program may define its own. MCP has
   * taken -32020 to -32099 and asks that -32000 to -32019 be left alone.
   */
  readonly jsonRpc: number;
  /** Retry when the effect is `none`; see `retryFor`. */
  readonly retry: Retry;
  readonly about: string;
}

/** Every error that crosses a boundary of the product. Docs, HTTP, JSON-RPC, spans and the text for the model derive from this table. */
export const codes = {
  CALL_MALFORMED: {
    fault: "model",
    effects: ["none"],
    http: 400,
    jsonRpc: -32602,
    retry: "after-fix",
    about: "the call could not be read",
  },
  UNAUTHENTICATED: {
    fault: "caller",
    effects: ["none"],
    http: 401,
    jsonRpc: -31001,
    retry: "after-fix",
    about: "no valid credential came with the request",
  },
  SESSION_UNKNOWN: {
    fault: "caller",
    effects: ["none"],
    http: 404,
    jsonRpc: -31002,
    retry: "after-fix",
    about: "the session does not exist for this credential",
  },
  SESSION_STOPPED: { fault: "policy", effects: ["none"], http: 403, jsonRpc: -31003, retry: "never", about: "the session was stopped" },
  RATE_LIMITED: {
    fault: "caller",
    effects: ["none"],
    http: 429,
    jsonRpc: -31004,
    retry: "later",
    about: "too many calls in too short a time",
  },
  TOOL_NOT_FOUND: {
    fault: "model",
    effects: ["none"],
    http: 404,
    jsonRpc: -32602,
    retry: "after-fix",
    about: "no such tool for this principal",
  },
  TOOL_QUARANTINED: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31005,
    retry: "never",
    about: "the tool's definition changed and waits for review",
  },
  ARGUMENTS_INVALID: {
    fault: "model",
    effects: ["none"],
    http: 422,
    jsonRpc: -32602,
    retry: "after-fix",
    about: "the arguments do not fit the tool's schema",
  },
  KEY_REUSED: {
    fault: "caller",
    effects: ["none"],
    http: 409,
    jsonRpc: -31006,
    retry: "never",
    about: "the idempotency key was used with other arguments",
  },
  PERMISSION_DENIED: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31008,
    retry: "never",
    about: "the user behind the session may not do this",
  },
  DECISION_FAILED: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31009,
    retry: "never",
    about: "a rule could not be decided, which denies",
  },
  DECISION_UNAVAILABLE: {
    fault: "runtime",
    effects: ["none"],
    http: 503,
    jsonRpc: -31010,
    retry: "later",
    about: "what decides could not be reached, which denies",
  },
  READ_ONLY: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31028,
    retry: "later",
    about: "an operator has limited everything, the tenant or the session to reads",
  },
  FLOW_FORBIDDEN: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31011,
    retry: "never",
    about: "an argument comes from untrusted text, and the user did not ask for this",
  },
  APPROVAL_REJECTED: { fault: "policy", effects: ["none"], http: 403, jsonRpc: -31012, retry: "never", about: "a person said no" },
  DEFERRAL_EXPIRED: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31031,
    retry: "later",
    about: "a rule put the call off, and it waited for too long",
  },
  APPROVAL_EXPIRED: { fault: "policy", effects: ["none"], http: 403, jsonRpc: -31013, retry: "later", about: "nobody answered in time" },
  APPROVAL_INVALID: {
    fault: "caller",
    effects: ["none"],
    http: 409,
    jsonRpc: -31014,
    retry: "never",
    about: "the approval cannot be answered or used like this",
  },
  BUDGET_EXCEEDED: {
    fault: "caller",
    effects: ["none"],
    http: 402,
    jsonRpc: -31015,
    retry: "never",
    about: "a budget of calls, tokens, time or money is spent",
  },
  SET_REFUSED: {
    fault: "policy",
    effects: ["none"],
    http: 403,
    jsonRpc: -31029,
    retry: "after-fix",
    about: "another call of a set that runs whole or not at all was refused",
  },
  CREDENTIAL_MISSING: {
    fault: "caller",
    effects: ["none"],
    http: 403,
    jsonRpc: -31030,
    retry: "after-fix",
    about: "the tool acts with the user's own account, which the user has not connected",
  },
  TOOL_UNAVAILABLE: {
    fault: "tool",
    effects: ["none"],
    http: 503,
    jsonRpc: -31016,
    retry: "later",
    about: "the tool takes no calls at the moment",
  },
  LEDGER_UNAVAILABLE: {
    fault: "runtime",
    effects: ["none", "applied", "unknown"],
    http: 503,
    jsonRpc: -31017,
    retry: "later",
    about: "the ledger could not be written",
  },
  TOOL_TIMEOUT: {
    fault: "tool",
    effects: ["none", "unknown"],
    http: 504,
    jsonRpc: -31018,
    retry: "later",
    about: "the tool did not answer in time",
  },
  TOOL_FAILED: {
    fault: "tool",
    effects: ["none", "unknown", "applied"],
    http: 502,
    jsonRpc: -31019,
    retry: "later",
    about: "the tool failed",
  },
  TOOL_REFUSED: {
    fault: "model",
    effects: ["none"],
    http: 422,
    jsonRpc: -31020,
    retry: "after-fix",
    about: "the tool refused these arguments",
  },
  RESULT_INVALID: {
    fault: "tool",
    effects: ["none", "applied", "unknown"],
    http: 502,
    jsonRpc: -31021,
    retry: "never",
    about: "the result is not what the tool declares",
  },
  RESULT_WITHHELD: {
    fault: "runtime",
    effects: ["none", "applied"],
    http: 503,
    jsonRpc: -31022,
    retry: "later",
    about: "the result could not be recorded and is withheld",
  },
  OUTCOME_UNKNOWN: {
    fault: "tool",
    effects: ["unknown"],
    http: 502,
    jsonRpc: -31023,
    retry: "same-key",
    about: "the reply was lost; nobody can say yet whether it happened",
  },
  CANCELLED: { fault: "caller", effects: ["none", "unknown"], http: 499, jsonRpc: -31024, retry: "never", about: "the caller cancelled" },
  NOT_FOUND: { fault: "caller", effects: ["none"], http: 404, jsonRpc: -31025, retry: "after-fix", about: "no such thing here" },
  REQUEST_INVALID: {
    fault: "caller",
    effects: ["none"],
    http: 400,
    jsonRpc: -32600,
    retry: "after-fix",
    about: "the request around the call is not valid",
  },
  CONFIG_INVALID: {
    fault: "caller",
    effects: ["none"],
    http: 500,
    jsonRpc: -32603,
    retry: "after-fix",
    about: "the configuration is not valid",
  },
  SHUTTING_DOWN: { fault: "runtime", effects: ["none"], http: 503, jsonRpc: -31026, retry: "later", about: "the process is stopping" },
  OVERLOADED: {
    fault: "runtime",
    effects: ["none"],
    http: 503,
    jsonRpc: -31027,
    retry: "later",
    about: "the process has as many calls under way as it can carry",
  },
  INTERNAL: {
    fault: "runtime",
    effects: ["none", "unknown", "applied"],
    http: 500,
    jsonRpc: -32603,
    retry: "later",
    about: "a fault of Signalbox",
  },
} as const satisfies Record<string, CodeRow>;

/** A code of the table. */
export type ErrorCode = keyof typeof codes;

/**
 * Whether the same call may be made again, from code, effect and idempotency: with an effect that is unknown only under the same key, and then
 * only if the tool makes a repeat safe; with an effect that is applied never.
 */
export function retryFor(code: ErrorCode, effect: Effect, isSafeToResend: boolean): Retry {
  const row: CodeRow = codes[code];
  if (effect === "applied") return "never";
  if (effect === "unknown") return isSafeToResend ? "same-key" : "never";
  return row.retry;
}
