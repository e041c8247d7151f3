import type { ApprovalOrigin, BarredReader } from "../domain/approval.ts";
import type { FlowTrace } from "../flow/trace.ts";

const riskOrder = [
  "untrusted",
  "nowhere",
  "named-record",
  "directory",
  "trusted",
  "plan",
  "user",
] as const satisfies readonly ApprovalOrigin["source"][];

/**
 * Where values came from, for people to read later: what a session knows lives in memory and ages, a question may wait for days. The riskiest first, no value
 * among them, and of other conversations than `sessionId` source and time only.
 */
export function originsOf(
  { traced }: Pick<FlowTrace, "traced">,
  { sessionId, originsMax }: { readonly sessionId: string; readonly originsMax: number },
): readonly ApprovalOrigin[] {
  const first = new Map(traced.toReversed().map((each) => [`${each.pointer}#${each.part ?? ""}`, each]));
  const origins = [...first.values()].map(({ pointer, part, source, origin }): ApprovalOrigin => ({
    pointer,
    ...(part !== undefined && { part }),
    source,
    ...(origin !== undefined && { tool: origin.tool, atMs: origin.atMs }),
    ...(origin?.sessionId === sessionId && { callId: origin.callId }),
  }));
  return origins.toSorted((left, right) => riskOrder.indexOf(left.source) - riskOrder.indexOf(right.source)).slice(0, originsMax);
}

/** Recipients who may not have what a call repeats, by their places; the same for everybody who looks, and whatever their names. */
export function barredIn({ barred }: Pick<FlowTrace, "barred">): readonly BarredReader[] {
  return barred.map(({ pointer, part, names }) => ({ pointer, part, isKnown: names !== undefined }));
}
