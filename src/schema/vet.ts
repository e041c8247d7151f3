/**
 * What is looked at before a schema is taken: that it is one, that it is bounded, that it reaches nothing outside itself, and that validating with it
 * ends. Cheap enough to run for every tool at registration, since compiling waits for the first call.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { buildGraph, type SchemaGraph, type SchemaNode } from "./graph.ts";
import { applicators, plainKeywords } from "./keywords.ts";
import { patternProblem } from "./patterns.ts";

/** How a schema is to be judged. */
export interface VetOptions {
  readonly limits?: Limits;
  /** From outside: patterns must fit the linear-time engine. Default false. */
  readonly isForeign?: boolean;
  /** It describes arguments, so its root must take objects. Default false. */
  readonly isObject?: boolean;
  /** Other documents by absolute URI that references may reach. */
  readonly documents?: Readonly<Record<string, JsonSchema>>;
}

/** Everything wrong with a schema, one line each with a JSON pointer; empty when it may be used. Never throws, never runs long. */
export function schemaProblems(schema: JsonSchema, options: VetOptions = {}): readonly string[] {
  const limits = options.limits ?? defaultLimits;
  const oversize = sizeProblem(schema, limits);
  if (oversize !== undefined) return [oversize];
  if (typeof schema !== "object") return typeof schema === "boolean" && options.isObject !== true ? [] : ["a schema is an object"];
  const graph = buildGraph(schema, options.documents);
  const own = graph.nodes.filter((node) => node.isInRoot);
  const problems = own.flatMap((node) => keywordProblems(node, { limits, isForeign: options.isForeign ?? false }));
  problems.push(...referenceProblems(graph), ...(problems.length === 0 ? stepProblems(graph, limits) : []));
  if (options.isObject === true) problems.push(...rootProblems(schema));
  return problems.slice(0, fixedBounds.problemsMax);
}

function sizeProblem(schema: unknown, limits: Limits): string | undefined {
  // Depth first and without recursion, so that nothing below can overflow.
  let level: unknown[] = [schema];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limits.schemaDepthMax * 2)
      return `the schema is nested deeper than ${limits.schemaDepthMax} levels (limit \`schemaDepthMax\`)`;
    level = level.flatMap((value): unknown[] => (typeof value === "object" && value !== null ? Object.values(value) : []));
  }
  const sizeBytes = Buffer.byteLength(JSON.stringify(schema) ?? "");
  if (sizeBytes > limits.schemaBytesMax)
    return `the schema has ${sizeBytes} bytes, at most ${limits.schemaBytesMax} are taken (limit \`schemaBytesMax\`)`;
  return undefined;
}

function rootProblems(schema: Exclude<JsonSchema, boolean>): string[] {
  const { type } = schema;
  const takesObjects = type === undefined || type === "object" || (Array.isArray(type) && type.includes("object"));
  return takesObjects
    ? []
    : [`the root has type \`${Array.isArray(type) ? type.join(", ") : JSON.stringify(type)}\`; arguments are an object`];
}

function keywordProblems(node: SchemaNode, options: { readonly limits: Limits; readonly isForeign: boolean }): string[] {
  if (typeof node.schema !== "object") return [];
  const problems: string[] = [];
  for (const [keyword, value] of Object.entries(node.schema)) {
    const plain = plainKeywords.get(keyword);
    const isHidden = node.isDraft7 && "$ref" in node.schema && keyword !== "$ref";
    if (isHidden) continue;
    if (plain !== undefined && !plain.holds(value)) problems.push(`\`${keyword}\` must be ${plain.words}`);
    else if (applicators.has(keyword)) problems.push(...applicatorProblems(node, keyword, value, options.limits));
    else if (keyword === "pattern") problems.push(patternProblem(value as string, options) ?? "");
    if (keyword === "patternProperties" && isMembers(value))
      problems.push(...Object.keys(value).map((source) => patternProblem(source, options) ?? ""));
    if (keyword === "nullable" && value === true && node.schema.type === undefined) problems.push("`nullable` needs a `type` beside it");
  }
  return problems.filter((problem) => problem !== "").map((problem) => `at \`#${node.pointer}\`: ${problem}`);
}

function applicatorProblems(node: SchemaNode, keyword: string, value: unknown, limits: Limits): string[] {
  const holding = applicators.get(keyword)?.holding;
  if (holding === "list" || (holding === "one-or-list" && Array.isArray(value))) {
    if (!Array.isArray(value) || value.length === 0) return [`\`${keyword}\` must be a list of at least one schema`];
    if (keyword === "items" && !node.isDraft7) return ["`items` must be one schema; a list of schemas is `prefixItems`"];
    if (value.length > limits.schemaBranchesMax)
      return [`\`${keyword}\` has ${value.length} branches, at most ${limits.schemaBranchesMax} are taken (limit \`schemaBranchesMax\`)`];
    return value.every(isSchema) ? [] : [`every member of \`${keyword}\` must be a schema`];
  }
  if (holding === "one" || holding === "one-or-list")
    return isSchema(value) ? [] : [`\`${keyword}\` must be a schema (an object, true or false)`];
  if (!isMembers(value)) return [`\`${keyword}\` must be an object`];
  const isRight = (member: unknown) => isSchema(member) || (holding === "members-or-names" && Array.isArray(member));
  return Object.values(value).every(isRight) ? [] : [`every member of \`${keyword}\` must be a schema`];
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSchema(value: unknown): boolean {
  return typeof value === "boolean" || isMembers(value);
}

function referenceProblems(graph: SchemaGraph): string[] {
  const open = graph.openReferences.map(
    ({ node, reference }) =>
      `at \`#${node.pointer}\`: \`$dynamicRef\` \`${reference.slice(0, 80)}\` may end at several anchors of that name; use \`$ref\``,
  );
  const dead = graph.deadReferences
    .filter(({ reference }) => !isMetaSchema(reference))
    .map(({ node, reference }) => {
      const where = `at \`#${node.pointer}\`: \`$ref\` \`${reference.slice(0, 80)}\``;
      if (/^[a-z][a-z0-9+.-]*:/i.test(reference))
        return `${where} points outside the schema and is not followed; put its target under \`$defs\``;
      return `${where} points to nothing in the schema`;
    });
  return [...open, ...dead];
}

/** The dialects' own schemas come with the validator and are the only references outside that are followed. */
export function isMetaSchema(reference: string): boolean {
  return /^https?:\/\/json-schema\.org\/draft(-07|\/2020-12)\/(schema|meta\/[a-z-]+)#?$/.test(reference);
}

/**
 * How many subschemas one value can be put through at one place: a reference that comes back to itself without going into the value would never end,
 * and alternatives of alternatives multiply.
 */
function stepProblems(graph: SchemaGraph, limits: Limits): string[] {
  const steps = new Map<SchemaNode, number>();
  const open = new Set<SchemaNode>();
  const problems: string[] = [];
  const count = (node: SchemaNode): number => {
    const known = steps.get(node);
    if (known !== undefined) return known;
    if (open.has(node)) {
      problems.push(
        `at \`#${node.pointer}\`: the reference comes back to itself without going into the value, so validation would not end`,
      );
      return 1;
    }
    open.add(node);
    let sum = 1;
    for (const edge of graph.edges(node))
      if (edge.placement === "in-place") sum = Math.min(sum + count(edge.target), Number.MAX_SAFE_INTEGER);
    open.delete(node);
    steps.set(node, sum);
    return sum;
  };
  for (const node of graph.nodes) {
    if (node.isInRoot && count(node) > limits.schemaStepsMax && problems.length === 0)
      problems.push(
        `at \`#${node.pointer}\`: one value would be tried against more than ${limits.schemaStepsMax} subschemas (limit \`schemaStepsMax\`)`,
      );
  }
  return problems;
}
