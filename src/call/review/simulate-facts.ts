import { canonicalJson } from "../../base/canonical-json.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { CallBody, SettledBody } from "../../ledger/entries.ts";
import type { TrailItem } from "../../ledger/trail.ts";
import type { FactRequest } from "../../policy/facts.ts";

/** What a look-up brought: its value, that the record was not there, or why nobody can say any more. */
export type FactAnswer =
  | { readonly kind: "value"; readonly value: Json }
  | { readonly kind: "absent" }
  | { readonly kind: "missing"; readonly why: "fact-not-recorded" | "erased" };

/** Look-ups as the ledger tells them, for the calls that they were made for. */
export interface RecordedFacts {
  /** Takes note of an entry of a look-up. False: it is none. */
  note(item: TrailItem): boolean;
  /** What the call's own look-up brought, or the earlier one that answered for it. */
  answerTo(callId: string, request: FactRequest, fromCallId?: string): FactAnswer;
  /** The call was judged; what was looked up for it is needed no more. */
  forget(callId: string): void;
}

interface LookUp {
  readonly parentCallId: string;
  readonly tool: string;
  readonly arguments: string | undefined;
  answer: FactAnswer;
}

/** Keeps at most `max` look-ups in mind, the latest. */
export function recordedFacts(max: number): RecordedFacts {
  const byId = new Map<string, LookUp>();
  const byParent = new Map<string, LookUp[]>();
  /** Those that may answer later calls as well. */
  const settled = new Map<string, LookUp>();
  return {
    note(item) {
      const callId = item.entry.callId ?? "";
      if (item.entry.kind === "call-settled")
        return settle(byId, callId, item, (lookUp) => {
          dropOldest(settled, max);
          settled.set(callId, lookUp);
        });
      const { purpose, parentCallId, tool } = item.body as unknown as CallBody;
      if (purpose === "call" || parentCallId === undefined) return false;
      const given = item.private?.["arguments"];
      const answer: FactAnswer = { kind: "missing", why: item.private === undefined ? "erased" : "fact-not-recorded" };
      const lookUp: LookUp = { parentCallId, tool, arguments: given === undefined ? undefined : canonicalJson(given), answer };
      dropOldest(byParent, max);
      dropOldest(byId, max);
      byId.set(callId, lookUp);
      byParent.set(parentCallId, [...(byParent.get(parentCallId) ?? []), lookUp]);
      return true;
    },
    answerTo(callId, request, fromCallId) {
      const wanted = canonicalJson(request.arguments);
      const tool = request.tool.split("@")[0] as string;
      const earlier = fromCallId === undefined ? undefined : settled.get(fromCallId);
      const made = [...(earlier === undefined ? [] : [earlier]), ...(byParent.get(callId) ?? [])].filter((lookUp) => lookUp.tool === tool);
      const same = made.findLast((lookUp) => lookUp.arguments === wanted) ?? made.find((lookUp) => lookUp.arguments === undefined);
      return same?.answer ?? { kind: "missing", why: "fact-not-recorded" };
    },
    forget(callId) {
      byParent.delete(callId);
    },
  };
}

function settle(byId: Map<string, LookUp>, callId: string, item: TrailItem, keep: (lookUp: LookUp) => void): boolean {
  const lookUp = byId.get(callId);
  if (lookUp === undefined) return false;
  byId.delete(callId);
  lookUp.answer = answerIn(item);
  keep(lookUp);
  return true;
}

/** A read that refuses says that the record is not there, as it does while a call is decided. */
function answerIn(item: TrailItem): FactAnswer {
  const { outcome, code } = item.body as unknown as SettledBody;
  if (outcome !== "completed") return code === "TOOL_REFUSED" ? { kind: "absent" } : { kind: "missing", why: "fact-not-recorded" };
  const value = (item.private as JsonObject | undefined)?.["result"];
  if (value === undefined) return { kind: "missing", why: "erased" };
  return value === null ? { kind: "absent" } : { kind: "value", value };
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size >= max) map.delete(map.keys().next().value as string);
}
