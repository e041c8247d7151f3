import type { Json } from "../domain/json.ts";
import { defaultLabel } from "../domain/label.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import type { ResultPart } from "../domain/tool-call.ts";

/** A completed outcome for tests of what leaves; its one part is the value unless other parts are given. */
export function completed(
  value: Json,
  extra: { readonly parts?: readonly ResultPart[]; readonly notices?: readonly string[] } = {},
): Outcome {
  const { parts = [{ kind: "json", value }], notices = [] } = extra;
  const result = { parts, value, handle: undefined, cutChars: 0, label: defaultLabel("shop"), source: "shop", asOfMs: 0 };
  return { kind: "completed", result, effect: "applied", notices, isReplay: false, isFallback: false };
}

/** An answer to the provider's call `providerCallId` with the given outcome. */
export function answerWith(outcome: Outcome, providerCallId = "c1"): Answer {
  return {
    callId: "call_x",
    providerCallId,
    tool: "order.refund",
    version: "1.0.0",
    outcome,
    traceId: undefined,
    sessionId: "ses_1",
  };
}
