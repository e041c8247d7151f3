/**
 * Does the user say where to take something from, or whom to obey? "Her e-mail is on her website", "based on the letters about it": then a detail of that
 * kind may come from what was read. "Do what the letter says": then nobody can tell from the user's words alone what they asked for.
 */
import { phraseExpression, spokenIn } from "./languages/spoken.ts";
import type { Actionable } from "./tokens.ts";
import type { UserWords } from "./user-words.ts";

/** What the user's words point at. */
export interface Pointing {
  /** Kinds of addresses of which they say in one sentence that they are to be found somewhere. */
  readonly kinds: ReadonlySet<Actionable["kind"]>;
  /** They say of anything at all that it is to be taken from what is read. */
  readonly isAny: boolean;
  /** They ask for what some other text says. */
  readonly isDelegated: boolean;
}

// The nouns of five languages; most are the same in all.
const nouns: Readonly<Record<Actionable["kind"], RegExp>> = {
  email:
    /(?<!\p{L})(?:e-?mail(?:s|-?adress\p{L}*|-?address\p{L}*)?|mail address|mailadress\p{L}*|courriels?|correos?|mejl\p{L}*|contact (?:address|details)|kontaktdaten|coordonnées|datos de contacto)(?!\p{L})/u,
  url: /(?<!\p{L})(?:links?|urls?|liens?|enlaces?|lin[ck]i|adres(?:y)? stron\p{L}*)(?!\p{L})/u,
  iban: /(?<!\p{L})(?:iban|account(?: number)?s?|kontonummer\p{L}*|bankverbindung\p{L}*|numéro de compte|número de cuenta|numer konta)(?!\p{L})/u,
  phone:
    /(?<!\p{L})(?:phone(?: number)?s?|telephone(?: number)?s?|telefon\p{L}*|handynummer\p{L}*|téléphone|teléfono|numer telefonu)(?!\p{L})/u,
};

const known = new WeakMap<UserWords, { readonly version: number; readonly pointing: Pointing }>();

/** What the words of a conversation point at. */
export function pointingOf(words: UserWords): Pointing {
  const before = known.get(words);
  if (before?.version === words.version) return before.pointing;
  const pointing = findPointing(words.spans);
  known.set(words, { version: words.version, pointing });
  return pointing;
}

function findPointing(spans: readonly string[]): Pointing {
  const packs = spokenIn(spans);
  const kinds = new Set<Actionable["kind"]>();
  let isAny = false;
  for (const sentence of spans.flatMap((span) => span.split(/[.!?\n]+\s+/u))) {
    const isPointing = packs.some((pack) => has(sentence, pack.points));
    isAny ||= isPointing;
    if (!isPointing && !packs.some((pack) => has(sentence, pack.places))) continue;
    for (const kind of Object.keys(nouns) as Actionable["kind"][]) if (nouns[kind].test(sentence)) kinds.add(kind);
  }
  return { kinds, isAny, isDelegated: packs.some((pack) => spans.some((span) => has(span, pack.delegates))) };
}

function has(text: string, phrases: readonly string[]): boolean {
  return text.search(phraseExpression(phrases)) >= 0;
}
