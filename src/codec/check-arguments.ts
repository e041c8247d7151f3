import { fixedBounds } from "../base/fixed-bounds.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { malformed, notAnObject, tooLarge, type ParsedArguments } from "./parse-arguments.ts";
import { kindOf, quoteInput } from "./quote.ts";
import { dangerousKeys } from "./scan-json.ts";

interface Check {
  readonly limits: Limits;
  keyCount: number;
  /** At least this many bytes when serialised; bounds the walk also where one array is referenced many times. */
  bytesAtLeast: number;
}

// Carries the refusal out of the recursion; never leaves this file.
class Refusal extends Error {
  readonly ending: ParsedArguments;
  constructor(ending: ParsedArguments) {
    super("refused");
    this.ending = ending;
  }
}

/**
 * Arguments that arrive as an object already. The same checks as for text, as far as a value still shows them; the literal of a number is gone, so
 * every number beyond 2^53 is refused. The value returned is a copy that the caller cannot change afterwards; members that are `undefined` are
 * left out, as JSON does. `undefined` itself is no arguments, `{}`. Never throws, whatever getters or proxies it is given.
 */
export function checkArguments(value: unknown, limits: Limits): ParsedArguments {
  if (value === undefined) return { kind: "parsed", value: {} };
  try {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return notAnObject(value);
    const check: Check = { limits, keyCount: 0, bytesAtLeast: 0 };
    const copy = copyObject(value, "", 1, check);
    // A character takes at most six bytes (an escape), so that a small value need not be serialised to know.
    if (check.bytesAtLeast * 6 > limits.argumentsBytesMax && Buffer.byteLength(canonicalJson(copy)) > limits.argumentsBytesMax)
      return tooLarge(limits.argumentsBytesMax);
    return { kind: "parsed", value: copy };
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.ending;
    // A getter or proxy of the caller's own making threw: its words are none of the model's business.
    return malformed("the arguments cannot be read as JSON; expected a plain object of JSON values");
  }
}

function refuse(path: string, about: string): never {
  throw new Refusal(
    malformed(`the arguments are not usable at ${quoteInput(path === "" ? "/" : path, fixedBounds.shownPathCharsMax)}: ${about}`),
  );
}

function grow(check: Check, bytes: number): void {
  check.bytesAtLeast += bytes;
  if (check.bytesAtLeast > check.limits.argumentsBytesMax) throw new Refusal(tooLarge(check.limits.argumentsBytesMax));
}

function copyObject(value: object, path: string, depth: number, check: Check): JsonObject {
  checkDepth(path, depth, check);
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm have another `Object.prototype`; what counts is that nothing stands above it.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    refuse(path, "expected a plain JSON value, found an object of a class");
  const copy: { [key: string]: Json } = {};
  grow(check, 2);
  for (const key of Object.keys(value)) {
    const member: unknown = (value as Readonly<Record<string, unknown>>)[key];
    if (member === undefined) continue;
    if (dangerousKeys.has(key)) refuse(path, `the key \`${key}\` is not allowed; leave it out`);
    if (!key.isWellFormed()) refuse(path, `the key ${quoteInput(key)} has half of a surrogate pair; expected well-formed Unicode`);
    check.keyCount += 1;
    if (check.keyCount > check.limits.argumentsKeysMax)
      refuse(path, `there are more than ${check.limits.argumentsKeysMax} keys in all; send fewer`);
    // Two quotes and a colon; a comma between members is left out of the lower bound.
    grow(check, key.length + 3);
    copy[key] = copyValue(member, { within: path, key }, depth, check);
  }
  return copy;
}

/** Where a value stands; spelled out only where something is wrong with it, or within it. */
interface Place {
  readonly within: string;
  readonly key: string | number;
}

function pathOf({ within, key }: Place): string {
  return `${within}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function copyValue(value: unknown, place: Place, depth: number, check: Check): Json {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) refuse(pathOf(place), "half of a surrogate pair; expected well-formed Unicode");
      grow(check, value.length + 2);
      return value;
    case "number":
      if (!Number.isFinite(value)) refuse(pathOf(place), `found \`${value}\`; expected a finite number`);
      if (Math.abs(value) > Number.MAX_SAFE_INTEGER)
        refuse(
          pathOf(place),
          `the number \`${value}\` cannot be kept exactly; send it as a string, or a number within ±${Number.MAX_SAFE_INTEGER}`,
        );
      grow(check, 1);
      return value;
    case "boolean":
      grow(check, 4);
      return value;
    case "object":
      if (value === null) {
        grow(check, 4);
        return null;
      }
      return Array.isArray(value) ? copyArray(value, pathOf(place), depth + 1, check) : copyObject(value, pathOf(place), depth + 1, check);
    default:
      return refuse(pathOf(place), `expected a JSON value, found ${kindOf(value)}`);
  }
}

function copyArray(items: readonly unknown[], path: string, depth: number, check: Check): Json {
  checkDepth(path, depth, check);
  grow(check, 2);
  const copy: Json[] = [];
  for (let index = 0; index < items.length; index += 1) copy.push(copyValue(items[index], { within: path, key: index }, depth, check));
  return copy;
}

function checkDepth(path: string, depth: number, check: Check): void {
  if (depth > check.limits.argumentsDepthMax)
    refuse(path, `nested more than ${check.limits.argumentsDepthMax} levels deep; send a flatter value`);
}
