import type { Failure, FailureKind, Tool } from "../domain/tool.ts";
import type { Effect } from "../errors/codes.ts";
import { ToolFailure } from "./tool-failure.ts";

/** Effect of an attempt whose end nobody saw: none for a read or where nothing was sent, otherwise unknown. */
export function effectOfLostAttempt(tool: Tool, isSent: boolean): Effect {
  return tool.tier === "read" || !isSent ? "none" : "unknown";
}

// Errors of the operating system that are certain to come before anything reaches the other side.
const unreachedCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
]);
const lostCodes: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "UND_ERR_SOCKET"]);
const timeoutCodes: ReadonlySet<string> = new Set(["ETIMEDOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

/** What a transport's error code says, for handlers and connectors that speak to a network themselves. */
export function networkFailure(code: string): { readonly kind: FailureKind; readonly isSent: boolean } | undefined {
  if (code === "UND_ERR_CONNECT_TIMEOUT") return { kind: "timeout", isSent: false };
  if (unreachedCodes.has(code)) return { kind: "unavailable", isSent: false };
  if (lostCodes.has(code)) return { kind: "unavailable", isSent: true };
  if (timeoutCodes.has(code)) return { kind: "timeout", isSent: true };
  return undefined;
}

/**
 * What a throw of a connector or handler becomes. A `ToolFailure` is believed. Anything else may have happened after the effect, so for a write
 * the effect is unknown, even of an error that says that a connection was refused: a handler may have made other connections before. The error's
 * own words are kept as `cause` for our logs and shown to nobody.
 */
export function classifyThrown(thrown: unknown, tool: Tool, isSent: boolean): Failure {
  if (thrown instanceof ToolFailure) return declaredFailure(thrown, tool, isSent);
  const network = networkFailure(codeOf(thrown));
  const effect = effectOfLostAttempt(tool, isSent);
  if (network === undefined) return { kind: "failed", message: `\`${tool.name}\` failed while it was carried out`, effect, cause: thrown };
  const message =
    network.kind === "timeout" ? `\`${tool.name}\` got no answer in time` : `\`${tool.name}\` could not reach what it acts on`;
  return { kind: network.kind, message, effect, cause: thrown };
}

function declaredFailure(thrown: ToolFailure, tool: Tool, isSent: boolean): Failure {
  const assumed = thrown.kind === "rejected" ? "none" : effectOfLostAttempt(tool, isSent);
  return {
    kind: thrown.kind,
    message: thrown.message,
    effect: tool.tier === "read" ? "none" : (thrown.effect ?? assumed),
    retryAfterMs: thrown.retryAfterMs,
    cause: thrown.cause,
  };
}

function codeOf(thrown: unknown): string {
  // Fetch hides the transport's error one level down.
  for (let error = thrown, depth = 0; depth < 3 && typeof error === "object" && error !== null; depth += 1) {
    const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
    if (typeof code === "string") return code;
    error = cause;
  }
  return "";
}
