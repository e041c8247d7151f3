/**
 * What a session has read, read back from the ledger: by a process that took no part in it. The ledger holds it all and is written before anybody is
 * answered, so nothing else need be kept. What cannot be opened any more is taken for anything at all.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json } from "../domain/json.ts";
import type { FlowMode } from "../domain/flow.ts";
import type { Tool } from "../domain/tool.ts";
import type { SessionKnowledge } from "../flow/knowledge.ts";
import { labelReader } from "../flow/labels.ts";
import { argumentLeaves } from "../flow/roles.ts";
import { isConsequential } from "../flow/trace.ts";
import type { CallBody, SettledBody } from "../ledger/entries.ts";
import { inTime, readEntry, type TrailItem } from "../ledger/trail.ts";
import type { Vault } from "../ledger/vault.ts";
import type { Entry, EntryQuery, Store } from "../store/store.ts";

/** What reading back works with. */
export interface ReadBackParts {
  readonly mode: FlowMode;
  readonly store: Pick<Store, "entries">;
  readonly vault: Vault;
  /** The tool that a recorded call was made with, where it is still registered. */
  readonly toolOf: (nameAndVersion: string) => Tool | undefined;
}

/** Whose past it is. */
export interface Past {
  readonly sessionId: string;
  readonly wordsAttested: boolean;
}

/** Entries of one session, in time, opened unless `isKnown`. `isWhole`: whether that was all. */
export async function pastOf(
  parts: ReadBackParts,
  query: EntryQuery,
  isKnown: (entry: Entry) => boolean,
): Promise<{ readonly items: readonly TrailItem[]; readonly isWhole: boolean }> {
  const entries = await parts.store.entries(query);
  const items: TrailItem[] = [];
  for (const entry of inTime(entries)) if (entry.callId !== undefined && !isKnown(entry)) items.push(await readEntry(entry, parts.vault));
  return { items, isWhole: entries.length < query.limit };
}

type Values = Readonly<Record<string, Json>>;

/** Puts a past into what is known. Returns false where some of what was read cannot be opened any more, so that nobody knows what it was. */
export function takeIn(parts: ReadBackParts, knowledge: SessionKnowledge, past: Past, items: readonly TrailItem[]): boolean {
  const given = new Map<string, Values>();
  const inside = new Set<string>();
  let isOpen = true;
  for (const { entry, body, private: values } of items) {
    const callId = entry.callId as string;
    const asked = body as unknown as CallBody;
    // What the runtime looked up for itself was shown to no model.
    if (asked.parentCallId !== undefined) inside.add(callId);
    if (inside.has(callId)) continue;
    const said = values?.["said"];
    if (typeof said === "string" && (parts.mode !== "strict" || past.wordsAttested)) knowledge.words.add(said, past.wordsAttested);
    const args = values?.["arguments"];
    if (args !== undefined && typeof args === "object" && args !== null) given.set(callId, args as Values);
    if (entry.kind !== "call-settled") continue;
    const settled = body as unknown as SettledBody;
    if (values === undefined && settled.values !== undefined) isOpen = false;
    noteSettled(parts, knowledge, past, {
      item: { entry, body, private: values, values: "opened" },
      settled,
      args: given.get(callId) ?? {},
    });
  }
  return isOpen;
}

function noteSettled(
  parts: ReadBackParts,
  knowledge: SessionKnowledge,
  past: Past,
  { item, settled, args }: { readonly item: TrailItem; readonly settled: SettledBody; readonly args: Values },
): void {
  const { entry, private: values } = item;
  const tool = parts.toolOf(`${settled.tool}@${settled.version ?? ""}`);
  if (tool !== undefined && isConsequential(tool) && settled.effect !== "none")
    knowledge.queueCarried(argumentLeaves(tool, args).map(({ value }) => String(value)));
  const isValue = values?.["result"] !== undefined;
  const value = values?.["result"] ?? (values?.["words"] as { readonly detail?: Json } | null | undefined)?.detail;
  if (value === undefined || value === null) return;
  knowledge.note({
    origin: {
      callId: entry.callId as string,
      sessionId: past.sessionId,
      tool: settled.tool,
      atMs: entry.atMs,
      isOutside: tool?.isEgress ?? true,
      isNamed: namesSomething(args, knowledge),
    },
    value,
    given: shortValues(args),
    // What an upstream says of a failure is nobody's declared output.
    labels: labelReader(isValue && tool !== undefined ? tool : { source: tool?.source ?? settled.tool, outputLabels: {} }),
    chars: JSON.stringify(value).length,
    text: undefined,
  });
}

/** Values of a call's arguments that may excuse what its result repeats. */
export function shortValues(args: Values): readonly string[] {
  return Object.values(args).flatMap((value) =>
    (typeof value === "string" && value.length <= fixedBounds.knownValueCharsMax) || typeof value === "number" ? [String(value)] : [],
  );
}

/** Whether the user named one of the call's arguments: then what it brought is what the user pointed at. */
export function namesSomething(args: Values, knowledge: SessionKnowledge): boolean {
  if (knowledge.words.isEmpty) return false;
  return Object.values(args).some((value) => typeof value === "string" && knowledge.words.says(value));
}
