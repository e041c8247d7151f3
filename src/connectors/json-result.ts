import { defaultLimits, type Limits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import type { ExecutionResult, Tool } from "../domain/tool.ts";

/** A returned value as JSON, or where it is none. */
export type JsonForm = { readonly kind: "value"; readonly value: Json } | { readonly kind: "problem"; readonly problem: string };

/**
 * The JSON form of what a handler returned: `undefined` is `null`, `undefined` members are left out, dates and whatever has a `toJSON` speak for
 * themselves. The very same object where it is JSON already. BigInt, functions, numbers that are not finite, maps, bytes, cycles and what is nested
 * deeper than `resultDepthMax` are no JSON, and the problem says where and what would be right.
 */
export function toJson(value: unknown, limits: Limits = defaultLimits): JsonForm {
  // Nearly every result is plain JSON already, and looking whether it is costs a fraction of walking it with a path at hand.
  if (isPlain(value, limits.resultDepthMax, { nodesLeft: limits.resultNodesMax })) return { kind: "value", value: value as Json };
  const walk = new Walk(limits);
  const json = walk.json(value === undefined ? null : value, 0);
  return walk.problem === undefined ? { kind: "value", value: json as Json } : { kind: "problem", problem: walk.problem };
}

/** The result of a handler that returned; one that returned no JSON has acted all the same. */
export function jsonResult(value: unknown, tool: Tool): ExecutionResult {
  const form = toJson(value);
  if (form.kind === "value") return form;
  const message = `\`${tool.name}\` returned something that is not JSON: ${form.problem}`;
  return {
    kind: "failure",
    failure: { kind: "failed", code: "RESULT_INVALID", message, effect: tool.tier === "read" ? "none" : "applied" },
  };
}

/** Whether a value is JSON within its bounds just as it is; where this says no, the walk says what is wrong or makes it JSON. */
function isPlain(value: unknown, depthLeft: number, count: { nodesLeft: number }): boolean {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depthLeft <= 0) return false;
  count.nodesLeft -= 1;
  if (count.nodesLeft < 0) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) if (!isPlain(value[index], depthLeft - 1, count)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === "function") return false;
  for (const key in value) if (!isPlain((value as Readonly<Record<string, unknown>>)[key], depthLeft - 1, count)) return false;
  return true;
}

class Walk {
  problem: string | undefined;
  readonly #limits: Limits;
  #nodes = 0;
  /** Where the walk stands; only read when something is wrong. */
  readonly #path: (string | number)[] = [];

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  json(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) ? value : this.#stop(`\`${value}\`; return \`null\` or a finite number`);
      case "object":
        return value === null ? null : this.#object(value, depth);
      case "bigint":
        return this.#stop("a BigInt; return a string or a number");
      default:
        return this.#stop(`a ${typeof value}; leave it out`);
    }
  }

  #object(value: object, depth: number): unknown {
    this.#nodes += 1;
    if (depth >= this.#limits.resultDepthMax) {
      return this.#stop(`nested deeper than ${this.#limits.resultDepthMax} levels, or it refers to itself; return a plain tree`);
    }
    if (this.#nodes > this.#limits.resultNodesMax) return this.#stop(`more than ${this.#limits.resultNodesMax} values; return less`);
    if (Array.isArray(value)) return this.#array(value, depth);
    const { toJSON } = value as { readonly toJSON?: unknown };
    if (typeof toJSON === "function" && !Buffer.isBuffer(value)) return this.json(toJSON.call(value) as unknown, depth + 1);
    if (value instanceof Map || value instanceof Set) return this.#stop("a Map or Set; return a plain object or array");
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return this.#stop("bytes; return them as base64 text");
    if (value instanceof Promise) return this.#stop("a promise inside the value; await it first");
    return this.#members(value as Readonly<Record<string, unknown>>, depth);
  }

  #array(items: readonly unknown[], depth: number): unknown {
    let copy: unknown[] | undefined;
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      this.#path.push(index);
      const json = item === undefined ? null : this.json(item, depth + 1);
      if (this.problem !== undefined) return undefined;
      this.#path.pop();
      if (json !== item) copy ??= items.slice();
      if (copy !== undefined) copy[index] = json;
    }
    return copy ?? items;
  }

  #members(members: Readonly<Record<string, unknown>>, depth: number): unknown {
    let changes: Map<string, unknown> | undefined;
    for (const key of Object.keys(members)) {
      const member = members[key];
      this.#path.push(key);
      const json = member === undefined ? undefined : this.json(member, depth + 1);
      if (this.problem !== undefined) return undefined;
      this.#path.pop();
      if (json !== member || member === undefined) (changes ??= new Map<string, unknown>()).set(key, json);
    }
    if (changes === undefined) return members;
    const kept = Object.entries(members).map(([key, member]): [string, unknown] => [key, changes.has(key) ? changes.get(key) : member]);
    return Object.fromEntries(kept.filter(([, member]) => member !== undefined));
  }

  #stop(problem: string): undefined {
    const pointer = this.#path.map((token) => `/${String(token).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
    // A cycle has a long path of which the beginning says enough.
    this.problem ??= `${pointer === "" ? "the value" : `\`${pointer.slice(0, 100)}\``} is ${problem}`;
    return undefined;
  }
}
