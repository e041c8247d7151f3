import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../domain/json.ts";

/**
 * What we need of the Standard Schema protocol (https://standardschema.dev): validation, and a JSON Schema to show to models. Zod 4 and ArkType give
 * both; plain JSON Schema (TypeBox, literals) is taken as it is.
 */
export interface StandardInput<Output = unknown> {
  readonly "~standard": {
    readonly vendor: string;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    readonly validate?: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly jsonSchema?: { readonly input: (options: { readonly target: "draft-2020-12" }) => object };
  };
}

/** What a Standard Schema says of a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that a Standard Schema found wrong. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What may be given as a tool's input. */
export type ToolInput = StandardInput | object;

/** What a handler gets for an input: the schema's own output, or a JSON object for plain JSON Schema. */
export type ArgumentsOf<Input> = Input extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output }
    ? Output
    : JsonObject
  : JsonObject;

/** Whether an input speaks the Standard Schema protocol. */
export function isStandard(input: unknown): input is StandardInput {
  return input !== null && (typeof input === "object" || typeof input === "function") && "~standard" in input;
}

/** How an input becomes JSON Schema 2020-12, or why it cannot. */
export function toJsonSchema(input: unknown): { readonly schema: JsonObject } | { readonly problem: string } {
  if (isStandard(input)) return fromStandard(input);
  if (input === null || typeof input !== "object" || Array.isArray(input))
    return { problem: "`input` is neither a schema of a validation library nor a JSON Schema object" };
  if ("_zod" in input || "_def" in input)
    return {
      problem: '`input` is a Zod schema without JSON Schema; use the full `zod` 4 build, or pass `z.toJSONSchema(schema, { io: "input" })`',
    };
  return plain(input);
}

function fromStandard(input: StandardInput): { readonly schema: JsonObject } | { readonly problem: string } {
  const { jsonSchema, vendor } = input["~standard"];
  if (jsonSchema === undefined) return { problem: `\`input\` is a ${vendor} schema that gives no JSON Schema; ${converterFor(vendor)}` };
  try {
    return plain(jsonSchema.input({ target: "draft-2020-12" }));
  } catch (cause) {
    // The library says what cannot be expressed (a date, a function); its author wrote that for the developer who reads it now.
    return {
      problem: `\`input\` cannot be written as JSON Schema: ${cause instanceof Error ? cause.message : "the library gave no reason"}`,
    };
  }
}

function converterFor(vendor: string): string {
  switch (vendor) {
    case "valibot":
      return "wrap it with `toStandardJsonSchema` of `@valibot/to-json-schema`";
    case "zod":
      return 'use the full `zod` 4 build, or pass `z.toJSONSchema(schema, { io: "input" })`';
    default:
      return "convert it to JSON Schema with a tool of that library and pass the result";
  }
}

// A copy as pure data: nothing that the definer changes later, and no hidden members of a library, gets into the fingerprint.
function plain(schema: object): { readonly schema: JsonObject } | { readonly problem: string } {
  const copy = copyJson(schema, 0);
  if (copy === undefined) return { problem: "`input` is not plain data: it holds a cycle, or a value that JSON does not have" };
  if (copy === null || typeof copy !== "object" || Array.isArray(copy)) return { problem: "`input` is not a JSON Schema object" };
  return { schema: copy as JsonObject };
}

function copyJson(value: unknown, depth: number): Json | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "object" || depth > fixedBounds.definitionDepthMax) return undefined;
  const copies: [string, Json][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const copy = copyJson(member, depth + 1);
    if (copy === undefined) return undefined;
    copies.push([name, copy]);
  }
  return Array.isArray(value) ? copies.map(([, copy]) => copy) : Object.fromEntries(copies);
}
