/**
 * Which members a schema declares at a place of a value. JSON Schema takes every member it was not told to refuse; for a tool call a member that
 * nobody declared is a misunderstanding, and a model should hear of it. So arguments are closed: at the root, and in every nested object whose
 * schema declares `properties`, unless the schema itself says what happens to others (`additionalProperties`, `unevaluatedProperties`).
 *
 * The schema is not rewritten for this: a rewritten one would refuse what several parts of an `allOf` declare together. Instead all subschemas that
 * apply to a place are collected (through references and combinations; of alternatives those that accept the value, all if none does) and a member
 * is unknown when none of them declares it.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { SchemaGraph, SchemaNode } from "./graph.ts";

/** What is declared of the members of one object, or the items of one array. */
export interface Declaration {
  /** Whether members that are not declared are refused. */
  readonly isClosed: boolean;
  readonly members: ReadonlyMap<string, readonly SchemaNode[]>;
  readonly requiredNames: ReadonlySet<string>;
  /** Subschemas of members whose name matches. */
  readonly patterns: readonly { readonly source: string; readonly test: (name: string) => boolean; readonly node: SchemaNode }[];
  /** Subschemas of all other members. */
  readonly others: readonly SchemaNode[];
  readonly items: readonly SchemaNode[];
  readonly prefix: readonly (readonly SchemaNode[])[];
}

/** Asks whether a subschema takes a value. */
export type Acceptance = (node: SchemaNode, value: unknown) => boolean;

/** Reads declarations off a schema. */
export interface Declarations {
  /** The declaration of a value from the subschemas that are known to apply to it. */
  of(nodes: readonly SchemaNode[], value: unknown): Declaration;
  /** Pointers of members that are not declared, first found first, at most `max`; empty when all are. */
  unknownMembers(value: unknown, max: number): readonly UnknownMember[];
  readonly root: readonly SchemaNode[];
  /** The declaration where it is the same for every value; undefined where it is not. */
  fixed(nodes: readonly SchemaNode[]): Declaration | undefined;
}

/** A member that nobody declared. */
export interface UnknownMember {
  readonly parent: readonly string[];
  readonly name: string;
  readonly value: unknown;
  readonly siblings: Readonly<Record<string, unknown>>;
  readonly declaration: Declaration;
}

/** Builds the reader of one schema. */
export function createDeclarations(
  graph: SchemaGraph,
  options: { readonly accepts: Acceptance; readonly compilePattern: (source: string) => { test(text: string): boolean } },
): Declarations {
  const cache = new Map<string, Declaration>();
  const root = [graph.root];

  function of(nodes: readonly SchemaNode[], value: unknown): Declaration {
    const applying = expand(graph, nodes, value, options.accepts);
    const key = applying.map((node) => node.id).join(",") + (nodes === root ? "r" : "");
    const known = cache.get(key);
    if (known !== undefined) return known;
    const declaration = merge(graph, applying, nodes === root, options.compilePattern);
    if (cache.size < fixedBounds.rememberedMax) cache.set(key, declaration);
    return declaration;
  }

  // Where nothing depends on the value, the declaration of a list of nodes is always the same one.
  const fixed = new Map<readonly SchemaNode[], Declaration | undefined>();
  function quickly(nodes: readonly SchemaNode[], value: unknown): Declaration {
    const known = fixed.get(nodes);
    if (known !== undefined) return known;
    const declaration = of(nodes, value);
    if (!fixed.has(nodes)) fixed.set(nodes, isFixed(graph, nodes) ? declaration : undefined);
    return declaration;
  }

  function walk(nodes: readonly SchemaNode[], value: unknown, path: readonly string[], found: UnknownMember[], max: number): void {
    if (typeof value !== "object" || value === null || nodes.length === 0 || found.length >= max) return;
    const declaration = quickly(nodes, value);
    if (Array.isArray(value)) {
      if (declaration.items.length === 0 && declaration.prefix.length === 0) return;
      for (const [index, item] of value.entries())
        if (typeof item === "object") walk(declaration.prefix[index] ?? declaration.items, item, [...path, String(index)], found, max);
      return;
    }
    const siblings = value as Record<string, unknown>;
    for (const name of Object.keys(siblings)) {
      const member = siblings[name];
      const declared = memberNodes(declaration, name);
      if (declared === undefined) {
        if (declaration.isClosed && found.length < max) found.push({ parent: path, name, value: member, siblings, declaration });
      } else if (typeof member === "object" && member !== null) {
        walk(declared, member, [...path, name], found, max);
      }
    }
  }

  return {
    root,
    of,
    fixed: (nodes) => (isFixed(graph, nodes) ? of(nodes, undefined) : undefined),
    unknownMembers(value, max) {
      const found: UnknownMember[] = [];
      walk(root, value, [], found, max);
      return found;
    },
  };
}

/** The subschemas of a member by name; undefined when nobody declares it. */
export function memberNodes(declaration: Declaration, name: string): readonly SchemaNode[] | undefined {
  const named = declaration.members.get(name);
  if (declaration.patterns.length === 0) return named ?? (declaration.others.length > 0 ? declaration.others : undefined);
  const matching = declaration.patterns.filter((pattern) => pattern.test(name)).map((pattern) => pattern.node);
  if (named !== undefined) return matching.length === 0 ? named : [...named, ...matching];
  if (matching.length > 0) return matching;
  return declaration.others.length > 0 ? declaration.others : undefined;
}

function isFixed(graph: SchemaGraph, nodes: readonly SchemaNode[], seen = new Set<SchemaNode>()): boolean {
  return nodes.every((node) => {
    if (seen.has(node)) return true;
    seen.add(node);
    return graph.edges(node).every((edge) => {
      if (edge.placement !== "in-place" || edge.keyword === "not") return true;
      return (edge.keyword === "allOf" || edge.keyword === "$ref") && isFixed(graph, [edge.target], seen);
    });
  });
}

function expand(graph: SchemaGraph, nodes: readonly SchemaNode[], value: unknown, accepts: Acceptance): readonly SchemaNode[] {
  const seen = new Set<SchemaNode>();
  const queue = [...nodes];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    queue.push(...applyingParts(graph, node, value, accepts));
  }
  return [...seen].sort((left, right) => left.id - right.id);
}

function applyingParts(graph: SchemaGraph, node: SchemaNode, value: unknown, accepts: Acceptance): readonly SchemaNode[] {
  const edges = graph.edges(node).filter((edge) => edge.placement === "in-place");
  if (edges.length === 0) return [];
  const under = (keyword: string) => edges.filter((edge) => edge.keyword === keyword).map((edge) => edge.target);
  const parts = [...under("allOf"), ...under("$ref"), ...under("$dynamicRef")];
  for (const keyword of ["anyOf", "oneOf"]) {
    const branches = under(keyword);
    const taken = branches.filter((branch) => accepts(branch, value));
    parts.push(...(taken.length > 0 ? taken : branches));
  }
  const [condition] = under("if");
  if (condition !== undefined) parts.push(...(accepts(condition, value) ? [condition, ...under("then")] : under("else")));
  for (const edge of edges) {
    const isDependent = edge.keyword === "dependentSchemas" || edge.keyword === "dependencies";
    if (isDependent && typeof value === "object" && value !== null && Object.hasOwn(value, edge.key)) parts.push(edge.target);
  }
  return parts;
}

type PatternCompiler = (source: string) => { test(text: string): boolean };

function merge(graph: SchemaGraph, applying: readonly SchemaNode[], isRoot: boolean, compile: PatternCompiler): Declaration {
  const members = new Map<string, SchemaNode[]>();
  const patterns: { source: string; test: (name: string) => boolean; node: SchemaNode }[] = [];
  const others: SchemaNode[] = [];
  const items: SchemaNode[] = [];
  const prefix: SchemaNode[][] = [];
  const requiredNames = new Set<string>();
  let isOpen = false;
  let declaresMembers = isRoot;
  for (const node of applying) {
    if (typeof node.schema !== "object") continue;
    isOpen ||= node.schema.additionalProperties !== undefined || node.schema.unevaluatedProperties !== undefined;
    declaresMembers ||= node.schema.properties !== undefined;
    if (Array.isArray(node.schema.required)) for (const name of node.schema.required) requiredNames.add(String(name));
    for (const { keyword, key, target } of graph.edges(node)) {
      if (keyword === "properties") members.set(key, [...(members.get(key) ?? []), target]);
      else if (keyword === "patternProperties") {
        const compiled = compile(key);
        patterns.push({ source: key, test: (name) => compiled.test(name), node: target });
      } else if (keyword === "additionalProperties" || keyword === "unevaluatedProperties") others.push(target);
      else if (keyword === "prefixItems" || (keyword === "items" && key !== "")) (prefix[Number(key)] ??= []).push(target);
      else if (keyword === "items" || keyword === "additionalItems" || keyword === "unevaluatedItems") items.push(target);
    }
  }
  return { isClosed: declaresMembers && !isOpen, members, requiredNames, patterns, others, items, prefix };
}
