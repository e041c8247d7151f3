import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json } from "../domain/json.ts";

/** A result cut to size. `text` is valid JSON (or plain text for a string) that says in place how much is missing. */
export interface Cut {
  readonly text: string;
  /** Characters of the whole that `text` does not hold. */
  readonly cutChars: number;
}

/**
 * Cuts a JSON value to about `charsMax` characters of JSON while keeping its structure valid: long strings keep head and tail, long arrays keep
 * first and last items with the count of what is missing, objects keep all their keys as long as they fit. `text` is the value's canonical form.
 */
export function cutJson(value: Json, text: string, charsMax: number): Cut {
  if (text.length <= charsMax) return { text, cutChars: 0 };
  // Each round halves what long parts may keep; the last resort keeps nothing but a count.
  for (let keep = Math.floor(charsMax / 2); keep >= 8; keep = Math.floor(keep / 2)) {
    const cut = JSON.stringify(shorten(value, keep, 0));
    if (cut.length <= charsMax) return { text: cut, cutChars: text.length - cut.length };
  }
  const nothing = JSON.stringify({ cut: `${text.length} characters; read them through the handle` });
  return { text: nothing, cutChars: text.length };
}

function shorten(value: Json, keepChars: number, depth: number): Json {
  if (typeof value === "string") return shortenText(value, keepChars);
  if (value === null || typeof value !== "object") return value;
  if (depth >= fixedBounds.cutDepthMax) return "…";
  if (Array.isArray(value)) return shortenList(value as readonly Json[], keepChars, depth);
  const members: [string, Json][] = [];
  const entries = Object.entries(value as { readonly [key: string]: Json });
  const keysMax = Math.max(2, Math.floor(keepChars / 4));
  for (const [key, member] of entries.slice(0, keysMax)) members.push([key, shorten(member, keepChars, depth + 1)]);
  if (entries.length > keysMax) members.push(["…", `${entries.length - keysMax} more keys cut`]);
  return Object.fromEntries(members);
}

function shortenList(items: readonly Json[], keepChars: number, depth: number): Json {
  const keepItems = Math.max(2, Math.floor(keepChars / 16));
  if (items.length <= keepItems) return items.map((item) => shorten(item, keepChars, depth + 1));
  const head = Math.ceil(keepItems / 2);
  const tail = keepItems - head;
  return [
    ...items.slice(0, head).map((item) => shorten(item, keepChars, depth + 1)),
    `… ${items.length - head - tail} of ${items.length} items cut …`,
    ...items.slice(items.length - tail).map((item) => shorten(item, keepChars, depth + 1)),
  ];
}

/** A long text with its middle replaced by a count; never splits a surrogate pair. */
export function shortenText(text: string, keepChars: number): string {
  if (text.length <= keepChars + 40) return text;
  const half = Math.max(2, Math.floor(keepChars / 2));
  const head = wholeEnd(text.slice(0, half));
  const tail = wholeStart(text.slice(text.length - half));
  return `${head}… ${text.length - head.length - tail.length} characters cut …${tail}`;
}

function wholeEnd(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}

function wholeStart(text: string): string {
  const first = text.charCodeAt(0);
  return first >= 0xdc00 && first <= 0xdfff ? text.slice(1) : text;
}
