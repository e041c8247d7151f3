/**
 * Finds personal and secret data that nobody declared. A value counts
 *
 * - by its own form alone, where fewer than one in a thousand of random strings of that form pass (IBAN, grouped card numbers, some national numbers);
 * - by the name of its field, or by a name right before it in a text, where it looks like a value of that kind;
 * - by its check digits, where the name says only that somebody is identified.
 *
 * Digits without any of that are order numbers, times and amounts, and are left alone. One look at a text costs time linear in its length.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { isCardNumber, isCodiceFiscale, isCpf, isIban, isNir, isPersonNumber, isSocialSecurity } from "./check-digits.ts";
import { NeedleFilter } from "./needle-filter.ts";
import { NeedleSet } from "./needle-set.ts";
import { fieldKind, kindOfName, namesInText, plainLetters, type NamedField, type PersonalKind } from "./personal-names.ts";

/** One value that was found. */
export interface PersonalValue {
  readonly kind: PersonalKind;
  /** As it stands there. */
  readonly text: string;
  /** Index in the searched text. */
  readonly at: number;
}

/** Where a leaf of structured data stands. */
export interface LeafPlace {
  /** Its own name, or that of the list it stands in; empty where it has none. */
  readonly field: string;
  /** The name of what that lies in. */
  readonly above: string;
  /** Whether any of `wordsOfNames` is in it, where somebody has looked. */
  readonly mayName?: boolean | undefined;
}

/** What a leaf of structured data holds. */
export function personalIn(text: string, { field, above, mayName }: LeafPlace): readonly PersonalValue[] {
  const named = field === "" ? undefined : fieldKind(field, above);
  if (named !== undefined && text.length <= fixedBounds.personalLeafCharsMax) {
    const kind = kindOfValue(text, named, "field");
    if (kind !== undefined) return [{ kind, text, at: 0 }];
  }
  if (text.length < fixedBounds.personalTextCharsMin) return [];
  return text.length === 16 && isCodiceFiscale(text.toUpperCase()) ? [{ kind: "national-id", text, at: 0 }] : personalInText(text, mayName);
}

/** What a text holds: values that prove themselves, and those behind a name (`Passport no.: C01X00T47`). All of them: the text is bounded by whoever has it. */
export function personalInText(text: string, mayName?: boolean): readonly PersonalValue[] {
  const found: PersonalValue[] = [];
  const starts = new Set<number>();
  const add = (kind: PersonalKind, start: number, end: number): void => {
    if (starts.has(start)) return;
    starts.add(start);
    found.push({ kind, text: text.slice(start, end), at: start });
  };
  // Most texts hold no name: of plain ones nothing is written anew to find that out.
  const isAscii = Buffer.byteLength(text) === text.length;
  const plain = isAscii ? text : smallLetters(text);
  // Who looked for words did not see those whose letters have marks.
  const isNaming = isAscii && mayName !== undefined ? mayName : beginnings.mayHold(plain);
  if (isNaming) findNamed(isAscii ? text.toLowerCase() : plain, add);
  findProven(plain, add);
  return found;
}

/** Small letters without marks, every character at its place. */
function smallLetters(text: string): string {
  const small = text.toLowerCase();
  // A few letters of other scripts become two when they are made small.
  return plainLetters(small.length === text.length ? small : text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
}

type Add = (kind: PersonalKind, start: number, end: number) => void;

// A third of a text is looked at for what names begin with; only what may hold one is searched. Short names are given with what may follow them.
const beginnings = new NeedleFilter([
  ...new Set(
    namesInText.flatMap((name) =>
      name.length >= 4 ? [name.slice(0, 8)] : [" ", ":", "=", "#", ".", "\t", "\n", '"', "-", "_"].map((next) => name + next),
    ),
  ),
]);
const nameSet = new NeedleSet(namesInText);

function findNamed(plain: string, add: Add): void {
  for (let from = 0, hit = nameSet.find(plain, 0); hit !== undefined; hit = nameSet.find(plain, from)) {
    const end = hit.index + hit.length;
    from = hit.index + 1;
    if (hit.index > 0 && isWordCode(plain.charCodeAt(hit.index - 1))) continue;
    const kind = kindOfName(plain.slice(hit.index, end));
    if (kind === undefined) continue;
    const value = valueBehind(plain, end, kind);
    if (value === undefined) continue;
    add(kind, value.start, value.end);
    from = value.end;
  }
}

const joins =
  /^(?:s|nummer|nr)?(?:[ _-]?(?:numbers?|no|nr|num|numero|numer|nummer|code|id|details|value)\b\.?)?(?: ?\([^()\n]{0,30}\))?["'*_]{0,3}(?<sign>[ \t]*[:=#|\t][ \t]*|[ \t]+(?:is|was|are|lautet|ist|est|es|jest|wynosi|e)[ \t]+:?|[ \t]+)["'*_]{0,3}/;
const numberLike = /^[a-z0-9]*\d[a-z0-9]*(?:[ ./-]{1,2}[a-z0-9]*\d[a-z0-9]*){0,9}/;
// The first group may be letters, which behind a mere space would be any word.
const signedNumber = /^(?:[a-z]{1,3}[ -])?[a-z0-9]*\d[a-z0-9]*(?:[ ./-]{1,2}[a-z0-9]*[\d][a-z0-9]*|[ -][a-z]{4}(?= \d)){0,9}/;
const sentence = /^[^\n|"<>]{1,120}/;
const word = /^[^\s"',;<>|]{4,128}/;

function valueBehind(plain: string, end: number, kind: PersonalKind): { readonly start: number; readonly end: number } | undefined {
  const rest = plain.slice(end, end + fixedBounds.personalBehindCharsMax);
  const join = joins.exec(rest);
  if (join === null) return undefined;
  const start = end + join[0].length;
  const after = rest.slice(join[0].length);
  const isSigned = /[:=#|\t]/.test(join.groups?.["sign"] ?? "");
  const value = shapeOf(kind, isSigned)
    ?.exec(after)?.[0]
    .replace(/[\s.,;:!?)*_]+$/, "");
  if (value === undefined) return undefined;
  // Behind a mere space or verb a word may be anything: only what has a digit in it is a secret.
  if (kind === "credential" && !/\d/.test(value) && !(isSigned && isRestOfLine(after, value))) return undefined;
  const kept = kind === "birth-date" || kind === "pay" ? numberPart(value) : value;
  return kept !== undefined && kindOfValue(kept, { kind }, "text") !== undefined ? { start, end: start + kept.length } : undefined;
}

function shapeOf(kind: PersonalKind, isSigned: boolean): RegExp | undefined {
  if (kind === "health") return isSigned ? sentence : undefined;
  if (kind === "credential") return word;
  if (kind === "birth-date" || kind === "pay") return sentence;
  return isSigned ? signedNumber : numberLike;
}

/** A day or an amount at the beginning. */
function numberPart(value: string): string | undefined {
  return /^[^\d\n]{0,12}\d[\d.,' /-]*(?:\d|(?<=\d ?)[a-z]{3,9} \d{4})(?: ?[a-z]{3,9}\.?,? \d{4})?/.exec(value)?.[0];
}

function isRestOfLine(after: string, value: string): boolean {
  return /^[\s.,;"'*_]*(?:\n|$)/.test(after.slice(value.length, value.length + 4));
}

/** An ASCII letter. */
function isLetter(code: number): boolean {
  const small = code | 32;
  return small >= 97 && small <= 122;
}

const empty =
  /^(?:none|null|nil|n\/?a|unknown|unset|true|false|yes|no|required|optional|hidden|masked|redacted|expired|changed|unchanged|reset|invalid|incorrect|wrong|missing|empty|tbd|pending|negative|keine?|ninguna?|aucune?|brak|nessuna?|nada|forgotten|forgot\??|protected|set|not .{1,40})$/;

/** Whether a value looks like what its name says it is. */
export function kindOfValue(text: string, { kind }: NamedField, where: "field" | "text"): PersonalKind | undefined {
  const plain = text.trim().toLowerCase();
  const compact = plain.replace(/[^\p{L}\p{N}]/gu, "");
  if (compact === "" || empty.test(plain) || plain.startsWith("[redacted")) return undefined;
  if (kind === undefined) return isPersonNumber(compact) ? "national-id" : undefined;
  return fits[kind](plain, compact, where) ? kind : undefined;
}

const anyDay = /\b\d{4}-\d{1,2}-\d{1,2}(?!\d)|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b/;
const isNumber = (compact: string, charsMin: number, charsMax: number, digitsMin: number, plain: string): boolean =>
  compact.length >= charsMin &&
  compact.length <= charsMax &&
  countDigits(compact) >= digitsMin &&
  !anyDay.test(plain) &&
  /^[a-z0-9]+$/.test(compact);

const fits: Readonly<Record<PersonalKind, (plain: string, compact: string, where: "field" | "text") => boolean>> = {
  passport: (plain, compact) => isNumber(compact, 6, 15, 4, plain),
  "identity-card": (plain, compact) => isNumber(compact, 6, 20, 4, plain),
  "national-id": (plain, compact) => isNumber(compact, 8, 18, 5, plain),
  "tax-id": (plain, compact) => isNumber(compact, 8, 18, 5, plain),
  "birth-date": (plain) => /\d{4}|\d{1,2}[./-]\d{1,2}[./-]\d{2}/.test(plain) && countDigits(plain) >= 5 && plain.length <= 40,
  "bank-account": (plain, compact) => isNumber(compact, 6, 34, 6, plain),
  card: (plain, compact) => /^(?:\d{3,4}|\d{12,19})$/.test(compact),
  pay: (plain) => countDigits(plain) >= 3 && plain.length <= 60,
  health: (plain, compact, where) => compact.length >= 4 && /\p{L}{3}/u.test(plain) && (where === "field" || plain.length <= 120),
  credential: (plain, compact) =>
    compact.length >= 4 && plain.length <= fixedBounds.personalLeafCharsMax && !/^\*+|^(?:https?:|secret:)\/\//.test(plain),
};

function countDigits(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index += 1) if (isDigit(text.charCodeAt(index))) count += 1;
  return count;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/**
 * Values whose form alone proves them. In each of them some digit without a letter beside it stands at a place that six divides, wherever it begins: the
 * others are not looked at.
 */
function findProven(text: string, add: Add): void {
  const last = text.length;
  let foundTo = 0;
  const note: Add = (kind, start, end) => {
    foundTo = end;
    add(kind, start, end);
  };
  for (let at = 5, end = 0; at < last; at += 6) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57 || at < end || isLetter(text.charCodeAt(at + 1)) || isLetter(text.charCodeAt(at - 1))) continue;
    end = provenAround(text, at, Math.max(foundTo, at - fixedBounds.personalGroupsCharsMax), note);
  }
}

/** Looks at the groups of digits that a digit belongs to. Returns where to go on. */
function provenAround(text: string, at: number, from: number, add: Add): number {
  let start = at;
  let end = at + 1;
  while (start > from && end - start < fixedBounds.personalGroupsCharsMax && isJoined(text, start - 1, -1)) start -= 1;
  while (end < text.length && end - start < fixedBounds.personalGroupsCharsMax && isJoined(text, end, 1)) end += 1;
  if (end - start < fixedBounds.personalGroupsCharsMin) return end;
  // The first groups of an account may be letters.
  const lead = Math.max(from, start - fixedBounds.personalLeadCharsMax);
  for (const match of text.slice(lead, end).matchAll(ibanStarts)) {
    const accountEnd = addIban(text, lead + match.index, add);
    if (accountEnd !== undefined) return Math.max(end, accountEnd);
  }
  for (const { kind, pattern, holds } of groups)
    for (const match of text.slice(start, end).matchAll(pattern))
      if (holds(match[0].replace(/[ .-]/g, ""))) add(kind, start + match.index, start + match.index + match[0].length);
  return end;
}

const ibanStarts = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}/g;

/** A digit, or the one separator between two. */
function isJoined(text: string, at: number, step: 1 | -1): boolean {
  const code = text.charCodeAt(at);
  return isDigit(code) || ((code === 32 || code === 45 || code === 46) && isDigit(text.charCodeAt(at + step)));
}

/** Adds the account that begins at a place; where it ends is known by its country. Returns its end; undefined where there is none. */
function addIban(text: string, start: number, add: Add): number | undefined {
  let compact = "";
  for (let at = start; compact.length < 34 && at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isWordCode(code)) compact += (text[at] as string).toUpperCase();
    else if ((code !== 32 && code !== 45) || !isWordCode(text.charCodeAt(at + 1))) return undefined;
    if (compact.length >= 15 && !isWordCode(text.charCodeAt(at + 1)) && isIban(compact)) {
      add("bank-account", start, at + 1);
      return at + 1;
    }
  }
  return undefined;
}

/** An ASCII letter or digit. */
function isWordCode(code: number): boolean {
  return isDigit(code) || isLetter(code);
}

// A form proves itself where fewer than one in a thousand of such groups of digits is one.
const groups: readonly { readonly kind: PersonalKind; readonly pattern: RegExp; readonly holds: (digits: string) => boolean }[] = [
  { kind: "card", pattern: /(?<!\d)(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d{2}([ -])\d{6}\2\d{5})(?![\d])/g, holds: isCardNumber },
  { kind: "national-id", pattern: /(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])/g, holds: isSocialSecurity },
  { kind: "national-id", pattern: /(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)/g, holds: isCpf },
  { kind: "national-id", pattern: /(?<!\d)[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}(?!\d)/g, holds: isNir },
];
