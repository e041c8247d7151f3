import type { Limits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import { exactNumber } from "./numbers.ts";

type Reviver = (key: string, member: unknown, context: { readonly source?: string }) => unknown;

// The reviver's third parameter (ECMAScript 2026, source text access) is not in the compiler's library yet.
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => Json;

const forbiddenNames = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Reads a list or object that was sent as text, only if nothing is lost by it: no duplicate names, no number that a double does not hold, no name that
 * reaches a prototype, no depth or size beyond what arguments may have.
 *
 * @returns undefined when the text is not such JSON.
 */
export function parseEmbedded(text: string, limits: Limits): Json | undefined {
  if (!/^\s*[[{]/.test(text) || text.length > limits.argumentsBytesMax) return undefined;
  const shape = measure(text);
  if (shape.depth > limits.argumentsDepthMax || shape.memberCount > limits.argumentsKeysMax) return undefined;
  let keptCount = 0;
  let isLossless = true;
  try {
    const value = parseWithSource(text, (key, member, context) => {
      if (forbiddenNames.has(key)) isLossless = false;
      if (typeof member === "number" && (context.source === undefined || exactNumber(context.source) === undefined)) isLossless = false;
      if (typeof member === "object" && member !== null && !Array.isArray(member)) keptCount += Object.keys(member).length;
      return member;
    });
    return isLossless && keptCount === shape.memberCount ? value : undefined;
  } catch {
    return undefined; // Text that is no JSON is simply not repaired.
  }
}

// Colons outside strings are members; so duplicates show as fewer members kept than written.
function measure(text: string): { readonly depth: number; readonly memberCount: number } {
  let depth = 0;
  let depthMax = 0;
  let memberCount = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isInString) {
      if (character === "\\") index += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === ":") memberCount += 1;
    else if (character === "{" || character === "[") depthMax = Math.max(depthMax, (depth += 1));
    else if (character === "}" || character === "]") depth -= 1;
  }
  return { depth: depthMax, memberCount };
}
