/** Characters that a reader cannot see, or that move, reorder or hide others. */
const hidden =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const stackedMarks = /(\p{M}{3})(\p{M}+)/gu;
const unusualSpaces = /[\p{Zs}]/gu;

const word = /[\p{L}\p{M}\p{N}_]+/gu;
const address = /[\p{L}\p{M}\p{N}_.@:/-]+/gu;
const latin = /\p{Script=Latin}/u;
/** Letters of alphabets that share shapes with Latin, and plain letters and digits in wide or mathematical dress. Writing that mixes with Latin honestly is left alone. */
const alien =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}\p{Script=Lisu}\uff10-\uff5a\u{1d400}-\u{1d7ff}]/gu;
/** Words of such letters that look like Latin ones from end to end. */
const mimic = /^[аеорсухѕіјԁһӏԛԝѵАВЕКМНОРСТХУЅІЈԚԜονιυκαρτΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսցհԼՕՏ]+$/u;

/**
 * Letters that pass for Latin ones are written out where they stand among Latin ones: `p⟨U+0430⟩ypal` in one word, or a whole part of an address such as
 * `⟨U+0430⟩⟨U+0440⟩⟨U+0440⟩.example`. After the confusables of Unicode Technical Standard 39, cut down to what people meet in names and addresses.
 */
function markLookalikes(text: string): string {
  if (!latin.test(text) || text.search(alien) < 0) return text;
  const inWords = text.replace(word, (each) => (latin.test(each) && !isAscii(each) ? each.replace(alien, mark) : each));
  return inWords.replace(address, (each) =>
    latin.test(each) && !isAscii(each) ? each.replace(word, (part) => (mimic.test(part) ? Array.from(part, mark).join("") : part)) : each,
  );
}

function isAscii(text: string): boolean {
  return !/[^\x20-\x7e]/.test(text);
}

/**
 * Text that somebody else wrote, with everything a reader could not see written out as `⟨U+202E⟩`: control characters, direction overrides, zero-width
 * characters, unusual spaces, accents beyond three on one letter, letters that only look like Latin ones. The text itself cannot forge such a mark: its own brackets are written out too.
 */
export function visible(text: string): string {
  return markLookalikes(text.toWellFormed().replace(/[⟨⟩]/g, mark))
    .replace(hidden, mark)
    .replace(unusualSpaces, (space) => (space === " " ? space : mark(space)))
    .replace(stackedMarks, (_all, kept: string, more: string) => kept + Array.from(more, mark).join(""));
}

function mark(character: string): string {
  return `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** A text cut in the middle, since both ends of a name or address matter. Marks are never torn apart. */
export function cutVisible(text: string, charsMax: number): { readonly text: string; readonly isCut: boolean } {
  const whole = visible(text.length > charsMax * 4 ? `${text.slice(0, charsMax * 2)}…${text.slice(-charsMax * 2)}` : text);
  if (whole.length <= charsMax) return { text: whole, isCut: text.length > charsMax * 4 };
  const headChars = Math.ceil((charsMax - 1) * 0.6);
  return { text: `${headOf(whole, headChars)}…${tailOf(whole, charsMax - 1 - headChars)}`, isCut: true };
}

/** The first so many characters, without half a mark or half a character. */
export function headOf(text: string, charsMax: number): string {
  return text
    .slice(0, Math.max(0, charsMax))
    .replace(/[\ud800-\udbff]$/, "")
    .replace(/⟨[^⟩]*$/, "");
}

/** The last so many characters, in the same way. */
export function tailOf(text: string, charsMax: number): string {
  if (charsMax <= 0) return "";
  return text
    .slice(-charsMax)
    .replace(/^[\udc00-\udfff]/, "")
    .replace(/^[^⟨⟩]*⟩/, "");
}
