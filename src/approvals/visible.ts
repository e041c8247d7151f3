/** Characters that a reader cannot see, or that move, reorder or hide others. */
const hidden =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const stackedMarks = /(\p{M}{3})(\p{M}+)/gu;
const unusualSpaces = /[\p{Zs}]/gu;

/**
 * Text that somebody else wrote, with everything a reader could not see written out as `⟨U+202E⟩`: control characters, direction overrides, zero-width
 * characters, unusual spaces, accents beyond three on one letter. The text itself cannot forge such a mark: its own brackets are written out too.
 */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/[⟨⟩]/g, mark)
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
