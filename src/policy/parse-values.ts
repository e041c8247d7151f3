import { nearestHint, type Report } from "./problem.ts";

/** Which members an object may have. */
export interface MemberNames {
  readonly known: readonly string[];
  /** Members that will exist one day, each with what to say of them. */
  readonly later?: Readonly<Record<string, string>>;
}

/** A plain object whatever its prototype; arrays, dates and the like are none. */
export function plainObject(raw: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(raw);
  return prototype === null || prototype === Object.prototype ? (raw as Readonly<Record<string, unknown>>) : undefined;
}

/** The members of an object, unknown ones reported with the nearest known. Undefined when it is no object. */
export function members(raw: unknown, names: MemberNames, report: Report): Readonly<Record<string, unknown>> | undefined {
  const object = plainObject(raw);
  if (object === undefined) {
    report.add(`expected an object with ${names.known.map((name) => `\`${name}\``).join(", ")}; got ${kindOf(raw)}`);
    return undefined;
  }
  for (const name of Object.keys(object)) {
    if (names.known.includes(name)) continue;
    const notYet = names.later !== undefined && Object.hasOwn(names.later, name) ? names.later[name] : undefined;
    report.at(name).add(notYet ?? `unknown member \`${printable(name)}\`${nearestHint(name, names.known)}`);
  }
  return object;
}

/** The entries of a map from names to anything; absent is empty. */
export function entries(raw: unknown, what: string, report: Report): readonly (readonly [string, unknown])[] {
  if (raw === undefined || raw === null) return [];
  const object = plainObject(raw);
  if (object === undefined) {
    report.add(`expected an object from name to ${what}; got ${kindOf(raw)}`);
    return [];
  }
  return Object.entries(object);
}

/** A non-empty string of at most `charsMax` characters. */
export function text(raw: unknown, charsMax: number, report: Report): string | undefined {
  if (typeof raw !== "string" || raw.trim() === "") {
    report.add(`expected a text; got ${kindOf(raw)}`);
    return undefined;
  }
  if (raw.length <= charsMax) return raw;
  report.add(`the text has ${raw.length} characters; at most ${charsMax} are allowed`);
  return undefined;
}

/** A list of texts, each judged by `problemOf`; a single text counts as a list of one where `orOne` says so. */
export function textList(
  raw: unknown,
  rule: { readonly orOne?: true; readonly problemOf: (text: string) => string | undefined },
  report: Report,
): readonly string[] {
  if (rule.orOne && typeof raw === "string") return textList([raw], { problemOf: rule.problemOf }, { ...report, at: () => report });
  if (!Array.isArray(raw)) {
    report.add(`expected a list of texts; got ${kindOf(raw)}`);
    return [];
  }
  const list: string[] = [];
  for (const [index, item] of raw.entries()) {
    if (typeof item !== "string") report.at(index).add(`expected a text; got ${kindOf(item)}`);
    else {
      const problem = rule.problemOf(item);
      if (problem === undefined) list.push(item);
      else report.at(index).add(`\`${printable(item)}\`: ${problem}`);
    }
  }
  return list;
}

/** A whole number of at least `min`. */
export function wholeNumber(raw: unknown, min: number, report: Report): number | undefined {
  if (raw === undefined) return undefined;
  if (typeof raw === "number" && Number.isSafeInteger(raw) && raw >= min) return raw;
  report.add(`expected a whole number of at least ${min}; got ${typeof raw === "number" ? `\`${raw}\`` : kindOf(raw)}`);
  return undefined;
}

const nameShape = /^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$/;

/** Why a text is no name of a role, rule or group. */
export function nameProblem(name: string): string | undefined {
  if (["__proto__", "constructor", "prototype"].includes(name)) return "this name is reserved";
  if (nameShape.test(name)) return undefined;
  return "a name begins with a letter, continues with letters, digits and `_.:-`, and has at most 100 characters";
}

/** What a value is, in words. */
export function kindOf(raw: unknown): string {
  if (raw === undefined) return "nothing";
  if (raw === null) return "null";
  if (Array.isArray(raw)) return "a list";
  if (typeof raw === "string") return raw.trim() === "" ? "an empty text" : "a text";
  return typeof raw === "object" ? "an object" : `a ${typeof raw}`;
}

/** Input as it may stand in a message: one line, visible characters, at most 60 of them. */
export function printable(input: string): string {
  const clean = input.replace(/[^\x20-\x5f\x61-\x7e]/g, "?");
  return clean.length > 60 ? `${clean.slice(0, 57)}...` : clean;
}
