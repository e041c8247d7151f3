import { stop } from "./endings.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/** How fast one principal may ask at all, before anything is looked up. Calls that the runtime itself makes are bounded by their parent. */
export function throttle(state: CallState): Verdict {
  if (state.parent !== undefined || state.approval !== undefined || state.deferral !== undefined) return proceed;
  const { runtime, session, startedMonotonicMs } = state;
  const waitMs = runtime.throttle.take(session.throttleKey, startedMonotonicMs);
  if (waitMs === 0) return proceed;
  return stop("RATE_LIMITED", `too many calls at once: the limit is ${runtime.limits.rateCallsPerMinute} a minute; wait ${waitMs} ms`, {
    retryAfterMs: waitMs,
  });
}
