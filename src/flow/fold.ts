/**
 * Text as it is compared: what a person would call the same value must fold to the same text, whoever wrote it. Case, width, composition, invisible
 * characters and runs of white space are folded away; nothing else is guessed.
 */

// Characters that show nothing, so that a value cannot be hidden from comparison by strewing them in.
const invisible = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
// oxlint-disable-next-line no-control-regex -- telling plain ASCII apart is the point.
const onlyAscii = /^[\x00-\x7f]*$/;

/** The text in the form in which values are compared: NFKC, lower case, without invisible characters. Spaces are kept. */
export function fold(text: string): string {
  if (onlyAscii.test(text)) return text.toLowerCase();
  return text.normalize("NFKC").replace(invisible, "").toLowerCase().normalize("NFKC");
}

/** A whole value in the form in which it is compared: folded, trimmed, each run of white space one space. */
export function foldValue(text: string): string {
  const folded = fold(text);
  return (unevenSpace.test(folded) ? folded.replace(/\s+/gu, " ") : folded).trim();
}

// Every white space of most texts is one space already.
const unevenSpace = /\s\s|[^\S ]/u;

/** Whether a UTF-16 code stands inside a word: ASCII letters and digits, and beyond ASCII everything but spaces and punctuation. Expects folded text. */
export function isWordCode(code: number): boolean {
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
  if (code < 192) return code === 0xaa || code === 0xb5 || code === 0xba;
  if (code >= 0x2000 && code <= 0x206f) return false;
  if (code >= 0x3000 && code <= 0x303f) return false;
  return code !== 0xd7 && code !== 0xf7 && code !== 0x1680;
}
