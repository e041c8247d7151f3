/**
 * A schema as one self-contained document for the validator: references are rewritten to plain pointers as the graph resolved them, documents handed
 * over are put inside, and names that only serve resolution (`$id`, anchors) are gone. The validator's own resolution fails on some legal documents
 * and cannot follow dynamic references; this way nothing is left for it to resolve. Meaning does not change.
 */
import type { JsonSchema } from "../domain/tool.ts";
import type { SchemaGraph, SchemaNode } from "./graph.ts";
import { isMetaSchema } from "./vet.ts";

/** Marks where the validator counts a step; see `engine.ts`. */
export const stepKeyword = "x-signalbox-step";

const outside = "x-signalbox-documents";
const resolutionNames = new Set(["$id", "$anchor", "$dynamicAnchor", "$schema", "$ref", "$dynamicRef"]);
const branching = new Set(["anyOf", "oneOf", "allOf", "if", "not", "$ref", "$dynamicRef"]);

// Takes every value without looking empty to the validator, which skips what is.
const acceptsAll = { allOf: [{}] };

/** The document. With `countsSteps`, every subschema with alternatives or references is marked. */
export function normalise(
  graph: SchemaGraph,
  documents: Readonly<Record<string, JsonSchema>>,
  options: { readonly countsSteps: boolean },
): JsonSchema {
  const bySchema = new Map<unknown, SchemaNode>();
  for (const node of graph.nodes) if (typeof node.schema === "object") bySchema.set(node.schema, node);
  const names = Object.keys(documents);
  // Which document a node is in shows in the copy only by where it was met, so that is noted on the way.
  const prefixes = new Map<SchemaNode, string>();
  for (const node of graph.nodes) {
    if (node.isInRoot) prefixes.set(node, "");
    else prefixes.set(node, `/${outside}/${names.findIndex((name) => name === node.document)}`);
  }
  const copy = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(copy);
    const node = bySchema.get(value);
    const result: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(value)) {
      if (node !== undefined && resolutionNames.has(key)) continue;
      define(result, key, copy(member));
    }
    if (node !== undefined) rewrite(node, result, graph, prefixes, options.countsSteps);
    return result;
  };
  const whole = copy(graph.root.schema);
  if (names.length > 0 && typeof whole === "object")
    define(
      whole as Record<string, unknown>,
      outside,
      names.map((name) => copy(documents[name])),
    );
  return whole as JsonSchema;
}

// A member named `__proto__` has to stay a member.
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function rewrite(
  node: SchemaNode,
  result: Record<string, unknown>,
  graph: SchemaGraph,
  prefixes: ReadonlyMap<SchemaNode, string>,
  countsSteps: boolean,
): void {
  const schema = node.schema as { readonly [keyword: string]: unknown };
  const references: string[] = [];
  for (const edge of graph.edges(node))
    if (edge.keyword === "$ref" || edge.keyword === "$dynamicRef")
      references.push(`#${encodeURI((prefixes.get(edge.target) ?? "") + edge.target.pointer)}`);
  if (typeof schema.$ref === "string" && isMetaSchema(schema.$ref) && references.length === 0) references.push(schema.$ref);
  const [first, ...rest] = references;
  if (first !== undefined) result.$ref = first;
  if (rest.length > 0) result.allOf = [...((result.allOf as readonly unknown[] | undefined) ?? []), ...rest.map(($ref) => ({ $ref }))];
  // A lone condition accepts everything but still says which members it looked at.
  if (result.if !== undefined && !node.isDraft7) {
    result.then ??= acceptsAll;
    result.else ??= acceptsAll;
  }
  if (Array.isArray(schema.enum) && schema.enum.length === 0) {
    delete result.enum;
    result.allOf = [...((result.allOf as readonly unknown[] | undefined) ?? []), false];
  }
  if (countsSteps && Object.keys(schema).some((keyword) => branching.has(keyword))) result[stepKeyword] = true;
}
