import { stop } from "./endings.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/** Whom the call is for: the session as it is now, with every role that was taken away since it was opened. */
export function identify(state: CallState): Verdict {
  const { session } = state;
  const stopped = session.stopped;
  if (stopped !== undefined) return stop("SESSION_STOPPED", `this session was stopped: ${stopped.reason}; no more calls can be made in it`);
  if (session.principal.roles.length === 0 && session.revokedRoles.length > 0)
    return stop("PERMISSION_DENIED", "the user behind this session has lost every role it had");
  return proceed;
}
