/**
 * What a change of a tool's input schema means for calls that were right before: `breaking` (one may now be refused), `additive` (more is taken),
 * `cosmetic` (only words changed). What cannot be classified counts as breaking, so that nothing slips through as harmless.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { shortJson, typeInWords } from "./describe.ts";
import { escapePointer } from "./graph.ts";

/** How grave a change is. */
export type ChangeKind = "breaking" | "additive" | "cosmetic";

/** One change, for people. */
export interface SchemaChange {
  readonly kind: ChangeKind;
  /** JSON pointer of the argument. */
  readonly path: string;
  /** One line: what was and what is. */
  readonly message: string;
}

/** The whole comparison: `kind` is the gravest of the changes, undefined when the schemas are equal. */
export interface SchemaComparison {
  readonly kind: ChangeKind | undefined;
  readonly changes: readonly SchemaChange[];
}

const gravity: readonly ChangeKind[] = ["breaking", "additive", "cosmetic"];
const wordKeywords = new Set([
  "title",
  "description",
  "$comment",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "default",
  "$schema",
  "$id",
]);
const lowerBounds = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"]);
const upperBounds = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]);

/** Compares two versions of an input schema. */
export function compareSchemas(old: JsonSchema, next: JsonSchema): SchemaComparison {
  const changes: SchemaChange[] = [];
  compareAt("", old, next, changes);
  changes.sort((left, right) => gravity.indexOf(left.kind) - gravity.indexOf(right.kind));
  return { kind: changes[0]?.kind, changes };
}

function compareAt(path: string, old: JsonSchema, next: JsonSchema, changes: SchemaChange[]): void {
  if (canonicalJson(old) === canonicalJson(next)) return;
  if (typeof old !== "object" || typeof next !== "object") {
    const isWider = next === true || old === false;
    changes.push({ kind: isWider ? "additive" : "breaking", path, message: isWider ? "now takes more" : "now takes less" });
    return;
  }
  for (const keyword of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const [before, after] = [old[keyword], next[keyword]];
    if (before !== undefined && after !== undefined && canonicalJson(before) === canonicalJson(after)) continue;
    if (keyword === "properties") compareProperties(path, old, next, changes);
    else if (keyword === "items" && isSchema(before) && isSchema(after)) compareAt(`${path}/*`, before, after, changes);
    else changes.push({ path, ...changeOf(keyword, before, after) });
  }
}

function compareProperties(path: string, old: JsonObject, next: JsonObject, changes: SchemaChange[]): void {
  const before = membersOf(old.properties);
  const after = membersOf(next.properties);
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const at = `${path}/${escapePointer(name)}`;
    const [left, right] = [before[name], after[name]];
    if (left !== undefined && right !== undefined) compareAt(at, left as JsonSchema, right as JsonSchema, changes);
    else if (right === undefined) changes.push({ kind: "breaking", path: at, message: "is gone; calls that send it are refused" });
    else changes.push({ kind: "additive", path: at, message: "is new" });
  }
}

function changeOf(keyword: string, before: Json | undefined, after: Json | undefined): Omit<SchemaChange, "path"> {
  if (wordKeywords.has(keyword)) return { kind: "cosmetic", message: `\`${keyword}\` changed` };
  if (keyword === "required") return requiredChange(namesOf(before), namesOf(after));
  if (keyword === "enum" || keyword === "type") return listChange(keyword, before, after);
  if (lowerBounds.has(keyword) || upperBounds.has(keyword)) return boundChange(keyword, before, after);
  if (after === undefined && isPureRestriction(keyword))
    return { kind: "additive", message: `\`${keyword}\` ${shortJson(before)} is gone` };
  if (keyword === "additionalProperties" && after !== false && (before === false || before === undefined))
    return { kind: "additive", message: "takes undeclared members now" };
  const was = before === undefined ? "is new" : `was ${shortJson(before)}`;
  return { kind: "breaking", message: `\`${keyword}\` ${was}${after === undefined ? " and is gone" : `, now ${shortJson(after)}`}` };
}

function isPureRestriction(keyword: string): boolean {
  return ["pattern", "format", "const", "multipleOf", "uniqueItems", "not", "propertyNames", "dependentRequired"].includes(keyword);
}

function requiredChange(before: readonly string[], after: readonly string[]): Omit<SchemaChange, "path"> {
  const added = after.filter((name) => !before.includes(name));
  const removed = before.filter((name) => !after.includes(name));
  if (added.length > 0) return { kind: "breaking", message: `${quoted(added)} must be given now` };
  return removed.length > 0
    ? { kind: "additive", message: `${quoted(removed)} may be left out now` }
    : { kind: "cosmetic", message: "`required` was reordered" };
}

function listChange(keyword: "enum" | "type", before: Json | undefined, after: Json | undefined): Omit<SchemaChange, "path"> {
  const shown = keyword === "type" ? (value: Json) => typeInWords(value) : (value: Json) => shortJson(value);
  if (before === undefined)
    return {
      kind: "breaking",
      message: `is limited to ${[after]
        .flat()
        .map((value) => shown(value as Json))
        .join(", ")} now`,
    };
  if (after === undefined)
    return {
      kind: "additive",
      message: `is no longer limited to ${[before]
        .flat()
        .map((value) => shown(value as Json))
        .join(", ")}`,
    };
  const [left, right] = [before, after].map((list) => (Array.isArray(list) ? list : [list]) as Json[]) as [Json[], Json[]];
  const takes = (list: readonly Json[], value: Json) =>
    list.some((one) => canonicalJson(one) === canonicalJson(value) || (keyword === "type" && one === "number" && value === "integer"));
  const lost = left.filter((value) => !takes(right, value));
  const won = right.filter((value) => !takes(left, value));
  if (lost.length > 0) return { kind: "breaking", message: `no longer takes ${lost.map(shown).join(", ")}` };
  return won.length > 0
    ? { kind: "additive", message: `takes ${won.map(shown).join(", ")} as well` }
    : { kind: "cosmetic", message: `\`${keyword}\` was reordered` };
}

function boundChange(keyword: string, before: Json | undefined, after: Json | undefined): Omit<SchemaChange, "path"> {
  if (after === undefined) return { kind: "additive", message: `\`${keyword}\` ${shortJson(before)} is gone` };
  if (before === undefined) return { kind: "breaking", message: `\`${keyword}\` ${shortJson(after)} is new` };
  const isWider = lowerBounds.has(keyword) ? Number(after) < Number(before) : Number(after) > Number(before);
  return { kind: isWider ? "additive" : "breaking", message: `\`${keyword}\` was ${shortJson(before)}, now ${shortJson(after)}` };
}

function membersOf(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function isSchema(value: Json | undefined): value is JsonSchema & Json {
  return typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value));
}

function namesOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}
