import { assert } from "../base/assert.ts";
import { codes, retryFor, type CodeRow, type Effect, type ErrorCode, type Retry } from "./codes.ts";

/** One wrong field of a call, in words for a model. */
export interface FieldProblem {
  /** JSON pointer into the arguments, `""` for the arguments as a whole. */
  readonly path: string;
  /** What was sent, shortened; absent where it was missing. */
  readonly got?: string;
  /** What would be right. */
  readonly expected: string;
  /** The likeliest mend, such as the nearest known name or value. */
  readonly hint?: string;
}

/** What makes up an error besides its code. */
export interface ErrorParts {
  /** Default `none`. */
  readonly effect?: Effect;
  /** Whether repeating under the same key is safe for this tool. Default false. */
  readonly isSafeToResend?: boolean;
  readonly fields?: readonly FieldProblem[];
  readonly retryAfterMs?: number | undefined;
  readonly approvalId?: string | undefined;
  readonly callId?: string | undefined;
  /** An upstream's own words: bounded, redacted, untrusted; shown in a field of its own and never mixed with `message`. */
  readonly detail?: string | undefined;
  /** For our logs only. */
  readonly cause?: unknown;
}

/** The one error class that crosses boundaries. `message` is written for a model: what was wrong, where, what would be right. */
export class ToolCallError extends Error {
  override readonly name = "ToolCallError";
  readonly code: ErrorCode;
  readonly effect: Effect;
  readonly retry: Retry;
  readonly fields: readonly FieldProblem[];
  readonly retryAfterMs: number | undefined;
  readonly approvalId: string | undefined;
  readonly callId: string | undefined;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    const row: CodeRow = codes[code];
    this.code = code;
    this.effect = parts.effect ?? "none";
    assert(row.effects.includes(this.effect), `\`${code}\` may not report effect \`${this.effect}\``);
    this.retry = retryFor(code, this.effect, parts.isSafeToResend ?? false);
    this.fields = parts.fields ?? [];
    this.retryAfterMs = parts.retryAfterMs;
    this.approvalId = parts.approvalId;
    this.callId = parts.callId;
    this.detail = parts.detail;
  }
}

/** Builds an error. Expected endings are values, so most callers return it rather than throw it. */
export function toolCallError(code: ErrorCode, message: string, parts?: ErrorParts): ToolCallError {
  return new ToolCallError(code, message, parts);
}

/** What an unexpected throw becomes: its cause is kept for our logs, its words are shown to nobody. */
export function internalError(cause: unknown, effect: Effect = "none"): ToolCallError {
  if (cause instanceof ToolCallError) return cause;
  return new ToolCallError("INTERNAL", "something failed inside Signalbox; this is not a fault of your call", { effect, cause });
}
