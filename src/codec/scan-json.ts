/**
 * A strict scanner over JSON text that says where and why a text may not become arguments. It is slower than `JSON.parse` and runs only when
 * that failed or when something suspicious is possible; it builds nothing. Beyond the grammar (RFC 8259) it refuses what would make two readers
 * of the same text see different values: duplicate keys, lone surrogates, numbers that lose their value, keys that reach a prototype.
 */
import type { Limits } from "../base/limits.ts";
import { quoteInput } from "./quote.ts";

/** Why a text may not become arguments. */
export interface TextProblem {
  /** In UTF-16 code units from the start. */
  readonly offset: number;
  /** What was wrong and what would be right, without the position. */
  readonly about: string;
  /** The text ended too early, as a response does that was cut off. */
  readonly isEnd: boolean;
}

interface Scan {
  readonly text: string;
  readonly limits: Limits;
  at: number;
  keyCount: number;
}

/** Keys that reach a prototype when a value is merged or copied carelessly; refused at every depth. */
export const dangerousKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** First problem of a JSON text, or `undefined`. Recursion is bounded by `argumentsDepthMax`. */
export function scanJson(text: string, limits: Limits): TextProblem | undefined {
  const scan: Scan = { text, limits, at: 0, keyCount: 0 };
  const found = scanValue(scan, 0);
  if (found !== undefined) return found;
  skipSpace(scan);
  return scan.at < text.length
    ? problem(scan.at, `text after the end of the JSON value: expected nothing more, found ${peek(scan)}`)
    : undefined;
}

function problem(offset: number, about: string): TextProblem {
  return { offset, about, isEnd: false };
}

function ended(scan: Scan, inside: string): TextProblem {
  return { offset: scan.text.length, about: inside, isEnd: true };
}

function peek(scan: Scan): string {
  const code = scan.text.codePointAt(scan.at);
  return code === undefined ? "the end" : quoteInput(String.fromCodePoint(code));
}

function skipSpace(scan: Scan): void {
  for (;;) {
    const code = scan.text.charCodeAt(scan.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    scan.at += 1;
  }
}

function scanValue(scan: Scan, depth: number): TextProblem | undefined {
  skipSpace(scan);
  const first = scan.text[scan.at];
  if (first === "{" || first === "[") {
    const depthMax = scan.limits.argumentsDepthMax;
    if (depth >= depthMax) return problem(scan.at, `the arguments are nested more than ${depthMax} levels deep; send a flatter value`);
    return first === "{" ? scanObject(scan, depth + 1) : scanArray(scan, depth + 1);
  }
  if (first === '"') return scanString(scan);
  if (first === undefined) return ended(scan, depth === 0 ? "the start" : "a value");
  return scanLiteral(scan) ?? undefined;
}

function scanObject(scan: Scan, depth: number): TextProblem | undefined {
  const keys = new Set<string>();
  scan.at += 1;
  skipSpace(scan);
  if (scan.text[scan.at] === "}") {
    scan.at += 1;
    return undefined;
  }
  for (;;) {
    const found = scanKey(scan, keys) ?? scanValue(scan, depth);
    if (found !== undefined) return found;
    const next = separator(scan, "}", "an object");
    if (typeof next === "object") return next;
    if (next === "close") return undefined;
  }
}

function scanArray(scan: Scan, depth: number): TextProblem | undefined {
  scan.at += 1;
  skipSpace(scan);
  if (scan.text[scan.at] === "]") {
    scan.at += 1;
    return undefined;
  }
  for (;;) {
    const found = scanValue(scan, depth);
    if (found !== undefined) return found;
    const next = separator(scan, "]", "an array");
    if (typeof next === "object") return next;
    if (next === "close") return undefined;
  }
}

function separator(scan: Scan, close: string, inside: string): TextProblem | "comma" | "close" {
  skipSpace(scan);
  const found = scan.text[scan.at];
  if (found === undefined) return ended(scan, inside);
  if (found !== "," && found !== close) return problem(scan.at, `expected \`,\` or \`${close}\`, found ${peek(scan)}`);
  scan.at += 1;
  if (found === close) return "close";
  skipSpace(scan);
  if (scan.text[scan.at] === close) return problem(scan.at, `a comma before \`${close}\`; expected another value or no comma`);
  return "comma";
}

function scanKey(scan: Scan, keys: Set<string>): TextProblem | undefined {
  skipSpace(scan);
  const start = scan.at;
  if (start >= scan.text.length) return ended(scan, "an object");
  if (scan.text[start] !== '"') return problem(start, `expected a key in double quotes, found ${peek(scan)}`);
  const found = scanString(scan);
  if (found !== undefined) return found;
  const key = JSON.parse(scan.text.slice(start, scan.at)) as string;
  if (dangerousKeys.has(key)) return problem(start, `the key ${quoteInput(key)} is not allowed; leave it out`);
  if (keys.has(key)) return problem(start, `the key ${quoteInput(key)} appears twice in one object; send it once`);
  keys.add(key);
  scan.keyCount += 1;
  const keysMax = scan.limits.argumentsKeysMax;
  if (scan.keyCount > keysMax) return problem(start, `the arguments have more than ${keysMax} keys; send fewer`);
  skipSpace(scan);
  if (scan.at >= scan.text.length) return ended(scan, "an object");
  if (scan.text[scan.at] !== ":") return problem(scan.at, `expected \`:\` after the key ${quoteInput(key)}, found ${peek(scan)}`);
  scan.at += 1;
  return undefined;
}

const loneSurrogate = "half of a surrogate pair; expected well-formed Unicode";

function scanString(scan: Scan): TextProblem | undefined {
  const { text } = scan;
  // Offset of a high surrogate that waits for its low half; -1 for none.
  let highAt = -1;
  scan.at += 1;
  while (scan.at < text.length) {
    const at = scan.at;
    let unit = text.charCodeAt(at);
    if (unit === 0x22) {
      scan.at += 1;
      return highAt < 0 ? undefined : problem(highAt, loneSurrogate);
    }
    if (unit < 0x20)
      return problem(at, `a control character (${quoteInput(text[at] as string)}) inside a string; expected an escape such as \`\\n\``);
    if (unit === 0x5c) {
      const escaped = scanEscape(scan);
      if (typeof escaped === "object") return escaped;
      unit = escaped;
    } else scan.at += 1;
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if (isLow !== highAt >= 0) return problem(highAt < 0 ? at : highAt, loneSurrogate);
    highAt = unit >= 0xd800 && unit <= 0xdbff ? at : -1;
  }
  return ended(scan, "a string");
}

const hex4 = /^[0-9a-fA-F]{4}$/;

// Returns the code unit that the escape stands for.
function scanEscape(scan: Scan): TextProblem | number {
  const letter = scan.text[scan.at + 1];
  if (letter === undefined) return ended(scan, "a string");
  if (letter === "u") {
    const digits = scan.text.slice(scan.at + 2, scan.at + 6);
    if (hex4.test(digits)) {
      scan.at += 6;
      return Number.parseInt(digits, 16);
    }
    if (scan.at + 6 > scan.text.length) return ended(scan, "a string");
    return problem(scan.at, `a \`\\u\` escape must have four hexadecimal digits, found ${quoteInput(digits)}`);
  }
  if (!'"\\/bfnrt'.includes(letter))
    return problem(scan.at, `no escape ${quoteInput(`\\${letter}`)} in JSON; write a backslash as \`\\\\\``);
  scan.at += 2;
  return 0x20;
}

const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const word = /[A-Za-z_$']{1,20}/y;
const words: ReadonlySet<string> = new Set(["true", "false", "null"]);

function scanLiteral(scan: Scan): TextProblem | undefined {
  const start = scan.at;
  number.lastIndex = start;
  const digits = number.exec(scan.text)?.[0];
  if (digits !== undefined) return scanNumber(scan, digits);
  word.lastIndex = start;
  const found = word.exec(scan.text)?.[0];
  if (found !== undefined && words.has(found)) {
    scan.at += found.length;
    return undefined;
  }
  if (
    start + (found ?? "-").length === scan.text.length &&
    (scan.text[start] === "-" || [...words].some((known) => known.startsWith(found ?? " ")))
  )
    return ended(scan, "a value");
  if (found === undefined) return problem(start, `expected a JSON value, found ${peek(scan)}`);
  return problem(
    start,
    `expected a JSON value, found ${quoteInput(found)}; JSON has strings in double quotes, numbers, true, false and null`,
  );
}

function scanNumber(scan: Scan, digits: string): TextProblem | undefined {
  const start = scan.at;
  scan.at += digits.length;
  const rest = scan.text.slice(scan.at, scan.at + 3);
  if (scan.at + rest.length === scan.text.length && /^(?:\.|[eE][+-]?)$/.test(rest)) return ended(scan, "a number");
  if (losesValue(digits))
    return problem(
      start,
      `the number ${quoteInput(digits)} cannot be kept exactly; send it as a string, or a number within ±${Number.MAX_SAFE_INTEGER}`,
    );
  return undefined;
}

/**
 * Whether a number literal means something else once it is a double: infinite, vanished, or a plain integer or decimal beyond 2^53. A literal
 * with an exponent declares itself approximate and may be large.
 */
function losesValue(digits: string): boolean {
  const value = Number(digits);
  if (!Number.isFinite(value)) return true;
  const mantissa = digits.split(/[eE]/, 1)[0] as string;
  if (value === 0) return /[1-9]/.test(mantissa);
  return mantissa.length === digits.length && Math.abs(value) > Number.MAX_SAFE_INTEGER;
}
