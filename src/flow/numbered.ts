/**
 * Short ids that the user gave. A number of one or two characters stands in many texts and means many things, so it counts as given only behind what it
 * numbers: "close ticket 42", "Rechnung Nr. 7", "#12", "tickets 4, 5 and 9". An hour, a share or a price is no id.
 */
import type { Tool } from "../domain/tool.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { fold } from "./fold.ts";
import { splitName } from "./roles.ts";
import type { UserWords } from "./user-words.ts";

const designators = ["no", "nr", "number", "num", "nummer", "id", "numéro", "número", "numer", "n°", "nº", "№"];
const between = "(?:\\s*(?:,|&|\\+|and|or|und|oder|et|ou|y|o|i|lub)\\s*)";

/** Whether the user gave this short id to what the tool or the argument is about. */
export function saysNumbered(id: string, of: { readonly tool: Pick<Tool, "name">; readonly field: string }, words: UserWords): boolean {
  const wanted = fold(id.trim());
  if (wanted.length >= fixedBounds.tracedCharsMin || !/^(?:[a-z]?\d{1,2}|\d[a-z])$/.test(wanted)) return false;
  const nouns = splitName(`${of.tool.name} ${of.field}`)
    .split(" ")
    .filter((word) => word.length >= fixedBounds.toolNounCharsMin);
  const numbered = `(?<![\\p{L}\\p{N}])(?:(?:${[...nouns, ...designators].join("|")})s?\\.?:?\\s+#?|#)`;
  const listed = `(?:#?[a-z]?\\d{1,9}[a-z]?${between}#?){0,20}?`;
  const expression = new RegExp(
    `${numbered}${listed}${wanted}(?![\\p{L}\\p{N}]|[.,:/-]\\d|\\s*(?:am|pm|a\\.m|p\\.m|uhr|h|%|\\p{Sc})(?![\\p{L}\\p{N}]))`,
    "u",
  );
  return words.spans.some((span) => expression.test(span));
}
