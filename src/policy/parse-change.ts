import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json } from "../domain/json.ts";
import type { RuleChange } from "./document.ts";
import { conditionVariables, parseExpression } from "./expression.ts";
import { entries, kindOf, members, text } from "./parse-values.ts";
import type { Report } from "./problem.ts";
import type { RuleSurroundings } from "./rule-surroundings.ts";

const operators = ["cap", "subset", "flag"] as const;

/** Reads `change`: by argument, one operator each. Whether the tools allow it is found by `policy check`; where they do not, the call is denied. */
export function parseChange(raw: unknown, surroundings: RuleSurroundings, report: Report): readonly RuleChange[] {
  const given = entries(raw, "`cap`, `subset` or `flag`", report);
  if (given.length === 0 || given.length > fixedBounds.ruleChangesMax)
    report.add(`name 1 to ${fixedBounds.ruleChangesMax} arguments, such as \`{ amount: { cap: 50 } }\``);
  return given.flatMap(([argument, spec]) => parseOne(argument, spec, surroundings, report.at(argument)) ?? []);
}

function parseOne(argument: string, raw: unknown, surroundings: RuleSurroundings, report: Report): RuleChange | undefined {
  const object = members(raw, { known: operators }, report);
  if (object === undefined) return undefined;
  const named = operators.filter((operator) => object[operator] !== undefined);
  const [operator] = named;
  if (operator === undefined || named.length > 1) {
    report.add("an argument is narrowed by exactly one of `cap`, `subset`, `flag`");
    return undefined;
  }
  const place = report.at(operator);
  const given = object[operator];
  if (operator === "flag") {
    if (given !== true) place.add("a flag can only be set: write `flag: true`");
    return { argument, operator };
  }
  if (typeof given === "string") {
    const value = parseSource(given, surroundings, place);
    return value === undefined ? undefined : { argument, operator, value };
  }
  if (operator === "cap") {
    if (typeof given === "number" && Number.isFinite(given)) return { argument, operator, value: given };
    place.add(`expected a number, or CEL that gives one; got ${kindOf(given)}`);
    return undefined;
  }
  if (Array.isArray(given) && given.length > 0 && given.length <= fixedBounds.configItemsMax && given.every(isScalar))
    return { argument, operator, value: given };
  place.add(`expected a list of 1 to ${fixedBounds.configItemsMax} texts or numbers, or CEL that gives one; got ${kindOf(given)}`);
  return undefined;
}

function isScalar(item: unknown): item is Json {
  return typeof item === "string" || typeof item === "boolean" || (typeof item === "number" && Number.isFinite(item));
}

function parseSource(raw: string, { limits, factNames }: RuleSurroundings, report: Report): string | undefined {
  const source = text(raw, limits.ruleCharsMax, report);
  if (source === undefined) return undefined;
  const parsed = parseExpression(source, { variables: conditionVariables, factNames }, limits);
  if ("problem" in parsed) report.add(parsed.problem);
  return source;
}
