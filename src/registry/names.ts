/**
 * Names and texts that people and models read must be what they look like. Names are plain ASCII, so letters of other scripts that look Latin cannot
 * occur; texts may be in any script but hold no character that hides or reorders what is written.
 */

/**
 * Longest name of a tool, in characters; the longest that an MCP client must take.
 *
 * @see modelcontextprotocol.io, specification 2025-11-25, "Tool Names".
 */
export const nameCharsMax = 128;

const ownName = /^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$/i;
const foreignName = /^[!-~]+$/;

/** What is wrong with a tool's name; undefined when nothing is. Names from outside may hold any visible ASCII, since they cannot be changed here. */
export function nameProblem(name: string, isForeign: boolean): string | undefined {
  if (name.length === 0 || name.length > nameCharsMax)
    return `a tool's name has 1 to ${nameCharsMax} characters, this one has ${name.length}`;
  if (!foreignName.test(name)) return `the name ${shown(name)} holds ${characterNames(name)}; names are visible ASCII without spaces`;
  if (!isForeign && !ownName.test(name))
    return `the name \`${name}\` is not made of letters, digits, \`_\` and \`-\` in parts joined by dots, such as \`order.refund\``;
  return undefined;
}

// Joiners are part of ordinary writing after a pictograph and in the Arabic and Indic scripts, and hide something everywhere else.
const joiners =
  /(?<![\p{Extended_Pictographic}\u{FE0F}\p{Emoji_Modifier}\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Gujarati}\p{Script=Gurmukhi}\p{Script=Sinhala}])[\u{200C}\u{200D}]/u;
const hidden =
  /[\u{0}-\u{8}\u{B}\u{C}\u{E}-\u{1F}\u{7F}-\u{9F}\u{AD}\u{34F}\u{61C}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{180B}-\u{180F}\u{200B}\u{200E}\u{200F}\u{2028}-\u{202E}\u{2060}-\u{206F}\u{3164}\u{FE00}-\u{FE0D}\u{FEFF}\u{FFA0}\u{FFF9}-\u{FFFB}\u{E0000}-\u{E0FFF}]/u;

/** The first character of a text that hides or reorders what is written, as `U+202E`; undefined when there is none. */
export function hiddenCharacter(text: string): string | undefined {
  const match = hidden.exec(text) ?? joiners.exec(text);
  return match === null ? undefined : codePointName(match[0]);
}

/** What remains of a name when case and separators are ignored: names that share it look alike to a model. */
export function nameSkeleton(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

function shown(name: string): string {
  return `\`${name.replace(/[^!-~]/gu, "?").slice(0, 60)}\``;
}

function characterNames(name: string): string {
  const bad = [...new Set(name.match(/[^!-~]/gu) ?? [])].slice(0, 3).map(codePointName);
  return bad.join(", ");
}

function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
}
