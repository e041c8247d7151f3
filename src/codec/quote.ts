import { fixedBounds } from "../base/fixed-bounds.ts";

/**
 * Quotes a piece of a model's or provider's text inside an error message: one line, bounded, nothing that a terminal or a log would act on.
 * Control characters, separators and bidirectional marks are written as escapes, backticks become apostrophes.
 *
 * @param charsMax default `quotedCharsMax`; longer text keeps its head and says how long it was.
 */
export function quoteInput(text: string, charsMax = fixedBounds.quotedCharsMax): string {
  const head = text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
  const safe = head.toWellFormed().replace(unsafe, escapeUnit).replaceAll("`", "'");
  return text.length > charsMax ? `\`${safe}\` (${text.length} characters)` : `\`${safe}\``;
}

// Controls, format characters (zero-width, bidirectional) and line separators, which could forge a second line or hide text.
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

function escapeUnit(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

/** Names the kind of a value for an error message: `null`, `an array`, `a string`, … */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
