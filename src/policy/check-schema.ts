import type { Json, JsonObject } from "../domain/json.ts";

/** The type that a value has inside a condition. JSON numbers are doubles there, integer literals are ints. */
export type StaticType = "double" | "int" | "string" | "bool" | "null" | "list" | "map" | undefined;

/** What a schema says of one place in a tool's arguments. */
export type Place =
  /** `isOptional` speaks of the last step alone. */
  | { readonly kind: "known"; readonly type: StaticType; readonly isOptional: boolean; readonly allowed: readonly Json[] | undefined }
  /** The schema names its members and this is none of them. */
  | { readonly kind: "absent"; readonly name: string; readonly known: readonly string[] }
  /** The schema does not say. */
  | { readonly kind: "open" };

const open: Place = { kind: "open" };

/** Looks a path such as `["items", 0, "sku"]` up in an input schema. What a plain walk over `properties` and `items` cannot tell is `open`. */
export function placeIn(root: JsonObject, path: readonly (string | number)[]): Place {
  let schema: JsonObject | undefined = follow(root, root);
  let isOptional = false;
  for (const step of path) {
    if (schema === undefined || isBranching(schema)) return open;
    if (typeof step === "number") {
      isOptional = false;
      schema = follow(schema["items"], root);
      continue;
    }
    const properties = objectOf(schema["properties"]);
    if (properties === undefined) return open;
    if (!Object.hasOwn(properties, step)) {
      const isOpen =
        schema["patternProperties"] !== undefined ||
        (schema["additionalProperties"] !== undefined && schema["additionalProperties"] !== false);
      return isOpen ? open : { kind: "absent", name: step, known: Object.keys(properties) };
    }
    const required = schema["required"];
    isOptional = !(Array.isArray(required) && required.includes(step));
    const next: JsonObject | undefined = follow(properties[step], root);
    // A default is filled in before any rule is decided.
    if (next !== undefined && Object.hasOwn(next, "default")) isOptional = false;
    schema = next;
  }
  if (schema === undefined || isBranching(schema)) return { kind: "known", type: undefined, isOptional, allowed: undefined };
  const allowed = allowedIn(schema);
  return { kind: "known", type: typeOf(schema["type"]) ?? typeOfAll(allowed), isOptional, allowed };
}

function isBranching(schema: JsonObject): boolean {
  return ["anyOf", "oneOf", "allOf", "if", "$dynamicRef"].some((keyword) => schema[keyword] !== undefined);
}

/** Follows local references such as `#/$defs/item`, a few steps at most. */
function follow(raw: Json | undefined, root: JsonObject): JsonObject | undefined {
  let schema = objectOf(raw);
  for (let hops = 0; hops < 8 && typeof schema?.["$ref"] === "string"; hops += 1) {
    const reference: string = schema["$ref"];
    if (!reference.startsWith("#/")) return undefined;
    let target: Json | undefined = root;
    for (const step of reference.slice(2).split("/")) target = objectOf(target)?.[step.replaceAll("~1", "/").replaceAll("~0", "~")];
    schema = objectOf(target);
  }
  return schema;
}

function objectOf(raw: Json | undefined): JsonObject | undefined {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) ? (raw as JsonObject) : undefined;
}

const types: Readonly<Record<string, StaticType>> = {
  number: "double",
  integer: "double",
  string: "string",
  boolean: "bool",
  null: "null",
  array: "list",
  object: "map",
};

function typeOf(raw: Json | undefined): StaticType {
  return typeof raw === "string" && Object.hasOwn(types, raw) ? types[raw] : undefined;
}

/** An `enum` without `type` says its type all the same. */
function typeOfAll(allowed: readonly Json[] | undefined): StaticType {
  return allowed?.every((value) => typeof value === "string") ? "string" : undefined;
}

function allowedIn(schema: JsonObject): readonly Json[] | undefined {
  if (schema["const"] !== undefined) return [schema["const"]];
  return Array.isArray(schema["enum"]) ? schema["enum"] : undefined;
}
