import { fixedBounds } from "../base/fixed-bounds.ts";
import type { ApprovalOrigin } from "../domain/approval.ts";
import type { CardOrigin, CardTrust } from "../domain/approval-card.ts";
import type { Json } from "../domain/json.ts";
import { headOf, tailOf, visible } from "./visible.ts";

/** What one conversation held before the call: words of the user and results of tools, newest first. */
export interface Seen {
  readonly said: readonly string[];
  readonly results: readonly { readonly tool: string; readonly callId: string; readonly atMs: number; readonly value: Json }[];
}

/** What is looked for besides the value. */
export interface OriginSearch {
  readonly quoteCharsMax: number;
  /** What the trace found when the question was asked. */
  readonly traced?: ApprovalOrigin | undefined;
}

/**
 * Where a value was seen before: in what the user said, else where the trace found it, else in the newest result that holds it, as a whole word and
 * without regard to case. The trace also knows other notations and other conversations; of the latter nothing is quoted.
 */
export function originOf(value: string | number | boolean, seen: Seen, { quoteCharsMax, traced }: OriginSearch): CardOrigin {
  const wanted = String(value).trim().toLowerCase();
  if (wanted === "") return { kind: "nowhere" };
  const looking = { isNumber: typeof value === "number", quoteCharsMax };
  for (const words of seen.said) {
    const at = find(words, wanted, looking.isNumber);
    if (at >= 0) return { kind: "user", quote: quoteAround(words, at, { length: wanted.length, quoteCharsMax }) };
  }
  const trust = traced === undefined ? undefined : trustIn(traced.source);
  if (traced !== undefined && isSure(traced)) return tracedOrigin(traced, { seen, wanted, looking });
  for (const { tool, callId, atMs, value: result } of seen.results) {
    const quote = quoteIn(result, wanted, looking);
    if (quote !== undefined) return { kind: "result", tool, callId, atMs, quote, trust };
  }
  return traced?.source === "untrusted" ? { kind: "forgotten" } : { kind: "nowhere" };
}

/** Whether the trace names a place. */
function isSure({ source, tool }: ApprovalOrigin): boolean {
  return source === "user" || source === "plan" || (source !== "nowhere" && tool !== undefined);
}

function tracedOrigin(
  { source, tool, atMs, callId }: ApprovalOrigin,
  { seen, wanted, looking }: { readonly seen: Seen; readonly wanted: string; readonly looking: Looking },
): CardOrigin {
  if (source === "plan") return { kind: "plan" };
  if (source === "user" || tool === undefined || atMs === undefined) return { kind: "user", quote: undefined };
  const trust = trustIn(source) ?? "untrusted";
  const place = { tool: visible(tool), atMs, trust };
  if (callId === undefined) return { kind: "elsewhere", ...place };
  const result = seen.results.find((each) => each.callId === callId);
  return { kind: "result", ...place, callId, quote: result === undefined ? undefined : quoteIn(result.value, wanted, looking) };
}

function trustIn(source: ApprovalOrigin["source"]): CardTrust | undefined {
  if (source === "user" || source === "plan" || source === "nowhere") return undefined;
  return source === "named-record" ? "untrusted" : source;
}

interface Looking {
  readonly isNumber: boolean;
  readonly quoteCharsMax: number;
}

function quoteIn(value: Json, wanted: string, looking: Looking): string | undefined {
  if (typeof value === "string" || typeof value === "number") {
    const text = String(value);
    const at = find(text, wanted, looking.isNumber);
    return at < 0 ? undefined : quoteAround(text, at, { length: wanted.length, quoteCharsMax: looking.quoteCharsMax });
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const inner of Object.values(value)) {
    const quote = quoteIn(inner as Json, wanted, looking);
    if (quote !== undefined) return quote;
  }
  return undefined;
}

/** A value that stands for itself: `A-1` is not found in `A-12`, nor `80` in `180` or `80.5`. */
function find(text: string, wanted: string, isNumber: boolean): number {
  const lower = text.toLowerCase();
  // Where folding changes the length, places no longer agree; what is exact is found all the same.
  const searched = lower.length === text.length ? lower : text;
  if (wanted.length < fixedBounds.tracedCharsMin && !isNumber) return searched === wanted ? 0 : -1;
  for (let at = searched.indexOf(wanted); at >= 0; at = searched.indexOf(wanted, at + 1)) {
    if (!isJoined(searched, at - 1, wanted[0], isNumber) && !isJoined(searched, at + wanted.length, wanted.at(-1), isNumber)) return at;
  }
  return -1;
}

function isJoined(text: string, at: number, edge: string | undefined, isNumber: boolean): boolean {
  const neighbour = text[at];
  if (neighbour === undefined || edge === undefined) return false;
  if (/[\p{L}\p{N}_]/u.test(neighbour)) return /[\p{L}\p{N}_]/u.test(edge);
  // A digit beyond a point belongs to the same number.
  return isNumber && /[.,]/.test(neighbour) && /\d/.test(text[at - 1] ?? "") && /\d/.test(text[at + 1] ?? "");
}

/** At most `quoteCharsMax` characters around a place, with what is left out marked. */
function quoteAround(
  text: string,
  at: number,
  { length, quoteCharsMax }: { readonly length: number; readonly quoteCharsMax: number },
): string {
  const found = headOf(visible(text.slice(at, at + length)), quoteCharsMax - 2);
  const room = Math.max(0, quoteCharsMax - 2 - found.length);
  const beforeText = visible(text.slice(Math.max(0, at - room), at));
  const afterText = visible(text.slice(at + length, at + length + room));
  const before = tailOf(beforeText, Math.max(Math.floor(room / 2), room - afterText.length));
  const after = headOf(afterText, room - before.length);
  const isWholeBefore = at === before.length && before === beforeText;
  const isWholeAfter = after === afterText && at + length + after.length === text.length;
  return `${isWholeBefore ? "" : "…"}${before}${found}${after}${isWholeAfter ? "" : "…"}`;
}
