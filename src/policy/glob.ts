/**
 * Names of tools with stars: `crm.*` is every tool of `crm`, `docs.read_*` those that begin so, `*` all; `order.refund@1` and `crm.*@2.1` name a
 * version or the versions below it. A star stands for any run of characters, dots included. Matching is linear in pattern times name.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";

const shape = /^[A-Za-z0-9_.*:/-]+(@\d+(\.\d+){0,2}([-+][0-9A-Za-z.+-]*)?)?$/;

/** Why a text is no tool glob, or undefined when it is one. */
export function globProblem(text: string): string | undefined {
  if (text.length > fixedBounds.configNameCharsMax)
    return `a tool glob has at most ${fixedBounds.configNameCharsMax} characters; this one has ${text.length}`;
  if (!shape.test(text)) return "a tool glob is a tool name with stars and an optional version, such as `crm.*` or `order.refund@1`";
  return undefined;
}

/** Whether a glob names more than one tool by its name. */
export function hasStar(glob: string): boolean {
  return glob.includes("*");
}

/** The name part and the version part of a glob. */
export function splitGlob(glob: string): { readonly name: string; readonly version: string | undefined } {
  const at = glob.indexOf("@");
  return at < 0 ? { name: glob, version: undefined } : { name: glob.slice(0, at), version: glob.slice(at + 1) };
}

/** Whether a glob names this tool. `@1` covers `1.x.y`, `@1.2` covers `1.2.y`. */
export function matchesTool(glob: string, tool: { readonly name: string; readonly version: string }): boolean {
  const { name, version } = splitGlob(glob);
  return matchesStars(name, tool.name) && (version === undefined || coversVersion(version, tool.version));
}

function coversVersion(wanted: string, version: string): boolean {
  return (
    version === wanted || (version.startsWith(wanted) && version[wanted.length] === "." && !wanted.includes("-") && !wanted.includes("+"))
  );
}

/** Whether `text` fits a pattern in which `*` stands for any run of characters. Case matters. */
export function matchesStars(pattern: string, text: string): boolean {
  if (pattern === "*") return true;
  let patternIndex = 0;
  let textIndex = 0;
  let starIndex = -1;
  let resumeIndex = 0;
  while (textIndex < text.length) {
    if (pattern[patternIndex] === "*") {
      starIndex = patternIndex;
      resumeIndex = textIndex;
      patternIndex += 1;
    } else if (pattern[patternIndex] === text[textIndex]) {
      patternIndex += 1;
      textIndex += 1;
    } else if (starIndex >= 0) {
      // The last star swallows one more character.
      patternIndex = starIndex + 1;
      resumeIndex += 1;
      textIndex = resumeIndex;
    } else return false;
  }
  while (pattern[patternIndex] === "*") patternIndex += 1;
  return patternIndex === pattern.length;
}
