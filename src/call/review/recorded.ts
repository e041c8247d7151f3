import { fixedBounds } from "../../base/fixed-bounds.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { Json } from "../../domain/json.ts";
import type { Outcome } from "../../domain/outcome.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { CallBody, SettledBody } from "../../ledger/entries.ts";
import type { Entry } from "../../store/store.ts";
import { outcomeFrom } from "../outcome-record.ts";
import type { Runtime } from "../runtime.ts";

/**
 * The entry that says how a call ended. Several processes write in chains of their own, whose order is not that of time. What was unknown may have become
 * known since, never the other way.
 */
function lastEnding(entries: readonly Entry[]): Entry | undefined {
  const endings = entries.filter(({ kind }) => kind === "call-settled" || kind === "call-denied").toSorted((a, b) => b.atMs - a.atMs);
  const isKnown = ({ text }: Entry): boolean => (parseOwnJson(text) as { body: Partial<SettledBody> }).body.outcome !== "unknown";
  return endings.find(isKnown) ?? endings[0];
}

/** The outcome of an earlier call as the ledger tells it: the last entry that ended it. */
export async function recordedOutcome(runtime: Runtime, tenant: string, callId: string): Promise<Outcome> {
  const entries = await runtime.store.entries({ tenant, callId, newestFirst: true, limit: fixedBounds.callEntriesMax });
  const ending = lastEnding(entries);
  if (ending === undefined)
    return { kind: "failed", error: toolCallError("NOT_FOUND", "the outcome of this call is no longer kept", { callId }), isReplay: true };
  const body = (parseOwnJson(ending.text) as { body: SettledBody | CallBody }).body;
  const opened = await runtime.vault.openValues(ending);
  const found = runtime.registry.resolve(body.version === undefined ? body.tool : `${body.tool}@${body.version}`, () => true);
  return outcomeFrom({
    callId,
    body,
    opened:
      opened === undefined
        ? undefined
        : (Object.fromEntries(Object.entries(opened).map(([name, { value }]) => [name, value])) as Record<string, Json>),
    tool: found.kind === "found" ? found.registered.tool : undefined,
    resultCharsMax: runtime.limits.resultCharsMax,
  });
}
