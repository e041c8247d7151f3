/**
 * Repairs of arguments that do not fit their schema. A repair may change how a value is written, never what it says: a number or boolean sent as a
 * string, a list or object sent as JSON text, the case or the blanks of a listed value, a `null` in place of leaving something out. What would be a
 * guess is not repaired and becomes a hint: a number where text is wanted (`7` for `"007"`), one value where a list is wanted, another name.
 *
 * Repairs are made only where the schema leaves exactly one, and only if the whole then fits; else nothing is changed at all.
 */
import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { CompiledSchema } from "./compile.ts";
import { parseEmbedded } from "./embedded-json.ts";
import { exactNumber } from "./numbers.ts";
import type { Finding } from "./findings.ts";

/** What was done. */
export type RepairKind = "number-from-text" | "boolean-from-text" | "json-from-text" | "listed-value" | "null-left-out";

/** One repair, as recorded in the ledger. */
export interface Repair {
  /** JSON pointer. */
  readonly path: string;
  readonly from: Json;
  /** Undefined where the member was left out. */
  readonly to: Json | undefined;
  readonly kind: RepairKind;
}

/** Repaired arguments with what was done to them. */
export interface Repaired {
  readonly value: JsonObject;
  readonly repairs: readonly Repair[];
}

/** Whether a place must be left as it is. */
export type Protection = (path: readonly string[]) => boolean;

/** The arguments made to fit, or undefined when that is not possible without guessing. The given value is never changed. */
export function repairArguments(schema: CompiledSchema, args: JsonObject, isProtected: Protection): Repaired | undefined {
  let value: Json = args;
  const repairs = new Map<string, Repair>();
  for (let round = 0; round < schema.limits.repairRoundsMax; round += 1) {
    const findings = schema.findings(value);
    if (findings.isExhausted || findings.unknown.length > 0) return undefined;
    if (findings.errors.length === 0) break;
    const planned = plan(findings.errors, value, isProtected, schema.limits).filter((repair) => !repairs.has(repair.path));
    if (planned.length === 0) return undefined;
    for (const repair of planned) {
      value = withChange(value, steps(repair.path), repair.to);
      repairs.set(repair.path, repair);
    }
  }
  return schema.accepts(value) ? { value: value as JsonObject, repairs: [...repairs.values()] } : undefined;
}

interface Wanted {
  readonly types: Set<string>;
  readonly listed: unknown[];
}

function plan(errors: readonly Finding[], root: Json, isProtected: Protection, limits: Limits): readonly Repair[] {
  const wantedByPath = new Map<string, Wanted>();
  for (const error of errors) {
    const wanted = wantedByPath.get(error.instancePath) ?? { types: new Set(), listed: [] };
    const params = error.params as Readonly<Record<string, unknown>>;
    if (error.keyword === "type") for (const type of [params.type].flat()) wanted.types.add(String(type));
    else if (error.keyword === "enum") wanted.listed.push(...(params.allowedValues as readonly unknown[]));
    else if (error.keyword === "const") wanted.listed.push(params.allowedValue);
    else continue;
    wantedByPath.set(error.instancePath, wanted);
  }
  const repairs: Repair[] = [];
  for (const [path, wanted] of wantedByPath) {
    const place = steps(path);
    if (path === "" || place.includes("__proto__") || isProtected(place)) continue;
    const repair = onlyRepair(path, valueAt(root, place), wanted, limits, isMember(root, place));
    if (repair !== undefined) repairs.push(repair);
  }
  return repairs;
}

// The one repair at a place; undefined where there is none, or several that would give different values.
function onlyRepair(path: string, from: Json, wanted: Wanted, limits: Limits, isObjectMember: boolean): Repair | undefined {
  if (from === null) {
    const isLeavable = isObjectMember && wanted.types.size > 0 && !wanted.types.has("null");
    return isLeavable ? { path, from, to: undefined, kind: "null-left-out" } : undefined;
  }
  if (typeof from !== "string") return undefined;
  const found: { readonly to: Json; readonly kind: RepairKind }[] = [];
  const number = exactNumber(from);
  const isNumberWanted = wanted.types.has("number") || (wanted.types.has("integer") && Number.isInteger(number));
  if (number !== undefined && isNumberWanted) found.push({ to: number, kind: "number-from-text" });
  if (wanted.types.has("boolean") && /^(true|false)$/i.test(from))
    found.push({ to: from.toLowerCase() === "true", kind: "boolean-from-text" });
  if (wanted.types.has("array") || wanted.types.has("object")) {
    const parsed = parseEmbedded(from, limits);
    if (parsed !== undefined && wanted.types.has(Array.isArray(parsed) ? "array" : "object"))
      found.push({ to: parsed, kind: "json-from-text" });
  }
  for (const value of sameWritten(from, wanted.listed)) found.push({ to: value, kind: "listed-value" });
  const [only, second] = found;
  return only === undefined || second !== undefined ? undefined : { path, from, ...only };
}

function sameWritten(text: string, listed: readonly unknown[]): readonly string[] {
  const wanted = plainForm(text);
  return [...new Set(listed.filter((value): value is string => typeof value === "string" && plainForm(value) === wanted))];
}

function plainForm(text: string): string {
  return text.normalize("NFC").trim().replace(/\s+/g, " ").toLowerCase();
}

function steps(path: string): readonly string[] {
  return path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueAt(root: Json, place: readonly string[]): Json {
  let value = root;
  for (const step of place) value = (value as Record<string, Json>)[step] as Json;
  return value;
}

function isMember(root: Json, place: readonly string[]): boolean {
  const parent = valueAt(root, place.slice(0, -1));
  return typeof parent === "object" && parent !== null && !Array.isArray(parent);
}

function withChange(root: Json, place: readonly string[], to: Json | undefined): Json {
  const [step, ...rest] = place;
  if (step === undefined) return to as Json;
  if (Array.isArray(root)) return root.map((item, index) => (index === Number(step) ? withChange(item as Json, rest, to) : (item as Json)));
  const copy: Record<string, Json> = { ...(root as JsonObject) };
  if (rest.length === 0 && to === undefined) delete copy[step];
  else copy[step] = withChange(copy[step] as Json, rest, to);
  return copy;
}
