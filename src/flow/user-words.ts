import { fixedBounds } from "../base/fixed-bounds.ts";
import { fold, foldValue, isWordCode } from "./fold.ts";

/** What the user said in one conversation, in their own words. Values that they named may be acted on; nothing else of what was read may. */
export class UserWords {
  readonly #spans: string[] = [];
  readonly #seen = new Set<string>();
  #chars = 0;
  #version = 0;
  #isAttested = true;

  /** Adds the words of a turn; the same words again add nothing. Beyond `userWordsCharsMax` the oldest are forgotten: what they granted ends. */
  add(said: string, isAttested: boolean): void {
    if (this.#seen.has(said)) return;
    this.#seen.add(said);
    const span = ` ${fold(withSentencesApart(said))} `;
    this.#spans.push(span);
    this.#chars += span.length;
    this.#isAttested &&= isAttested;
    this.#version += 1;
    while (this.#chars > fixedBounds.userWordsCharsMax && this.#spans.length > 1) {
      this.#chars -= (this.#spans.shift() as string).length;
      // Both are in the order in which they came.
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
  }

  /** Whether nobody has told what the user said: nothing can be known of what they asked for. */
  get isEmpty(): boolean {
    return this.#spans.length === 0;
  }

  /** Whether every word came from a credential whose statements about the user are believed. */
  get isAttested(): boolean {
    return this.#isAttested;
  }

  /** Grows with every span, for caches. */
  get version(): number {
    return this.#version;
  }

  /** The folded words, turn by turn. */
  get spans(): readonly string[] {
    return this.#spans;
  }

  /** Whether a value occurs as a whole: bounded by something that is neither letter nor digit, nor joins an address to a longer one. Less than `tracedCharsMin` characters never count. */
  says(value: string): boolean {
    if (this.isEmpty) return false;
    const wanted = foldValue(value);
    if (wanted.length < fixedBounds.tracedCharsMin) return false;
    const isJoined = address.test(wanted) ? isAddress : isWord;
    return (
      this.#spans.some((span) => occurs(span, wanted, isJoined)) ||
      (/\s/u.test(wanted) && this.#spans.some((span) => occurs(span.replace(/\s+/gu, " "), wanted, isJoined)))
    );
  }

  /** Whether one of several spellings occurs as a whole, and is not part of a longer number. */
  saysNumber(spellings: readonly string[]): boolean {
    return spellings.some((spelling) => this.#spans.some((span) => occurs(span, spelling, isNumeric)));
  }
}

/** `see www.firm.example.Then` ends a sentence after the address: a whole word with a capital is no part of a host. */
function withSentencesApart(said: string): string {
  return said.includes(".") ? said.replace(/\S+/gu, sentenceEnd) : said;
}

function sentenceEnd(token: string): string {
  const dot = token.lastIndexOf(".");
  const [before, after] = [token.slice(0, dot), token.slice(dot + 1)];
  return dot > 0 && /^\p{Lu}\p{Ll}{3,}[,;:]?$/u.test(after) && /[@.][\p{Ll}\d-]+\.\p{Ll}{2,}(?:\/\S*)?$/u.test(before)
    ? `${before}. ${after}`
    : token;
}

const address = /^[^\s@]*@?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+$/u;

function occurs(span: string, wanted: string, isJoined: (span: string, at: number, step: 1 | -1) => boolean = isWord): boolean {
  for (let at = span.indexOf(wanted); at >= 0; at = span.indexOf(wanted, at + 1)) {
    const end = at + wanted.length;
    if (!isJoinedTo(span, at, -1, wanted, isJoined) && !isJoinedTo(span, end - 1, 1, wanted, isJoined)) return true;
  }
  return false;
}

function isJoinedTo(
  span: string,
  edge: number,
  step: 1 | -1,
  wanted: string,
  isJoined: (span: string, at: number, step: 1 | -1) => boolean,
): boolean {
  const own = step === -1 ? wanted.charCodeAt(0) : wanted.charCodeAt(wanted.length - 1);
  return isWordCode(own) && isJoined(span, edge + step, step);
}

/** Scripts without spaces between words have no word boundary to ask for. */
function isWord(span: string, at: number): boolean {
  const code = span.charCodeAt(at);
  return isWordCode(code) && !(code >= 0x2e80 && code <= 0x9fff);
}

/** `ann@firm.co` is neither `mary-ann@firm.co` nor `ann@firm.co.uk`: an address ends where no character of one joins it to more. */
function isAddress(span: string, at: number, step: 1 | -1): boolean {
  if (isWord(span, at)) return true;
  if (!/[.@_%+-]/.test(span[at] ?? "") || !isWordCode(span.charCodeAt(at + step))) return false;
  return !(step === -1 && /(?<![\p{L}\p{N}])www\.$/u.test(span.slice(Math.max(0, at - 4), at + 1)));
}

/** `2,500` is no mention of `500`, nor `10.5` of `10`. */
function isNumeric(span: string, at: number, step: 1 | -1): boolean {
  if (isWord(span, at)) return /\d/.test(span[at] ?? "");
  const next = span.charCodeAt(at + step);
  return /[.,']/.test(span[at] ?? "") && next >= 48 && next <= 57;
}
