import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import { isObject } from "./wire.ts";

/** An argument that a server wants to see in a header of its own, besides the body. */
export interface ParamHeader {
  /** Without its prefix. */
  readonly name: string;
  readonly path: readonly string[];
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/;
const types: readonly unknown[] = ["string", "integer", "boolean"];

/**
 * The `x-mcp-header` declarations of an input schema, or why they make the whole definition unusable, as the protocol has it: on properties of a
 * primitive type only, each name a token, no name twice.
 *
 * @see modelcontextprotocol.io, specification 2026-07-28, Streamable HTTP, "Schema Extension" (SEP-2243).
 */
export function paramHeaders(schema: JsonObject): readonly ParamHeader[] | string {
  const found: ParamHeader[] = [];
  const problem = visit(schema, [], found);
  if (problem !== undefined) return problem;
  const names = new Set(found.map(({ name }) => name.toLowerCase()));
  return names.size === found.length ? found : "two arguments declare the same header";
}

function visit(schema: JsonObject, path: readonly string[], found: ParamHeader[]): string | undefined {
  const { "x-mcp-header": name, type, properties } = schema;
  if (name !== undefined) {
    if (typeof name !== "string" || !token.test(name)) return "an argument declares a header that is no header name";
    if (path.length === 0 || !types.includes(type))
      return `the header \`${name}\` is declared on something that is no text, whole number or truth value`;
    found.push({ name, path });
  }
  if (!isObject(properties) || path.length >= fixedBounds.paramHeadersDepthMax) return undefined;
  for (const [key, member] of Object.entries(properties)) {
    const problem = isObject(member) ? visit(member, [...path, key], found) : undefined;
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The headers of one call. Absent arguments have none. */
export function headersOfArguments(declared: readonly ParamHeader[], args: JsonObject): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const { name, path } of declared) {
    let value: Json | undefined = args;
    for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    if (typeof value === "string" || typeof value === "boolean" || typeof value === "number")
      headers[`mcp-param-${name.toLowerCase()}`] = encodeHeader(String(value));
  }
  return headers;
}

/** A text as a header's value: as it is where it is plain, else Base64 of its UTF-8 in the protocol's sentinel. */
export function encodeHeader(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !(text.startsWith("=?base64?") && text.endsWith("?="));
  return isPlain ? text : `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`;
}
