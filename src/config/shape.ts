/**
 * Shapes say once what a piece of the configuration may be: the reader that reports every problem and the published JSON Schema come from the same
 * declaration, so that an editor and the program never disagree.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { JsonObject } from "../domain/json.ts";
import { kindOf, plainObject, printable } from "../policy/parse-values.ts";
import { nearestHint } from "../policy/problem.ts";
import type { Report } from "./problem.ts";

/** What a value may be: how it is read and how editors see it. */
export interface Shape<Value> {
  readonly schema: JsonObject;
  /** The value, or `undefined` after reporting what is wrong. */
  read(raw: unknown, report: Report): Value | undefined;
}

/** The value that a shape reads. */
export type Read<S> = S extends Shape<infer Value> ? Value : never;

/** The same shape with a sentence for editors. */
export function about<Value>(description: string, shape: Shape<Value>): Shape<Value> {
  return { schema: { ...shape.schema, description }, read: shape.read };
}

/** A text that is not empty; `problemOf` says why it will not do. */
export function text(
  rule: {
    readonly charsMax?: number;
    readonly problemOf?: (value: string) => string | undefined;
    readonly mend?: string;
    readonly schema?: JsonObject;
  } = {},
): Shape<string> {
  const charsMax = rule.charsMax ?? fixedBounds.configTextCharsMax;
  return {
    schema: { type: "string", minLength: 1, maxLength: charsMax, ...rule.schema },
    read(raw, report) {
      if (typeof raw !== "string" || raw.trim() === "") return refuse(report, `expected a text; got ${kindOf(raw)}`, rule.mend);
      if (raw.length > charsMax) return refuse(report, `the text has ${raw.length} characters; at most ${charsMax} are allowed`, rule.mend);
      const problem = rule.problemOf?.(raw);
      return problem === undefined ? raw : refuse(report, problem, rule.mend);
    },
  };
}

/** The same for names, globs and words. */
export function shortText(rule: Omit<NonNullable<Parameters<typeof text>[0]>, "charsMax"> = {}): Shape<string> {
  return text({ ...rule, charsMax: fixedBounds.configNameCharsMax });
}

/** One of a few words. */
export function word<const Words extends readonly string[]>(words: Words): Shape<Words[number]> {
  return {
    schema: { enum: [...words] },
    read(raw, report) {
      if (typeof raw === "string" && words.includes(raw)) return raw;
      const got = typeof raw === "string" ? `\`${printable(raw)}\`${nearestHint(raw, words)}` : kindOf(raw);
      return refuse(report, `expected one of ${listed(words)}; got ${got}`);
    },
  };
}

/** Yes or no. */
export const truth: Shape<boolean> = {
  schema: { type: "boolean" },
  read: (raw, report) => (typeof raw === "boolean" ? raw : refuse(report, `expected \`true\` or \`false\`; got ${kindOf(raw)}`)),
};

/** A whole number within bounds. */
export function whole(bounds: { readonly min: number; readonly max: number }): Shape<number> {
  return {
    schema: { type: "integer", minimum: bounds.min, maximum: bounds.max },
    read(raw, report) {
      if (typeof raw === "number" && Number.isSafeInteger(raw) && raw >= bounds.min && raw <= bounds.max) return raw;
      return refuse(
        report,
        `expected a whole number from ${bounds.min} to ${bounds.max}; got ${typeof raw === "number" ? `\`${raw}\`` : kindOf(raw)}`,
      );
    },
  };
}

/** A list; what is wrong with one item does not hide the others. */
export function list<Value>(item: Shape<Value>, itemsMax = fixedBounds.configItemsMax): Shape<readonly Value[]> {
  return {
    schema: { type: "array", items: item.schema, maxItems: itemsMax },
    read(raw, report) {
      if (!Array.isArray(raw)) return refuse(report, `expected a list; got ${kindOf(raw)}`);
      if (raw.length > itemsMax) return refuse(report, `the list has ${raw.length} items; at most ${itemsMax} are allowed`);
      return raw.flatMap((each, index) => item.read(each, report.at(index)) ?? []);
    },
  };
}

/** Values by name; `nameProblem` says why a text is no name. */
export function mapOf<Value>(
  item: Shape<Value>,
  names: { readonly what: string; readonly pattern: string },
): Shape<readonly (readonly [string, Value])[]> {
  const pattern = new RegExp(names.pattern, "u");
  return {
    schema: { type: "object", additionalProperties: item.schema, propertyNames: { pattern: names.pattern } },
    read(raw, report) {
      const object = plainObject(raw);
      if (object === undefined) return refuse(report, `expected an object from ${names.what} to its settings; got ${kindOf(raw)}`);
      return Object.entries(object).flatMap(([name, each]) => {
        if (!pattern.test(name) || name === "__proto__" || name === "constructor" || name === "prototype") {
          report
            .at(name)
            .addAtName(
              `\`${printable(name)}\` is no ${names.what}`,
              "begin with a letter; then letters, digits, `_` and `-`, at most 64 characters",
            );
          return [];
        }
        const value = item.read(each, report.at(name));
        return value === undefined ? [] : [[name, value] as const];
      });
    },
  };
}

type Members = { readonly [name: string]: { readonly shape: Shape<unknown>; readonly isRequired: boolean } };

/** A member that must be there. */
export function required<Value>(shape: Shape<Value>): { readonly shape: Shape<Value>; readonly isRequired: true } {
  return { shape, isRequired: true };
}

/** A member that may be left out. */
export function optional<Value>(shape: Shape<Value>): { readonly shape: Shape<Value>; readonly isRequired: false } {
  return { shape, isRequired: false };
}

/** What an object of such members reads as. A member that is wrong reads as absent; the caller sees the report. */
export type ReadMembers<M extends Members> = { readonly [name in keyof M]: Read<M[name]["shape"]> | undefined };

/** An object with exactly these members. `later` names ones that are not supported yet, each with what to do instead. */
export function object<const M extends Members>(members: M, later: Readonly<Record<string, string>> = {}): Shape<ReadMembers<M>> {
  const names = Object.keys(members);
  const needed = names.filter((name) => members[name]?.isRequired === true);
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, members[name]?.shape.schema ?? {}])),
      ...(needed.length > 0 && { required: needed }),
      additionalProperties: false,
    },
    read(raw, report) {
      const given = plainObject(raw);
      if (given === undefined) return refuse(report, `expected an object with ${listed(names)}; got ${kindOf(raw)}`);
      reportUnknown(Object.keys(given), { names, later }, report);
      for (const name of needed) {
        if (!Object.hasOwn(given, name)) report.add(`\`${name}\` is missing`, `add \`${name}:\``);
      }
      const read = names.map((name) => [
        name,
        Object.hasOwn(given, name) ? members[name]?.shape.read(given[name], report.at(name)) : undefined,
      ]);
      return Object.fromEntries(read) as ReadMembers<M>;
    },
  };
}

function reportUnknown(
  given: readonly string[],
  known: { readonly names: readonly string[]; readonly later: Readonly<Record<string, string>> },
  report: Report,
): void {
  for (const name of given) {
    if (known.names.includes(name)) continue;
    const mend = Object.hasOwn(known.later, name) ? known.later[name] : undefined;
    if (mend !== undefined) report.at(name).addAtName(`\`${name}\` is not supported yet`, mend);
    else
      report
        .at(name)
        .addAtName(`unknown member \`${printable(name)}\`${nearestHint(name, known.names)}`, `known here: ${listed(known.names)}`);
  }
}

/** The first of several shapes that `picks` the raw value; the last one takes whatever is left. */
export function either<First, Second>(picks: (raw: unknown) => boolean, first: Shape<First>, second: Shape<Second>): Shape<First | Second> {
  return {
    schema: { anyOf: [first.schema, second.schema] },
    read: (raw, report) => (picks(raw) ? first.read(raw, report) : second.read(raw, report)),
  };
}

/** Another value made from what a shape read; the function may report. */
export function mapped<From, To>(shape: Shape<From>, convert: (value: From, report: Report) => To | undefined): Shape<To> {
  return {
    schema: shape.schema,
    read(raw, report) {
      const value = shape.read(raw, report);
      return value === undefined ? undefined : convert(value, report);
    },
  };
}

/** Words for a message: `a`, `b` and `c`. */
export function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

function refuse(report: Report, message: string, mend?: string): undefined {
  report.add(message, mend);
  return undefined;
}
