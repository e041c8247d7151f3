import { fixedBounds } from "../base/fixed-bounds.ts";
import { isoTime } from "../base/clock.ts";
import type { DecidedDelay } from "../domain/decision.ts";
import { codes } from "../errors/codes.ts";
import { toolCallError, type ErrorParts, type ToolCallError } from "../errors/tool-call-error.ts";
import type { ErrorCode } from "../errors/codes.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Ending } from "./verdict.ts";

/** The outcome that an error ends a call with: a policy's no is a denial, an unknown effect is unknown, everything else is a failure. */
export function outcomeOf(error: ToolCallError): Outcome {
  if (codes[error.code].fault === "policy") return { kind: "denied", error };
  if (error.effect === "unknown") return { kind: "unknown", error, isReplay: false };
  return { kind: "failed", error, isReplay: false };
}

/** Ends the journey with an error. */
export function stopWith(error: ToolCallError): Ending {
  return { kind: "stop", outcome: outcomeOf(error) };
}

/** Ends the journey with a new error. */
export function stop(code: ErrorCode, message: string, parts?: ErrorParts): Ending {
  return stopWith(toolCallError(code, message, parts));
}

/** More calls are under way than can be carried; nothing was looked at. */
export function overloaded(): ToolCallError {
  return toolCallError("OVERLOADED", "too many calls are under way here; nothing was done, come back in a moment or make fewer at once", {
    retryAfterMs: fixedBounds.comeBackMs,
  });
}

/** What is answered while another person's yes is awaited. */
export function pendingApproval(approval: {
  readonly id: string;
  readonly gate: "confirmation" | "approval";
  readonly expiresAtMs: number;
  readonly summary: string;
}): Outcome {
  const who = approval.gate === "confirmation" ? "the user must confirm it" : "another person must approve it";
  return {
    kind: "pending",
    waiting: { kind: "person", approvalId: approval.id, gate: approval.gate, expiresAtMs: approval.expiresAtMs, summary: approval.summary },
    message: `not done yet: ${who}; tell the user it waits as \`${approval.id}\`, and do not call it again`,
    retryAfterMs: undefined,
  };
}

/** What is answered while a call is still running. */
export function pendingExecution(callId: string, retryAfterMs: number): Outcome {
  return {
    kind: "pending",
    waiting: { kind: "execution" },
    message: `still running as \`${callId}\`; do not call it again, its outcome can be asked for under that id`,
    retryAfterMs,
  };
}

/** What is answered while a call is put off. */
export function pendingDeferral({ wakeAtMs, expiresAtMs }: DecidedDelay): Outcome {
  return {
    kind: "pending",
    waiting: { kind: "time", wakeAtMs, expiresAtMs },
    message: `not done yet: a rule put it off, it is judged again by itself at ${isoTime(wakeAtMs)}; tell the user, and do not call it again`,
    retryAfterMs: undefined,
  };
}
