import { stop, stopWith } from "./endings.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/** Takes up what the codec read: a call whose bytes made no sense ends here, with the position and what was expected. */
export function decode(state: CallState): Verdict {
  const { call, runtime } = state;
  const { toolNameCharsMax, callIdCharsMax, keyCharsMax } = runtime.limits;
  if (call.name.length === 0) return stop("CALL_MALFORMED", "the call names no tool; give the name of one");
  if (call.name.length > toolNameCharsMax)
    return stop("CALL_MALFORMED", `the tool name has ${call.name.length} characters; the limit is ${toolNameCharsMax}`);
  if (call.id.length > callIdCharsMax)
    return stop("CALL_MALFORMED", `the call id has ${call.id.length} characters; the limit is ${callIdCharsMax}`);
  if (call.key !== undefined && (call.key.length === 0 || call.key.length > keyCharsMax))
    return stop("CALL_MALFORMED", `the idempotency key has ${call.key.length} characters; it must have 1 to ${keyCharsMax}`);
  if (call.arguments.kind === "malformed") return stopWith(call.arguments.error);
  state.args = call.arguments.value;
  return proceed;
}
