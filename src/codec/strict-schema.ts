/**
 * OpenAI's strict mode takes a subset of JSON Schema: every property required, no additional ones, few keywords. A schema is projected onto it where
 * that loses nothing a validator would not catch anyway: what is optional becomes nullable, and keywords outside the subset move into the description
 * for the model to read. Our own validation still runs against the tool's own schema, so the projection may be wider but never decides anything.
 * @see "Structured Outputs: supported schemas", OpenAI API documentation.
 */
import type { Json, JsonObject } from "../domain/json.ts";

/** A schema for strict mode, or the reasons why there is none. */
export interface StrictProjection {
  /** The projected schema; the schema itself where `isStrict` is false. */
  readonly schema: JsonObject;
  readonly isStrict: boolean;
  /** What moved into descriptions, or why there is no projection, each with a JSON pointer. */
  readonly notes: readonly string[];
}

const kept: ReadonlySet<string> = new Set(
  "type properties required additionalProperties items enum const anyOf $ref $defs definitions description minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems".split(
    " ",
  ),
);
const dropped: ReadonlySet<string> = new Set(["$schema", "$id", "$comment", "title", "examples", "readOnly", "writeOnly", "deprecated"]);
const told: ReadonlySet<string> = new Set([
  "default",
  "format",
  "pattern",
  "minLength",
  "maxLength",
  "uniqueItems",
  "minProperties",
  "maxProperties",
]);
/** @see OpenAI's API reference, "Structured outputs": levels and properties of a schema in strict mode. */
const [depthMax, propertiesMax] = [10, 5_000];

interface Projecting {
  readonly root: JsonObject;
  readonly notes: string[];
  propertyCount: number;
  isPossible: boolean;
}

const known = new WeakMap<JsonObject, StrictProjection>();

/** Projects a tool's input schema onto strict mode. The result is remembered per schema object. */
export function strictSchema(schema: JsonObject): StrictProjection {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const projecting: Projecting = { root: schema, notes: [], propertyCount: 0, isPossible: true };
  if (schema["type"] !== "object") impossible(projecting, "", "the root is not of type `object`");
  const projected = projecting.isPossible ? project(schema, "", 0, projecting) : schema;
  const projection: StrictProjection = projecting.isPossible
    ? { schema: projected, isStrict: true, notes: projecting.notes }
    : { schema, isStrict: false, notes: projecting.notes.filter((note) => note.startsWith("not strict")) };
  known.set(schema, projection);
  return projection;
}

function impossible(projecting: Projecting, path: string, why: string): JsonObject {
  projecting.isPossible = false;
  projecting.notes.push(`not strict at \`${path === "" ? "/" : path}\`: ${why}`);
  return {};
}

function project(schema: Json | undefined, path: string, depth: number, projecting: Projecting): JsonObject {
  if (!projecting.isPossible) return {};
  if (!isSchemaObject(schema)) return impossible(projecting, path, "a schema that allows anything");
  // An `anyOf` between two objects takes a level here, so the bound is twice the documented one.
  if (depth > depthMax * 2) return impossible(projecting, path, `nested more than ${depthMax} levels deep`);
  const result: { [key: string]: Json } = {};
  const words: string[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (dropped.has(keyword)) continue;
    if (told.has(keyword)) words.push(`${keyword}: ${JSON.stringify(value)}`);
    else if (keyword === "oneOf") words.push("exactly one alternative applies");
    else if (!kept.has(keyword)) return impossible(projecting, path, `the keyword \`${keyword}\``);
    else result[keyword] = value;
  }
  if (words.length > 0) {
    const description = typeof schema["description"] === "string" ? `${schema["description"]} ` : "";
    result["description"] = `${description}(${words.join("; ")})`;
    projecting.notes.push(`moved into the description at \`${path === "" ? "/" : path}\`: ${words.join("; ")}`);
  }
  if (!["type", "enum", "const", "anyOf", "oneOf", "$ref"].some((keyword) => schema[keyword] !== undefined))
    return impossible(projecting, path, "a schema without a type");
  projectReference(schema, path, projecting);
  projectObject(schema, result, path, depth, projecting);
  projectParts(schema, result, path, depth, projecting);
  return result;
}

function projectReference(schema: JsonObject, path: string, projecting: Projecting): void {
  if (schema["$ref"] === undefined) return;
  if (resolve(projecting.root, schema["$ref"]) === undefined) impossible(projecting, path, "a `$ref` that does not point into `$defs`");
  if (path === "") impossible(projecting, path, "a `$ref` at the root");
}

function projectObject(schema: JsonObject, result: { [key: string]: Json }, path: string, depth: number, projecting: Projecting): void {
  const { type, properties, additionalProperties } = schema;
  const isObjectType = type === "object" || (Array.isArray(type) && type.includes("object"));
  if (!isObjectType && properties === undefined) return;
  if (additionalProperties !== undefined && additionalProperties !== false) {
    impossible(projecting, path, "an object with keys that are not declared");
    return;
  }
  if (!isSchemaObject(properties)) {
    if (additionalProperties === false || path === "") Object.assign(result, { properties: {}, required: [], additionalProperties: false });
    else impossible(projecting, path, "an object without declared properties");
    return;
  }
  const required = requiredOf(schema);
  const projected: [string, JsonObject][] = [];
  for (const [name, property] of Object.entries(properties)) {
    projecting.propertyCount += 1;
    const inner = project(property, `${path}/${name}`, depth + 1, projecting);
    projected.push([name, required.has(name) || acceptsNull(property, projecting.root) ? inner : nullable(inner)]);
  }
  if (projecting.propertyCount > propertiesMax) impossible(projecting, path, `more than ${propertiesMax} properties`);
  result["properties"] = Object.fromEntries(projected);
  result["required"] = Object.keys(properties);
  result["additionalProperties"] = false;
}

function projectParts(schema: JsonObject, result: { [key: string]: Json }, path: string, depth: number, projecting: Projecting): void {
  const { type, items } = schema;
  if (items !== undefined) result["items"] = project(items, `${path}/*`, depth + 1, projecting);
  else if (type === "array" || (Array.isArray(type) && type.includes("array"))) impossible(projecting, path, "an array without `items`");
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (alternatives !== undefined) {
    if (path === "") impossible(projecting, path, "alternatives at the root");
    if (schema["anyOf"] !== undefined && schema["oneOf"] !== undefined) impossible(projecting, path, "both `anyOf` and `oneOf`");
    if (!Array.isArray(alternatives)) impossible(projecting, path, "alternatives that are not a list");
    else result["anyOf"] = alternatives.map((branch: Json) => project(branch, path === "" ? "" : `${path}?`, depth + 1, projecting));
  }
  for (const keyword of ["$defs", "definitions"]) {
    const definitions = schema[keyword];
    if (!isSchemaObject(definitions)) continue;
    const entries = Object.entries(definitions).map(
      ([name, inner]) => [name, project(inner, `/${keyword}/${name}`, depth + 1, projecting)] as const,
    );
    result[keyword] = Object.fromEntries(entries);
  }
}

function nullable(schema: JsonObject): JsonObject {
  const { type, description, ...rest } = schema;
  if (typeof type === "string" && schema["enum"] === undefined && schema["const"] === undefined) return { ...schema, type: [type, "null"] };
  const described = description === undefined ? {} : { description };
  return { ...described, anyOf: [type === undefined ? rest : { type, ...rest }, { type: "null" }] };
}

/**
 * Undoes the projection in what a model sent: a `null` for a property that the tool's own schema leaves optional and does not let be null is left out.
 * Where alternatives (`anyOf`, `oneOf`) declare the property, all of them must agree. Everything else stays as it was sent.
 */
export function dropProjectedNulls(schema: JsonObject, args: JsonObject): JsonObject {
  return dropInObject([...expand(schema, schema)], args, schema);
}

function dropInObject(schemas: readonly JsonObject[], value: JsonObject, root: JsonObject): JsonObject {
  const result: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    const declaring = schemas.filter((schema) => isSchemaObject(schema["properties"]) && Object.hasOwn(schema["properties"], key));
    const properties = declaring.map((schema) => (schema["properties"] as JsonObject)[key] as Json);
    const isProjected =
      member === null &&
      declaring.length > 0 &&
      declaring.every((schema) => !requiredOf(schema).has(key)) &&
      !properties.some((property) => acceptsNull(property, root));
    if (!isProjected) result[key] = dropInValue(properties, member, root);
  }
  return result;
}

function dropInValue(schemas: readonly Json[], value: Json, root: JsonObject): Json {
  if (value === null || typeof value !== "object") return value;
  const candidates = schemas.flatMap((schema) => (isSchemaObject(schema) ? [...expand(schema, root)] : []));
  if (candidates.length === 0) return value;
  if (!Array.isArray(value)) return dropInObject(candidates, value as JsonObject, root);
  const items = candidates.flatMap((schema) => (schema["items"] === undefined ? [] : [schema["items"]]));
  return value.map((item: Json) => dropInValue(items, item, root));
}

// A schema with everything it refers to or offers as an alternative, each once, so that cycles end.
function expand(schema: JsonObject, root: JsonObject): Set<JsonObject> {
  const found = new Set<JsonObject>();
  const open: (Json | undefined)[] = [schema];
  while (open.length > 0) {
    const next = open.pop();
    if (!isSchemaObject(next) || found.has(next)) continue;
    found.add(next);
    for (const keyword of ["anyOf", "oneOf", "allOf"]) {
      const branches = next[keyword];
      if (Array.isArray(branches)) for (const branch of branches as readonly Json[]) open.push(branch);
    }
    if (next["$ref"] !== undefined) open.push(resolve(root, next["$ref"]));
  }
  return found;
}

/** Whether a schema lets `null` through; without anything that says what it is, it does. */
function acceptsNull(schema: Json | undefined, root: JsonObject): boolean {
  if (!isSchemaObject(schema)) return schema !== false;
  for (const part of expand(schema, root)) {
    const { type, enum: values } = part;
    if (type === "null" || (Array.isArray(type) && type.includes("null"))) return true;
    if (part["const"] === null || (Array.isArray(values) && type === undefined && values.includes(null))) return true;
    const isOpen = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "not", "properties"].every(
      (keyword) => part[keyword] === undefined,
    );
    if (isOpen) return true;
  }
  return false;
}

function requiredOf(schema: JsonObject): ReadonlySet<Json> {
  const { required } = schema;
  return new Set(Array.isArray(required) ? (required as readonly Json[]) : []);
}

function isSchemaObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Only references one level into `$defs` or `definitions`: what strict mode takes.
function resolve(root: JsonObject, reference: Json): Json | undefined {
  const match = typeof reference === "string" ? /^#\/(\$defs|definitions)\/([^/~%]+)$/.exec(reference) : null;
  if (match === null) return undefined;
  const definitions = root[match[1] as string];
  const name = match[2] as string;
  return isSchemaObject(definitions) && Object.hasOwn(definitions, name) ? definitions[name] : undefined;
}
