import { parseOwnJson } from "../base/own-json.ts";
import type { Json } from "../domain/json.ts";
import type { Outcome } from "../domain/outcome.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { CallBody, SettledBody } from "../ledger/entries.ts";
import { outcomeFrom } from "./outcome-record.ts";
import type { Runtime } from "./runtime.ts";

const entriesMax = 50;

/** The outcome of an earlier call as the ledger tells it: the last entry that ended it. */
export async function recordedOutcome(runtime: Runtime, tenant: string, callId: string): Promise<Outcome> {
  const entries = await runtime.store.entries({ tenant, callId, newestFirst: true, limit: entriesMax });
  const ending = entries.find((entry) => entry.kind === "call-settled" || entry.kind === "call-denied");
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
