import { failure, type Failure, type Value } from "./scope.ts";

/** Whether a value is a CEL map. */
export function isMap(value: Value): value is { readonly [name: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** CEL equality: numbers across their types, lists and maps by content, values of different types are not equal. */
export function sameValue(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (typeof left === "number") return typeof right === "bigint" && sameNumber(left, right);
  if (typeof left === "bigint") return typeof right === "number" && sameNumber(right, left);
  if (typeof left !== "object") return false;
  if (left === null || typeof right !== "object" || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameList(left, right);
  return isMap(right) && isMap(left) && sameMap(left, right);
}

/** Whether a double and an integer are the same number, exactly: beyond 2^53 a conversion to double would make neighbours equal. */
function sameNumber(double: number, integer: bigint): boolean {
  return Number.isInteger(double) && BigInt(double) === integer;
}

function sameList(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, index) => sameValue(item, right[index] as Value));
}

function sameMap(left: { readonly [name: string]: Value }, right: { readonly [name: string]: Value }): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && sameValue(left[name] as Value, right[name] as Value));
}

/** The four ordering operators. */
export type Operator = "<" | "<=" | ">" | ">=";

/** An ordering of two numbers, two texts or two booleans; anything else is an error. */
export function compare(operator: Operator): (left: Value, right: Value) => boolean | Failure {
  const ordered = orderings[operator];
  const mismatch = failure(`\`${operator}\` wants two numbers or two texts`);
  return (left, right) => {
    if (typeof left === "number") {
      if (typeof right === "number") return ordered(left, right);
      return typeof right === "bigint" ? ordered(left, Number(right)) : mismatch;
    }
    if (typeof left === "bigint") {
      if (typeof right === "bigint") return ordered(left, right);
      return typeof right === "number" ? ordered(Number(left), right) : mismatch;
    }
    if (typeof left === "string" && typeof right === "string") return ordered(left, right);
    if (typeof left === "boolean" && typeof right === "boolean") return ordered(left, right);
    return mismatch;
  };
}

type Orderable = number | bigint | string | boolean;

const orderings: Readonly<Record<Operator, (left: Orderable, right: Orderable) => boolean>> = {
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
};

/** CEL `in`: an item of a list, or a name of a map whose member is not null. */
export function isIn(value: Value, container: Value): boolean | Failure {
  if (Array.isArray(container)) return (container as readonly Value[]).some((item) => sameValue(item, value));
  if (!isMap(container) || value === null || typeof value === "object") return failure("`in` wants a list or a map on its right");
  // JSON maps have names only, so no number and no boolean is ever in one.
  return typeof value === "string" && Object.hasOwn(container, value) && container[value] !== undefined && container[value] !== null;
}

/** CEL `size`: characters (code points) of a text, items of a list, members of a map. */
export function sizeOf(value: Value): bigint | Failure {
  if (typeof value === "string") return BigInt([...value].length);
  if (Array.isArray(value)) return BigInt(value.length);
  return isMap(value)
    ? BigInt(Object.values(value).filter((each) => each !== undefined).length)
    : failure("`size` wants a text, a list or a map");
}

/** CEL `startsWith`. */
export function isTextStart(text: Value, part: Value): boolean | Failure {
  return typeof text === "string" && typeof part === "string" ? text.startsWith(part) : failure("`startsWith` wants two texts");
}

/** CEL `endsWith`. */
export function isTextEnd(text: Value, part: Value): boolean | Failure {
  return typeof text === "string" && typeof part === "string" ? text.endsWith(part) : failure("`endsWith` wants two texts");
}

/** CEL `contains`. */
export function contains(text: Value, part: Value): boolean | Failure {
  return typeof text === "string" && typeof part === "string" ? text.includes(part) : failure("`contains` wants two texts");
}
