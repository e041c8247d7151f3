/**
 * Reads the arguments of a call. The hot path is one `JSON.parse`, one count of colons in the text and one walk over the value; only when these
 * leave a doubt does the strict scanner run. Why counting colons finds duplicate keys: outside strings every key has one, and those inside strings
 * show in the value, so a text with more colons than its value explains has lost a key to a later one.
 */
import type { Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ToolCall } from "../domain/tool-call.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { kindOf } from "./quote.ts";
import { dangerousKeys, scanJson } from "./scan-json.ts";

/** Arguments that were read, or a `CALL_MALFORMED` error saying where and why not. */
export type ParsedArguments = ToolCall["arguments"];

/** The `CALL_MALFORMED` ending. */
export function malformed(message: string): ParsedArguments {
  return { kind: "malformed", error: toolCallError("CALL_MALFORMED", message) };
}

/**
 * Arguments sent as JSON text. Empty text is no arguments, `{}`, as some providers send it. Refused, with line, column and offset: anything that is
 * not one JSON object, more than `argumentsBytesMax` bytes of UTF-8, `argumentsDepthMax` levels or `argumentsKeysMax` keys, duplicate keys, lone
 * surrogates, numbers that would lose their value, and the keys `__proto__`, `constructor` and `prototype`. Never throws.
 */
export function parseArguments(text: string, limits: Limits): ParsedArguments {
  if (exceedsBytes(text, limits.argumentsBytesMax)) return tooLarge(limits.argumentsBytesMax);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The scanner says it better than the engine, whose words differ between versions.
    return /^[ \t\r\n]*$/.test(text) ? { kind: "parsed", value: {} } : refuse(text, limits);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return notAnObject(value);
  if (isDoubtful(text, value as JsonObject, limits)) {
    if (scanJson(text, limits) !== undefined) return refuse(text, limits);
  }
  return { kind: "parsed", value: value as JsonObject };
}

/** Whether a text takes more bytes in UTF-8; counts them only when that is in doubt. */
function exceedsBytes(text: string, bytesMax: number): boolean {
  // A UTF-16 code unit takes one to three bytes.
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || Buffer.byteLength(text) > bytesMax;
}

/** The refusal of arguments that are too large. */
export function tooLarge(bytesMax: number): ParsedArguments {
  return malformed(`the arguments are larger than ${bytesMax} bytes; send a shorter call`);
}

/** The refusal of arguments that are a value of another kind. */
export function notAnObject(value: unknown): ParsedArguments {
  if (typeof value === "string" && /^\s*\{/.test(value))
    return malformed("the arguments are JSON text inside a JSON string; expected the object itself, not encoded a second time");
  return malformed(`the arguments are ${kindOf(value)}; expected a JSON object with the tool's parameters as keys`);
}

function refuse(text: string, limits: Limits): ParsedArguments {
  const found = scanJson(text, limits);
  if (found === undefined) return malformed("the arguments are not valid JSON; expected one JSON object");
  const where = positionOf(text, found.offset);
  if (found.isEnd)
    return malformed(`the arguments end inside ${found.about} at ${where}; the response was probably cut off: send a shorter call`);
  return malformed(`the arguments are not usable JSON at ${where}: ${found.about}`);
}

function positionOf(text: string, offset: number): string {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return `line ${line}, column ${offset - lineStart + 1} (offset ${offset})`;
}

/** What a walk over a parsed value has seen. */
interface Walk {
  readonly depthMax: number;
  keyCount: number;
  hasZero: boolean;
}

// Escapes that make the count of colons or the check of surrogates over the text wrong.
const trickyEscape = /\\u(?:003[aA]|[dD][89a-fA-F])/;
const vanishing = /[eE]-|\.0{300}/;

/** Whether the text may hold something that its value does not show, or that is refused: only then the scanner is worth its time. */
function isDoubtful(text: string, value: JsonObject, limits: Limits): boolean {
  if (text.includes("\\u") && trickyEscape.test(text)) return true;
  if (!text.isWellFormed() || hasInheritedKeys()) return true;
  const walk: Walk = { depthMax: limits.argumentsDepthMax, keyCount: 0, hasZero: false };
  if (!walkObject(value, 1, walk) || walk.keyCount > limits.argumentsKeysMax) return true;
  if (walk.hasZero && vanishing.test(text)) return true;
  const colonCount = countColons(text);
  return colonCount !== walk.keyCount && colonCount !== walk.keyCount + colonsWithin(value);
}

function countColons(text: string): number {
  let count = 0;
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) count += 1;
  return count;
}

// Whether somebody put an enumerable key on `Object.prototype`, which would make the walk below count keys that no text has.
function hasInheritedKeys(): boolean {
  for (const _key in {}) return true;
  return false;
}

// `for in` costs a third of `Object.keys` here; `hasInheritedKeys` makes it safe.
function walkObject(value: JsonObject, depth: number, walk: Walk): boolean {
  if (depth > walk.depthMax) return false;
  for (const key in value) {
    // The lengths of the dangerous ones: most keys need no look-up.
    if ((key.length === 9 || key.length === 11) && dangerousKeys.has(key)) return false;
    walk.keyCount += 1;
    if (!walkValue(value[key], depth, walk)) return false;
  }
  return true;
}

function walkValue(value: unknown, depth: number, walk: Walk): boolean {
  if (typeof value === "number") {
    if (value === 0) walk.hasZero = true;
    return value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER;
  }
  if (typeof value !== "object" || value === null) return true;
  if (!Array.isArray(value)) return walkObject(value as JsonObject, depth + 1, walk);
  if (depth >= walk.depthMax) return false;
  for (const item of value) {
    if (!walkValue(item, depth + 1, walk)) return false;
  }
  return true;
}

// Colons inside keys and strings. Its recursion is bounded by the walk before it.
function colonsWithin(value: unknown): number {
  if (typeof value === "string") return countColons(value);
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += colonsWithin(item);
  else for (const key in value) count += countColons(key) + colonsWithin((value as JsonObject)[key]);
  return count;
}
