/**
 * Which keywords of JSON Schema hold subschemas, and what a subschema there says something about: the same value (`in-place`), a part of the value
 * (`part`), or nothing by itself (`store`).
 *
 * @see JSON Schema 2020-12 core section 10; draft-07 for `definitions`, `dependencies`, `additionalItems` and `items` as a list.
 */
export type Placement = "in-place" | "part" | "store";

/** How subschemas are held: one, a list, or members of an object. */
export type Holding = "one" | "list" | "members" | "one-or-list" | "members-or-names";

/** One keyword that holds subschemas. */
export interface Applicator {
  readonly placement: Placement;
  readonly holding: Holding;
}

/** Every keyword that holds subschemas. */
export const applicators: ReadonlyMap<string, Applicator> = new Map<string, Applicator>([
  ["allOf", { placement: "in-place", holding: "list" }],
  ["anyOf", { placement: "in-place", holding: "list" }],
  ["oneOf", { placement: "in-place", holding: "list" }],
  ["not", { placement: "in-place", holding: "one" }],
  ["if", { placement: "in-place", holding: "one" }],
  ["then", { placement: "in-place", holding: "one" }],
  ["else", { placement: "in-place", holding: "one" }],
  ["dependentSchemas", { placement: "in-place", holding: "members" }],
  ["dependencies", { placement: "in-place", holding: "members-or-names" }],
  ["properties", { placement: "part", holding: "members" }],
  ["patternProperties", { placement: "part", holding: "members" }],
  ["additionalProperties", { placement: "part", holding: "one" }],
  ["unevaluatedProperties", { placement: "part", holding: "one" }],
  ["propertyNames", { placement: "part", holding: "one" }],
  ["items", { placement: "part", holding: "one-or-list" }],
  ["prefixItems", { placement: "part", holding: "list" }],
  ["additionalItems", { placement: "part", holding: "one" }],
  ["unevaluatedItems", { placement: "part", holding: "one" }],
  ["contains", { placement: "part", holding: "one" }],
  ["contentSchema", { placement: "store", holding: "one" }],
  ["$defs", { placement: "store", holding: "members" }],
  ["definitions", { placement: "store", holding: "members" }],
]);

/** What the value of a keyword that holds no subschema must be, in words. */
export const plainKeywords: ReadonlyMap<string, { readonly words: string; readonly holds: (value: unknown) => boolean }> = new Map([
  ...entries(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], "a number", (value) => typeof value === "number"),
  ...entries(["multipleOf"], "a number greater than 0", (value) => typeof value === "number" && value > 0),
  ...entries(
    ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"],
    "a whole number of at least 0",
    (value) => Number.isInteger(value) && (value as number) >= 0,
  ),
  ...entries(["required"], "a list of names", isNames),
  ...entries(["enum"], "a list of values", (value) => Array.isArray(value)),
  ...entries(["type"], "one or more of `string`, `number`, `integer`, `boolean`, `object`, `array`, `null`", isType),
  ...entries(["uniqueItems"], "true or false", (value) => typeof value === "boolean"),
  ...entries(
    ["pattern", "format", "$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor", "$schema"],
    "a string",
    (value) => typeof value === "string",
  ),
  ...entries(["dependentRequired"], "an object of lists of names", (value) => isObject(value) && Object.values(value).every(isNames)),
]);

const typeNames = ["string", "number", "integer", "boolean", "object", "array", "null"];

function isType(value: unknown): boolean {
  return typeof value === "string"
    ? typeNames.includes(value)
    : isNames(value) && (value as string[]).length > 0 && (value as string[]).every((name) => typeNames.includes(name));
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entries(
  names: readonly string[],
  words: string,
  holds: (value: unknown) => boolean,
): (readonly [string, { readonly words: string; readonly holds: (value: unknown) => boolean }])[] {
  return names.map((name) => [name, { words, holds }] as const);
}
