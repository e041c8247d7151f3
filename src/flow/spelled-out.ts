/**
 * What the user wants the thing to be called that a tool makes: "add an event called 'Team lunch'". Where they spelled it out, another name that stands
 * in untrusted text is somebody else's. A noun just before has to be one of the tool's own, so that "the mail titled …" says nothing of an event.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Tool } from "../domain/tool.ts";
import { foldValue } from "./fold.ts";
import { phraseSource, spokenIn } from "./languages/spoken.ts";
import { splitName } from "./roles.ts";
import type { UserWords } from "./user-words.ts";

const titleField = /^(?:title|name|subject|summary|label|headline|caption)$|(?: name| title)$/;
const quoted = /(?:'([^'\n]{1,400})'(?![\p{L}\p{N}])|"([^"\n]{1,400})"|[“„«‘]([^”“»’\n]{1,400})[”“»’])/u;
const placeholder = /\{[^{}]*\}|\[[^[\]]*\]|<[^<>]*>/u;

/** Whether an argument of this name says what a thing is called. */
export function isTitle(field: string): boolean {
  return titleField.test(splitName(field));
}

/** Whether the user spelled out what the tool's thing is to be called, and this is something else. Places that they left open fit anything. */
export function isRenamed(title: string, tool: Pick<Tool, "name">, words: UserWords): boolean {
  const wanted = wantedTitles(tool, words);
  return wanted.length > 0 && !wanted.some((pattern) => pattern.test(foldValue(title)));
}

function wantedTitles(tool: Pick<Tool, "name">, words: UserWords): readonly RegExp[] {
  const nouns = splitName(tool.name)
    .split(" ")
    .filter((word) => word.length >= fixedBounds.toolNounCharsMin);
  const naming = spokenIn(words.spans).flatMap((pack) => pack.names);
  if (nouns.length === 0 || naming.length === 0) return [];
  const expression = new RegExp(
    `(?<![\\p{L}\\p{N}])(?:${nouns.join("|")})\\p{L}{0,3}(?:\\s+[\\p{L}\\p{N}:.'’-]{1,20}){0,2}?,?\\s+${phraseSource(naming)}:?\\s+${quoted.source}`,
    "gu",
  );
  return words.spans.flatMap((span) => [...span.matchAll(expression)].map((match) => patternOf(match[1] ?? match[2] ?? match[3] ?? "")));
}

function patternOf(wanted: string): RegExp {
  const parts = wanted.split(placeholder).map((part) => foldValue(part).replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "u");
}
