import { RE2JS } from "re2js";
import type { Limits } from "../base/limits.ts";

/** A compiled pattern. */
export interface Pattern {
  test(text: string): boolean;
}

/**
 * Compiles a pattern of a schema. One from outside runs on an engine whose time grows linearly with the text (RE2), so that no pattern can stall
 * the process, and does not match texts longer than `patternSubjectCharsMax`; one of our own code runs natively.
 *
 * @throws Error when the pattern is none, or needs what the linear-time engine has not (look-around, back-references).
 */
export function compilePattern(source: string, options: { readonly isForeign: boolean; readonly limits: Limits }): Pattern {
  if (!options.isForeign) return new RegExp(source, "u");
  const compiled = RE2JS.compile(RE2JS.translateRegExp(source));
  const charsMax = options.limits.patternSubjectCharsMax;
  return { test: (text) => text.length <= charsMax && compiled.matcher(text).find() };
}

/** What is wrong with a pattern, or undefined. */
export function patternProblem(source: string, options: { readonly isForeign: boolean; readonly limits: Limits }): string | undefined {
  const { patternCharsMax } = options.limits;
  if (source.length > patternCharsMax)
    return `the pattern has ${source.length} characters, at most ${patternCharsMax} are taken (limit \`patternCharsMax\`)`;
  try {
    compilePattern(source, options);
    return undefined;
  } catch {
    // The engine's own words are for people who know its insides.
    const mend = options.isForeign
      ? "patterns from outside run on a linear-time engine without look-around and back-references"
      : "it is no ECMAScript pattern";
    return `the pattern \`${source.slice(0, 60)}\` cannot be used: ${mend}`;
  }
}
