import { approvalCard } from "../../approvals/judge-card.ts";
import type { Seen } from "../../approvals/origins.ts";
import type { Approval } from "../../domain/approval.ts";
import type { ApprovalCard } from "../../domain/approval-card.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Tool } from "../../domain/tool.ts";
import { readEntry } from "../../ledger/trail.ts";
import { recipientsOf } from "../../flow/recipients.ts";
import { addressesIn } from "../../flow/trace.ts";
import type { OpenedValues } from "../../ledger/vault.ts";
import { refusedAsks } from "../ask-rates.ts";
import type { Runtime } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";

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
  const said = redacted(runtime, opened?.["said"]?.value);
  const before = opened === undefined ? { said: [], results: [] } : await seenBefore(runtime, approval);
  const tool = found.kind === "found" ? found.registered.tool : undefined;
  const args = opened?.["arguments"]?.value as JsonObject | undefined;
  return approvalCard({
    approval,
    tool,
    args,
    mayNotRead: readersBarred(approval, tool, { args, recipientsMax: runtime.limits.flowRecipientsMax }),
    requested: opened?.["requested"]?.value as JsonObject | undefined,
    said,
    isAttested: session?.wordsAttested ?? false,
    conversationId: session?.conversationId,
    addressesIn,
    refusedAsksCount: await refusedAsks(runtime, approval.principal),
    seen: said === undefined ? before : { ...before, said: [said, ...before.said] },
    limits: runtime.limits,
  });
}

/** The recipients by their names in the arguments, as long as there are any. */
function readersBarred(
  { barred }: Approval,
  tool: Tool | undefined,
  { args, recipientsMax }: { readonly args: JsonObject | undefined; readonly recipientsMax: number },
): ApprovalCard["mayNotRead"] {
  const named = tool === undefined || args === undefined ? undefined : recipientsOf(tool, args, recipientsMax);
  const recipients = named?.kind === "named" ? named.recipients : [];
  return barred?.map(({ pointer, part, isKnown }) => ({
    who: recipients.find((each) => each.pointer === pointer && each.part === part)?.text ?? pointer,
    isKnown,
  }));
}

/** What a conversation held before a question was asked, as far as it was not erased: redacted, and at most `cardEntriesMax` entries. */
export async function seenBefore(
  runtime: Runtime,
  { tenant, sessionId, callId, createdAtMs }: Pick<Approval, "tenant" | "sessionId" | "callId" | "createdAtMs">,
): Promise<Seen> {
  const entries = await runtime.store.entries({ tenant, sessionId, newestFirst: true, limit: runtime.limits.cardEntriesMax });
  const said = new Set<string>();
  const results: { readonly tool: string; readonly callId: string; readonly atMs: number; readonly value: Json }[] = [];
  for (const entry of entries) {
    if (entry.callId === undefined || entry.callId === callId || entry.atMs > createdAtMs) continue;
    const { body, private: values } = await readEntry(entry, runtime.vault);
    const words = redacted(runtime, values?.["said"]);
    if (words !== undefined) said.add(words);
    const value = values?.["result"];
    if (value !== undefined)
      results.push({ tool: (body as { readonly tool: string }).tool, callId: entry.callId, atMs: entry.atMs, value });
  }
  return { said: [...said], results };
}

/** A user's words without the secrets in them: whoever judges a call need not learn those. Results were redacted before they were recorded. */
function redacted(runtime: Runtime, words: unknown): string | undefined {
  return typeof words === "string" ? (runtime.redact(words, JSON.stringify(words)) as string) : undefined;
}
