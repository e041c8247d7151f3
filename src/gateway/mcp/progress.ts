import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";

/** What progress of one request is told with. */
export interface ProgressParts {
  /** `progressToken`, as the client sent it; any other than a text or a number asks for nothing. */
  readonly token: unknown;
  /** Undefined where the client takes no notifications. */
  readonly notify: ((notification: JsonObject) => void) | undefined;
  readonly clock: Clock;
  readonly limits: Limits;
}

/**
 * Tells a client what a tool says of its progress: `mcpProgressBurst` messages at once, then one every `mcpProgressGapMs`; undefined where it did not ask.
 * How far a tool is nobody here knows, so the number only counts the messages, which the protocol wants to rise.
 */
export function progressNotifier({ token, notify, clock, limits }: ProgressParts): ((message: string) => void) | undefined {
  if (notify === undefined || (typeof token !== "string" && typeof token !== "number")) return undefined;
  let progress = 0;
  const aheadMsMax = (limits.mcpProgressBurst - 1) * limits.mcpProgressGapMs;
  /** When the messages that were sent would have been due, one a gap. */
  let dueMs = 0;
  return (message) => {
    progress += 1;
    const nowMs = clock.monotonic();
    if (dueMs - nowMs > aheadMsMax) return;
    dueMs = Math.max(dueMs, nowMs) + limits.mcpProgressGapMs;
    notify({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: token, progress, message } });
  };
}
