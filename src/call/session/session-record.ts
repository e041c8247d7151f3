import { parseOwnJson } from "../../base/own-json.ts";
import { declaredLabel, type Confidentiality, type Integrity, type Label } from "../../domain/label.ts";
import type { SessionCallCounts, SourceRead } from "../../domain/session-view.ts";
import type { Tool } from "../../domain/tool.ts";
import { isGuarded } from "../../flow/knowledge.ts";
import type { CallBody, SettledBody } from "../../ledger/entries.ts";
import type { Entry } from "../../store/store.ts";
import { labelOf } from "../shape.ts";

/** What the ledger's proven half tells of a session. Nothing private is opened. */
export interface SessionRecord {
  readonly calls: SessionCallCounts;
  readonly read: readonly SourceRead[];
  readonly turnsCount: number;
  /** Calls that were far from what the user had asked for. */
  readonly detoursCount: number;
  /** Ids of approvals that its calls wait for, oldest first. */
  readonly approvalIds: readonly string[];
  readonly lastAtMs: number | undefined;
}

/** Marks the decision about a call that was far from what the user had asked for. */
export const driftRule = "flow:drift";

const integrities: readonly Integrity[] = ["trusted", "directory", "untrusted"];
const confidentialities: readonly Confidentiality[] = ["public", "internal", "confidential", "restricted"];

interface Source {
  readonly tools: Set<string>;
  readonly integrity: Set<Integrity>;
  readonly confidentiality: Set<Confidentiality>;
  readonly categories: Set<string>;
  /** By their JSON. */
  readonly circles: Map<string, readonly string[]>;
  resultsCount: number;
  lastAtMs: number;
}

/** Reads entries of one session, oldest first. `toolOf`: the tool that a call was made with, where it is still registered. */
export function sessionRecord(entries: readonly Entry[], toolOf: (nameAndVersion: string) => Tool | undefined): SessionRecord {
  const sources = new Map<string, Source>();
  const stands = new Map<string, keyof SessionCallCounts>();
  const turns = new Set<string>();
  const approvalIds = new Set<string>();
  const detours = new Set<string>();
  // What Signalbox looks up for itself is shown to no model and counts for nothing here.
  const inside = new Set<string>();
  for (const { kind, callId, atMs, text } of entries) {
    if (callId === undefined) continue;
    const { body } = parseOwnJson(text) as unknown as { readonly body: CallBody & SettledBody };
    if (body.parentCallId !== undefined) inside.add(callId);
    if (inside.has(callId)) continue;
    if (body.decision?.reasons.some(({ rule }) => rule === driftRule) === true) detours.add(callId);
    if (body.said === "supplied") turns.add(body.turnId ?? callId);
    const standing = standingOf(kind, body);
    if (standing !== undefined) stands.set(callId, standing);
    if (kind === "call-parked" && body.approvalId !== undefined) approvalIds.add(body.approvalId);
    if (kind === "call-settled" && body.outcome === "completed") noteRead(sources, { body, atMs }, toolOf);
  }
  const calls = { completed: 0, failed: 0, unknown: 0, denied: 0, waiting: 0, running: 0 };
  for (const standing of stands.values()) calls[standing] += 1;
  return {
    calls,
    read: sourcesRead(sources),
    turnsCount: turns.size,
    detoursCount: detours.size,
    approvalIds: [...approvalIds],
    lastAtMs: entries.at(-1)?.atMs,
  };
}

function standingOf(kind: string, body: SettledBody): keyof SessionCallCounts | undefined {
  if (kind === "call-intended") return "running";
  if (kind === "call-parked" || kind === "call-deferred") return "waiting";
  if (kind === "call-denied") return "denied";
  return kind === "call-settled" ? body.outcome : undefined;
}

function noteRead(
  sources: Map<string, Source>,
  { body, atMs }: { readonly body: SettledBody; readonly atMs: number },
  toolOf: (nameAndVersion: string) => Tool | undefined,
): void {
  const tool = toolOf(`${body.tool}@${body.version ?? ""}`);
  const name = body.label?.source ?? tool?.source ?? body.tool;
  const labels: readonly Label[] = tool === undefined ? (body.label === undefined ? [] : [body.label]) : labelsOf(tool);
  let source = sources.get(name);
  if (source === undefined) {
    source = {
      tools: new Set(),
      integrity: new Set(),
      confidentiality: new Set(),
      categories: new Set(),
      circles: new Map(),
      resultsCount: 0,
      lastAtMs: atMs,
    };
    sources.set(name, source);
  }
  source.tools.add(body.tool);
  source.resultsCount += 1;
  source.lastAtMs = Math.max(source.lastAtMs, atMs);
  for (const label of labels) {
    source.integrity.add(label.integrity);
    if (isGuarded(label)) source.circles.set(JSON.stringify(label.readers), label.readers);
    source.confidentiality.add(label.confidentiality);
    for (const category of label.categories) source.categories.add(category);
  }
}

/** The labels that places of a tool's output may have. */
function labelsOf(tool: Tool): readonly Label[] {
  const { source, outputLabels } = tool;
  const parts = Object.entries(outputLabels).filter(([pointer]) => pointer !== "");
  return [labelOf(tool), ...parts.map(([, label]) => declaredLabel(source, outputLabels[""], label))];
}

function sourcesRead(sources: ReadonlyMap<string, Source>): readonly SourceRead[] {
  return [...sources]
    .map(([source, { tools, integrity, confidentiality, categories, circles, resultsCount, lastAtMs }]) => ({
      source,
      tools: [...tools].sort(),
      resultsCount,
      integrity: integrities.filter((each) => integrity.has(each)),
      confidentiality: confidentialities.filter((each) => confidentiality.has(each)),
      categories: [...categories].sort(),
      isGuarded: circles.size > 0,
      readers: [...circles.values()],
      lastAtMs,
    }))
    .sort((left, right) => (left.source < right.source ? -1 : 1));
}
