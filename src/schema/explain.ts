import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { JsonSchema } from "../domain/tool.ts";
import type { FieldProblem } from "../errors/tool-call-error.ts";
import { meantErrors } from "./alternatives.ts";
import type { UnknownMember } from "./declared.ts";
import { clean, describe, formatInWords, oneOf, shortJson, typeInWords } from "./describe.ts";
import { escapePointer } from "./graph.ts";
import { nearest, similarity } from "./nearest.ts";
import { exactNumber } from "./numbers.ts";
import type { Finding, Findings } from "./findings.ts";

/**
 * What was found wrong, in words for a model: one problem per place and cause, each with what was sent (shortened), what would be right (it reads
 * after "must be") and the likeliest mend. At most `errorFieldsMax`, missing and wrong fields before undeclared ones.
 */
export function explain(findings: Findings, value: unknown, limits: Limits): readonly FieldProblem[] {
  if (findings.isExhausted)
    return [
      { path: "", expected: "simpler: the schema's alternatives multiply and it was not decided within the bound", got: shortJson(value) },
    ];
  const problems: FieldProblem[] = [];
  for (const error of meantErrors(findings.errors)) {
    const problem = problemOf(error, findings.unknown);
    if (problem !== undefined) problems.push(problem);
  }
  for (const member of findings.unknown) problems.push(unknownProblem(member));
  const merged = mergeByPath(problems);
  if (merged.length === 0) merged.push({ path: "", expected: "arguments that fit the schema", got: shortJson(value) });
  return merged.slice(0, limits.errorFieldsMax);
}

function mergeByPath(problems: readonly FieldProblem[]): FieldProblem[] {
  const byPath = new Map<string, FieldProblem>();
  for (const problem of problems) {
    const known = byPath.get(problem.path);
    if (known === undefined) byPath.set(problem.path, problem);
    else if (!known.expected.includes(problem.expected) && known.expected.length < 300) {
      const hint = known.hint ?? problem.hint;
      byPath.set(problem.path, { ...known, expected: `${known.expected}; and ${problem.expected}`, ...(hint !== undefined && { hint }) });
    }
  }
  return [...byPath.values()];
}

function problemOf(error: Finding, unknown: readonly UnknownMember[]): FieldProblem | undefined {
  if (error.propertyName !== undefined) return namingProblem(error);
  switch (error.keyword) {
    case "if":
    case "propertyNames":
      return undefined; // Their own errors come beside them and say more.
    case "required":
    case "dependentRequired":
    case "dependencies":
      return missingProblem(error, unknown);
    case "additionalProperties":
    case "unevaluatedProperties":
      return undeclaredProblem(error);
    default: {
      const expected = [...new Set((error.alternatives ?? [error]).map(expectation))].join(" or ");
      return { path: shortPath(error.instancePath), got: shortJson(error.data), expected, ...hinted(valueHint(error)) };
    }
  }
}

function hinted(hint: string | undefined): { readonly hint?: string } {
  return hint === undefined ? {} : { hint };
}

// What a model reads must stay a line: a key may be as long as all arguments together.
function shortPath(path: string): string {
  const text = clean(path);
  return text.length <= fixedBounds.shownPathCharsMax ? text : `${text.slice(0, fixedBounds.shownPathCharsMax - 1)}…`;
}

function under(path: string, name: string): string {
  return shortPath(`${path}/${escapePointer(name)}`);
}

function missingProblem(error: Finding, unknown: readonly UnknownMember[]): FieldProblem {
  const name = String((error.params as { readonly missingProperty: unknown }).missingProperty);
  const properties = (error.parentSchema as { readonly properties?: Readonly<Record<string, JsonSchema>> } | undefined)?.properties;
  const wanted = properties !== undefined && Object.hasOwn(properties, name) ? describe(properties[name] as JsonSchema) : "a value";
  const here = unknown.filter((member) => pointerOf(member.parent) === error.instancePath);
  const meant = likeliestMeant(name, here, properties?.[name]);
  const hint = meant === undefined ? undefined : `\`${clean(meant.name)}\` is not an argument here; rename it to \`${name}\``;
  return { path: under(error.instancePath, name), expected: `given: ${wanted}`, ...hinted(hint) };
}

// The undeclared member that was probably meant as the missing one: the most alike by name; or the only one, if its value could be it.
function likeliestMeant(name: string, unknown: readonly UnknownMember[], schema: JsonSchema | undefined): UnknownMember | undefined {
  const [best] = nearest(
    name,
    unknown.map((member) => member.name),
    1,
  );
  if (best !== undefined) return unknown.find((member) => member.name === best);
  const [only, second] = unknown;
  return only !== undefined && second === undefined && hasType(only.value, schema) ? only : undefined;
}

function hasType(value: unknown, schema: JsonSchema | undefined): boolean {
  if (typeof schema !== "object" || typeof schema.type !== "string") return false;
  switch (schema.type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return typeof value === schema.type && !Array.isArray(schema.enum);
  }
}

function unknownProblem(member: UnknownMember): FieldProblem {
  const { declaration, siblings, name } = member;
  const unused = [...declaration.members.keys()].filter((known) => !Object.hasOwn(siblings, known));
  const candidates = unused.length > 0 ? unused : [...declaration.members.keys()];
  return {
    path: under(pointerOf(member.parent), name),
    got: shortJson(member.value),
    expected: "left out, no such argument is declared",
    ...hinted(nameHint(name, candidates, declaration.requiredNames, [...declaration.members.keys()])),
  };
}

function undeclaredProblem(error: Finding): FieldProblem {
  const params = error.params as { readonly additionalProperty?: unknown; readonly unevaluatedProperty?: unknown };
  const name = String(params.additionalProperty ?? params.unevaluatedProperty);
  const data = (error.data ?? {}) as Readonly<Record<string, unknown>>;
  const properties = Object.keys((error.parentSchema as { readonly properties?: object } | undefined)?.properties ?? {});
  const unused = properties.filter((known) => !Object.hasOwn(data, known));
  const required = new Set(((error.parentSchema as { readonly required?: readonly string[] } | undefined)?.required ?? []).map(String));
  return {
    path: under(error.instancePath, name),
    got: shortJson(data[name]),
    expected: "left out, no such argument is declared",
    ...hinted(nameHint(name, unused, required, properties)),
  };
}

// Of names that are equally alike the required one is meant. Without a near one the declared names are listed, if they are few.
function nameHint(name: string, candidates: readonly string[], required: ReadonlySet<string>, all: readonly string[]): string | undefined {
  const near = nearest(name, candidates, 3);
  const top = near[0];
  if (top !== undefined) {
    const equal = near.filter((candidate) => similarity(name, candidate) === similarity(name, top));
    const best = equal.find((candidate) => required.has(candidate)) ?? top;
    return `nearest: \`${best}\``;
  }
  if (all.length === 0) return "this takes no arguments";
  return all.length <= 12 ? `declared are ${all.map((known) => `\`${clean(known.slice(0, 60))}\``).join(", ")}` : undefined;
}

function namingProblem(error: Finding): FieldProblem {
  const name = String(error.propertyName);
  return {
    path: under(error.instancePath, name),
    got: shortJson(name),
    expected: `named otherwise: the name must be ${expectation(error)}`,
  };
}

function pointerOf(path: readonly string[]): string {
  return path.map((step) => `/${escapePointer(step)}`).join("");
}

/** What would be right where an error is; reads after "must be". */
function expectation(error: Finding): string {
  const params = error.params as Readonly<Record<string, unknown>>;
  const limit = String(params.limit);
  switch (error.keyword) {
    case "type":
      return typeof error.parentSchema === "object" ? typeExpectation(error) : typeInWords(params.type);
    case "enum":
      return oneOf(params.allowedValues as readonly unknown[]);
    case "const":
      return oneOf([params.allowedValue]);
    case "format":
      return formatInWords(String(params.format));
    case "pattern":
      return `a string matching \`${clean(String(params.pattern)).slice(0, 100)}\``;
    case "minimum":
      return `a number of at least ${limit}`;
    case "maximum":
      return `a number of at most ${limit}`;
    case "exclusiveMinimum":
      return `a number greater than ${limit}`;
    case "exclusiveMaximum":
      return `a number less than ${limit}`;
    case "multipleOf":
      return `a multiple of ${String(params.multipleOf)}`;
    default:
      return sizeExpectation(error.keyword, limit, params);
  }
}

function typeExpectation(error: Finding): string {
  const parent = error.parentSchema as JsonSchema;
  return typeof parent === "object" && (parent.enum !== undefined || parent.type === "array" || parent.format !== undefined)
    ? describe(parent)
    : typeInWords((error.params as { readonly type: unknown }).type);
}

function sizeExpectation(keyword: string, limit: string, params: Readonly<Record<string, unknown>>): string {
  switch (keyword) {
    case "minLength":
      return `a string of at least ${limit} characters`;
    case "maxLength":
      return `a string of at most ${limit} characters`;
    case "minItems":
      return `a list of at least ${limit} items`;
    case "maxItems":
      return `a list of at most ${limit} items`;
    case "minProperties":
      return `an object of at least ${limit} members`;
    case "maxProperties":
      return `an object of at most ${limit} members`;
    case "uniqueItems":
      return `a list without repeats (items ${String(params.j)} and ${String(params.i)} are equal)`;
    case "contains":
      return `a list with at least ${Number(params.minContains ?? 1)} item that fits what it must contain`;
    case "oneOf":
      return params.passingSchemas === null || params.passingSchemas === undefined
        ? "one of the declared alternatives"
        : "clearly one alternative; several fit";
    case "anyOf":
      return "one of the declared alternatives";
    case "not":
      return "something else; this value is ruled out";
    default:
      return "left out; no value fits here";
  }
}

function valueHint(error: Finding): string | undefined {
  const { data, keyword } = error;
  const params = error.params as Readonly<Record<string, unknown>>;
  if (keyword === "enum" && typeof data === "string") {
    const allowed = (params.allowedValues as readonly unknown[]).filter((value) => typeof value === "string");
    const [best] = nearest(data, allowed, 1);
    return best === undefined ? undefined : `nearest: \`${clean(best)}\``;
  }
  if (keyword !== "type") return undefined;
  const types = [params.type].flat();
  if (typeof data === "string" && (types.includes("number") || types.includes("integer")) && exactNumber(data) !== undefined)
    return `send \`${data}\` without quotes`;
  if (typeof data === "string" && (types.includes("array") || types.includes("object")) && /^\s*[[{]/.test(data))
    return "send it as JSON itself, not as text that holds JSON";
  if (types.includes("array") && !Array.isArray(data) && data !== null)
    return `if one item is meant, send a list of one: \`${`[${shortJson(data)}]`.slice(0, 60)}\``;
  if (data === null) return "leave it out if there is no value";
  return undefined;
}
