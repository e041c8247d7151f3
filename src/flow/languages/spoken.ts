import { english } from "./english.ts";
import { french } from "./french.ts";
import { german } from "./german.ts";
import type { LanguagePack } from "./pack.ts";
import { polish } from "./polish.ts";
import { spanish } from "./spanish.ts";

const packs: readonly LanguagePack[] = [english, german, french, spanish, polish];
const smallWordsMin = 0.12;
const nearlyBest = 0.7;

/** The languages that the words may be in: neighbours share small words, so only what comes close to the best of each turn counts. */
export function spokenIn(spans: readonly string[]): readonly LanguagePack[] {
  const spoken = new Set<LanguagePack>();
  for (const span of spans) {
    const shares = packs.map((pack) => shareOf(pack, span));
    const best = Math.max(...shares);
    for (const [index, pack] of packs.entries()) {
      const share = shares[index] as number;
      if (share >= smallWordsMin && share >= best * nearlyBest) spoken.add(pack);
    }
  }
  return [...spoken];
}

/** How much of a text are small words of the language. */
function shareOf(pack: LanguagePack, span: string): number {
  const all = span.match(/[\p{L}'’]+/gu) ?? [];
  const small = smallWordSets.get(pack) as ReadonlySet<string>;
  return all.length === 0 ? 0 : all.reduce((sum, word) => sum + (small.has(word) ? 1 : 0), 0) / all.length;
}

const smallWordSets = new Map(packs.map((pack) => [pack, new Set(pack.smallWords)]));
const expressions = new WeakMap<readonly string[], RegExp>();

/** The expression that finds any of a pack's phrases in folded words; see `LanguagePack`. */
export function phraseExpression(phrases: readonly string[]): RegExp {
  let made = expressions.get(phrases);
  if (made === undefined) {
    made = new RegExp(`(?<![\\p{L}\\p{N}])${phraseSource(phrases)}(?![\\p{L}\\p{N}])`, "gu");
    expressions.set(phrases, made);
  }
  return made;
}

/** The same as part of an expression. */
export function phraseSource(phrases: readonly string[]): string {
  const written = phrases.map((phrase) =>
    phrase
      .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", "\\p{L}*")
      .replaceAll(" … ", "(?: [^.!?\\n]{0,60}?)? ")
      .replaceAll(" ", "\\s+"),
  );
  return `(?:${written.join("|")})`;
}
