import { fixedBounds } from "../base/fixed-bounds.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { formats } from "./formats.ts";

/** A value as it is quoted to a model: JSON text of at most `quotedCharsMax` characters, never a whole document. */
export function shortJson(value: unknown): string {
  const text = clean(textOf(value, fixedBounds.quotedCharsMax + 2));
  return text.length <= fixedBounds.quotedCharsMax ? text : `${text.slice(0, fixedBounds.quotedCharsMax - 1)}…`;
}

// Serialises only as much as is shown, since a wrong value may be as large as all arguments together.
function textOf(value: unknown, charsMax: number): string {
  if (typeof value === "string") return JSON.stringify(value.length > charsMax ? value.slice(0, charsMax) : value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const isList = Array.isArray(value);
  let text = "";
  for (const key in value) {
    if (text.length > charsMax) break;
    if (text !== "") text += ",";
    const member = textOf((value as Record<string, unknown>)[key], charsMax - text.length);
    text += isList ? member : `${JSON.stringify(key.slice(0, charsMax))}:${member}`;
  }
  return isList ? `[${text}]` : `{${text}}`;
}

/** Text on one line without control characters. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

/** A list of values: `` one of `EUR`, `USD` ``; long lists are cut and say so. */
export function oneOf(values: readonly unknown[]): string {
  const shown = values.slice(0, fixedBounds.valuesShownMax).map((value) => `\`${literal(value)}\``);
  if (values.length === 1) return shown[0] as string;
  return `one of ${shown.join(", ")}${values.length > fixedBounds.valuesShownMax ? ` and ${values.length - fixedBounds.valuesShownMax} more` : ""}`;
}

function literal(value: unknown): string {
  return typeof value === "string" ? clean(value.slice(0, fixedBounds.quotedCharsMax)) : shortJson(value);
}

const typeWords: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  null: "null",
};

/** A type keyword in words, such as `a string or null`. */
export function typeInWords(type: unknown): string {
  const names = Array.isArray(type) ? type : [type];
  return names.map((name) => typeWords[String(name)] ?? String(name)).join(" or ");
}

/** What a schema wants, in a few words; `a value` where it says nothing simple. */
export function describe(schema: JsonSchema): string {
  if (typeof schema !== "object") return "a value";
  if (schema.const !== undefined) return oneOf([schema.const]);
  if (Array.isArray(schema.enum)) return oneOf(schema.enum);
  const { type, items, format } = schema;
  if (type === undefined) return "a value";
  if (type === "string" && typeof format === "string") return formatInWords(format);
  if (type === "array" && typeof items === "object" && items !== null && "type" in items)
    return `a list, each item ${typeInWords(items.type)}`;
  return typeInWords(type) + (type === "number" || type === "integer" ? boundsInWords(schema) : "");
}

/** A format in words, with an example where we assert it. */
export function formatInWords(format: string): string {
  const known = Object.hasOwn(formats, format) ? formats[format] : undefined;
  return known === undefined
    ? `a string of format \`${clean(format.slice(0, fixedBounds.quotedCharsMax))}\``
    : `a string of format \`${format}\`, such as \`${known.example}\``;
}

function boundsInWords(schema: { readonly [keyword: string]: unknown }): string {
  const parts: string[] = [];
  if (typeof schema.minimum === "number") parts.push(`at least ${schema.minimum}`);
  if (typeof schema.exclusiveMinimum === "number") parts.push(`greater than ${schema.exclusiveMinimum}`);
  if (typeof schema.maximum === "number") parts.push(`at most ${schema.maximum}`);
  if (typeof schema.exclusiveMaximum === "number") parts.push(`less than ${schema.exclusiveMaximum}`);
  return parts.length === 0 ? "" : `, ${parts.join(" and ")}`;
}
