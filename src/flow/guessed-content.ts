/**
 * Does a call hand something over that looks personal or secret, and that the user neither gave nor asked to be handed over? What one writes to or pays to
 * is no content: that a value there comes from the right place is asked by another rule.
 */
import { tenantReader } from "../domain/label.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import { kindCategories, kindWords, namesKind, plainLetters, type PersonalKind } from "../redaction/personal-names.ts";
import { decodedOnce } from "./decode-once.ts";
import type { Carried } from "./guessed.ts";
import type { SessionKnowledge } from "./knowledge.ts";
import { phraseExpression, spokenIn } from "./languages/spoken.ts";
import { actionKinds, type LanguagePack } from "./languages/pack.ts";
import { splitName, type ArgumentLeaf } from "./roles.ts";
import type { Traced } from "./rules.ts";
import { actionablesIn, urlParts } from "./tokens.ts";
import type { UserWords } from "./user-words.ts";

/** What is looked at. */
export interface GuessedCall {
  readonly tool: Pick<Tool, "tier" | "isEgress">;
  readonly leaves: readonly ArgumentLeaf[];
  readonly steering: readonly Traced[];
}

/** An argument with what looks personal or secret in it. */
export interface GuessedContent {
  readonly leaf: ArgumentLeaf;
  readonly role: ArgumentRole;
  /** Who may have such data where nobody says so, as for a label of its category; undefined where nobody can tell who reads it. */
  readonly readers: readonly string[] | undefined;
  /** For people: what it looks like, and no value. A guess leads to a question, never to a refusal. */
  readonly why: string;
}

/** Every argument of a call that leaves, or that writes where others read, with what looks personal in it. */
export function guessedIn(call: GuessedCall, knowledge: SessionKnowledge): readonly GuessedContent[] {
  const { restrictions } = knowledge;
  if (!restrictions.hasGuessed || !reachesOthers(call)) return [];
  const spoken = new Set<string>();
  let isHeard = false;
  /** What the user wrote is looked through when the first such value is found. */
  const isSaid = ({ form }: Carried): boolean => {
    if (!isHeard)
      for (const span of knowledge.words.spans) for (const said of restrictions.guessedIn(span, allNames)) spoken.add(said.form);
    isHeard = true;
    return spoken.has(form) || restrictions.wasGivenFirst(form);
  };
  return call.leaves.flatMap((leaf) => {
    const carried = contentOf(leaf, call.tool.isEgress).flatMap((text) => restrictions.guessedIn(text, splitName(leaf.field)));
    const open = carried.filter((each) => !isSaid(each) && !isAskedFor(each.kind, knowledge.words));
    // What fewest people may have is what counts.
    const first = open.find(({ kind }) => isForNobody(kind)) ?? open[0];
    return first === undefined ? [] : [foundIn(leaf, first.kind)];
  });
}

/** What leaves goes to others; so does what is written together with somebody's address. */
function reachesOthers({ tool, steering }: GuessedCall): boolean {
  return tool.isEgress || (tool.tier !== "read" && steering.some(({ role, text }) => role === "target" && actionablesIn(text).length > 0));
}

/** The texts in which an argument can carry something: content in its notations, and the parts of an address whose owner reads it. */
function contentOf({ role, value }: ArgumentLeaf, isEgress: boolean): readonly string[] {
  const text = String(value);
  if (role === undefined || role === "content") return [text, ...decodedOnce(text)];
  if (role !== "target" || !isEgress || urlParts(text) === undefined) return [];
  return text.split(/[/?&=#]/).flatMap((part) => [part, ...decodedOnce(part)]);
}

function isForNobody(kind: PersonalKind | undefined): boolean {
  return kind === undefined || kindCategories[kind] === "credential";
}

function foundIn(leaf: ArgumentLeaf, kind: PersonalKind | undefined): GuessedContent {
  const role = leaf.role ?? "content";
  const what = kind === undefined ? "personal data" : kindWords[kind];
  return {
    leaf,
    role,
    // Whoever runs a page reads what its address says, and is no person whom a directory knows.
    readers: role === "target" ? undefined : isForNobody(kind) ? [] : [tenantReader],
    why: `it holds what looks like ${what} that was read, and the user did not ask to send that`,
  };
}

/** Every kind by its name, so that short values count where the user writes them without one. */
const allNames = "password pin passport salary";

const generic =
  /\bpersonal (?:data|details|information|info)\b|\bpersonliche\w* (?:daten|angaben)\b|\bdonnees personnelles\b|\bdatos personales\b|\bdan(?:e|ych) osobow(?:e|ych)\b/;
const handsOver =
  /(?<!\p{L})(?:includ\p{L}*|attach\p{L}*|provid\p{L}*|enter|fill|use|give|angeb\p{L}*|gib|beif[uü]g\p{L}*|nenn\p{L}*|verwend\p{L}*|inclu\p{L}*|joign\p{L}*|joins|donne\p{L}*|indiqu\p{L}*|utilis\p{L}*|adjunt\p{L}*|indica\p{L}*|usa|do[lł][aą]cz\p{L}*|podaj\p{L}*|wpisz\p{L}*|u[zż]yj\p{L}*)(?!\p{L})/u;

const known = new WeakMap<UserWords, { readonly version: number; readonly sentences: readonly string[] }>();

/** One sentence of the user asks to do something with that kind of thing. */
function isAskedFor(kind: PersonalKind | undefined, words: UserWords): boolean {
  if (kind === undefined) return false;
  return askingSentences(words).some(
    (sentence) => namesKind(sentence, kind) || (kindCategories[kind] === "personal" && generic.test(plainLetters(sentence))),
  );
}

/** Sentences that ask for an action, and forbid none. */
function askingSentences(words: UserWords): readonly string[] {
  const before = known.get(words);
  if (before?.version === words.version) return before.sentences;
  const packs = spokenIn(words.spans);
  const sentences = words.spans
    .flatMap((span) => span.split(/[.!?\n]+\s+/u))
    .filter(
      (sentence) =>
        (handsOver.test(sentence) || packs.some((pack) => asks(pack, sentence))) && !packs.some((pack) => forbids(pack, sentence)),
    );
  known.set(words, { version: words.version, sentences });
  return sentences;
}

function asks(pack: LanguagePack, sentence: string): boolean {
  return actionKinds.some((kind) => kind !== "fetch" && sentence.search(phraseExpression(pack.asks[kind])) >= 0);
}

function forbids(pack: LanguagePack, sentence: string): boolean {
  const words = new Set(sentence.match(/[\p{L}'’]+/gu));
  return pack.negations.some((word) => words.has(word));
}
