import { approvalCard } from "../approvals/judge-card.ts";
import type { Seen } from "../approvals/origins.ts";
import type { Approval } from "../domain/approval.ts";
import type { ApprovalCard } from "../domain/approval-card.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { readEntry } from "../ledger/trail.ts";
import type { OpenedValues } from "../ledger/vault.ts";
import type { Runtime } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";

/**
 * The card of an approval, made when somebody looks: what the conversation held is read from the ledger, so that it also outlives the process, and what
 * was erased is not quoted.
 *
 * @param opened private values of the parked call; undefined once it has settled.
 */
export async function readCard(
  { runtime, sessions }: { readonly runtime: Runtime; readonly sessions: Sessions },
  approval: Approval,
  opened: OpenedValues | undefined,
): Promise<ApprovalCard> {
  const session = await sessions.find(approval.sessionId, approval.tenant);
  const found = runtime.registry.resolve(`${approval.tool}@${approval.version}`, () => true);
  const said = opened?.["said"]?.value as string | undefined;
  const before = opened === undefined ? { said: [], results: [] } : await seenBefore(runtime, approval);
  return approvalCard({
    approval,
    tool: found.kind === "found" ? found.registered.tool : undefined,
    args: opened?.["arguments"]?.value as JsonObject | undefined,
    said,
    isAttested: session?.wordsAttested ?? false,
    conversationId: session?.conversationId,
    seen: said === undefined ? before : { ...before, said: [said, ...before.said] },
    limits: runtime.limits,
  });
}

async function seenBefore(runtime: Runtime, approval: Approval): Promise<Seen> {
  const { tenant, sessionId, callId, createdAtMs } = approval;
  const entries = await runtime.store.entries({ tenant, sessionId, newestFirst: true, limit: runtime.limits.cardEntriesMax });
  const said = new Set<string>();
  const results: { readonly tool: string; readonly callId: string; readonly atMs: number; readonly value: Json }[] = [];
  for (const entry of entries) {
    if (entry.callId === undefined || entry.callId === callId || entry.atMs > createdAtMs) continue;
    const { body, private: values } = await readEntry(entry, runtime.vault);
    const words = values?.["said"];
    if (typeof words === "string") said.add(words);
    const value = values?.["result"];
    if (value !== undefined)
      results.push({ tool: (body as { readonly tool: string }).tool, callId: entry.callId, atMs: entry.atMs, value });
  }
  return { said: [...said], results };
}
