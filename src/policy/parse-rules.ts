import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { Rule } from "./document.ts";
import { conditionVariables, parseExpression } from "./expression.ts";
import { globProblem } from "./glob.ts";
import { parseChange } from "./parse-change.ts";
import { parseDelay } from "./parse-delay.ts";
import { kindOf, members, nameProblem, printable, text, textList, wholeNumber } from "./parse-values.ts";
import { nearestHint, type Report } from "./problem.ts";
import type { RuleSurroundings } from "./rule-surroundings.ts";

const known = ["id", "on", "when", "effect", "waives", "approvers", "quorum", "confirm", "change", "until", "for", "expires", "reason"];
const effects = ["allow", "modify", "ask", "defer", "deny"] as const;
const reservedPrefixes = ["tier:", "error:", "limits:", "fact:", "purpose:", "approvers:", "egress:", "point:"];
const reservedIds = ["grant", "permission", "ownership", "duplicate", "changed"];

/** Reads `rules`. Ids are unique and none may look like a built-in reason. */
export function parseRules(raw: unknown, surroundings: RuleSurroundings, report: Report): readonly Rule[] {
  if (raw === undefined || raw === null) return [];
  if (!Array.isArray(raw)) {
    report.add(`expected a list of rules; got ${kindOf(raw)}`);
    return [];
  }
  const { rulesMax } = surroundings.limits;
  if (raw.length > rulesMax) {
    report.add(`there are ${raw.length} rules; at most ${rulesMax} are allowed (\`rulesMax\`)`);
    return [];
  }
  const firstIndex = new Map<string, number>();
  const rules: Rule[] = [];
  for (const [index, item] of raw.entries()) {
    const rule = parseRule(item, surroundings, report.at(index));
    if (rule === undefined) continue;
    const earlier = firstIndex.get(rule.id);
    if (earlier !== undefined) report.at(index).at("id").add(`the id \`${rule.id}\` is taken by rule ${earlier}; ids are unique`);
    else firstIndex.set(rule.id, index);
    rules.push(rule);
  }
  return rules;
}

function parseRule(raw: unknown, surroundings: RuleSurroundings, report: Report): Rule | undefined {
  const object = members(raw, { known }, report);
  if (object === undefined) return undefined;
  const id = parseId(object["id"], report.at("id"));
  const effect = parseEffect(object["effect"], report.at("effect"));
  const rule: Rule = {
    id: id ?? "",
    on: parseOn(object["on"], report.at("on")),
    when: parseWhen(object["when"], surroundings, report.at("when")),
    effect: effect ?? "deny",
    waives: parseWord(object["waives"], "tier", report.at("waives")),
    ...parseApprovers(object["approvers"], surroundings.limits, report.at("approvers")),
    ...(!isOfEach(object["approvers"]) && { quorum: parseQuorum(object["quorum"], surroundings.limits, report.at("quorum")) }),
    confirm: parseWord(object["confirm"], "self", report.at("confirm")),
    // Absent rather than undefined, so that the versions of policies without any stay what they were.
    ...(object["change"] !== undefined && { change: parseChange(object["change"], surroundings, report.at("change")) }),
    ...(effect === "defer" && { defer: parseDelay(object, surroundings, report) }),
    reason: object["reason"] === undefined ? undefined : text(object["reason"], fixedBounds.reasonCharsMax, report.at("reason")),
  };
  if (effect !== undefined) checkParts(rule, object, report);
  return id === undefined ? undefined : rule;
}

function parseId(raw: unknown, report: Report): string | undefined {
  const id = text(raw, fixedBounds.ruleNameCharsMax, report);
  if (id === undefined) return undefined;
  const problem = builtInIdProblem(id);
  if (problem === undefined) return id;
  report.add(`\`${printable(id)}\`: ${problem}`);
  return undefined;
}

/** Why a text cannot be the id of a rule: it is no name, or looks like a built-in reason. */
export function builtInIdProblem(id: string): string | undefined {
  const isReserved = reservedIds.includes(id) || reservedPrefixes.some((prefix) => id.startsWith(prefix));
  return isReserved ? "this id belongs to a built-in reason; choose another" : nameProblem(id);
}

const listed = effects.map((effect) => `\`${effect}\``).join(", ");

function parseEffect(raw: unknown, report: Report): Rule["effect"] | undefined {
  const effect = effects.find((each) => each === raw);
  if (effect !== undefined) return effect;
  if (typeof raw === "string") report.add(`unknown effect \`${printable(raw)}\`${nearestHint(raw, effects)}; known are ${listed}`);
  else report.add(`expected one of ${listed}; got ${kindOf(raw)}`);
  return undefined;
}

function parseOn(raw: unknown, report: Report): readonly string[] {
  const globs = textList(raw, { orOne: true, problemOf: globProblem }, report);
  if (Array.isArray(raw) && raw.length === 0) report.add("a rule names at least one tool; `*` is every tool");
  if (globs.length > fixedBounds.configItemsMax)
    report.add(`a rule names at most ${fixedBounds.configItemsMax} globs; this one has ${globs.length}`);
  return globs;
}

/** Reads a CEL expression over the variables of a condition; undefined where there is none. */
export function parseWhen(raw: unknown, surroundings: RuleSurroundings, report: Report): string | undefined {
  if (raw === undefined) return undefined;
  // YAML reads `when: true` as a boolean; what it means is plain.
  const source = typeof raw === "boolean" ? String(raw) : text(raw, surroundings.limits.ruleCharsMax, report);
  if (source === undefined) return undefined;
  const names = { variables: conditionVariables, factNames: surroundings.factNames };
  const parsed = parseExpression(source, names, surroundings.limits);
  if ("problem" in parsed) report.add(parsed.problem);
  return source;
}

function parseWord<Word extends string>(raw: unknown, word: Word, report: Report): Word | undefined {
  if (raw === undefined || raw === word) return raw as Word | undefined;
  report.add(`the only value is \`${word}\`; got ${typeof raw === "string" ? `\`${printable(raw)}\`` : kindOf(raw)}`);
  return undefined;
}

/** Groups of which one answers; or `{ all: [...] }`, where each does. */
function parseApprovers(raw: unknown, limits: Limits, report: Report): Pick<Rule, "approvers" | "quorum" | "isOfEach"> {
  if (raw === undefined) return { approvers: undefined, quorum: 1 };
  if (isOfEach(raw)) return parseOfEach(raw, limits, report);
  const groups = textList(raw, { orOne: true, problemOf: nameProblem }, report);
  if (Array.isArray(raw) && raw.length === 0) report.add("name at least one group, or leave `approvers` out");
  return { approvers: groups, quorum: 1 };
}

function isOfEach(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

function parseOfEach(raw: unknown, { quorumMax }: Limits, report: Report): Pick<Rule, "approvers" | "quorum" | "isOfEach"> {
  const all = members(raw, { known: ["all"] }, report)?.["all"];
  const groups = textList(all, { problemOf: nameProblem }, report.at("all"));
  if (new Set(groups).size !== groups.length) report.at("all").add("a group is named twice; each has to agree once");
  if (groups.length < 2 || groups.length > quorumMax)
    report.at("all").add(`name 2 to ${quorumMax} groups (\`quorumMax\`), each of which has to agree`);
  return { approvers: groups, quorum: groups.length, isOfEach: true };
}

function parseQuorum(raw: unknown, limits: Limits, report: Report): number {
  const quorum = wholeNumber(raw, 1, report) ?? 1;
  if (quorum > limits.quorumMax) report.add(`a quorum is at most ${limits.quorumMax} (\`quorumMax\`); got \`${quorum}\``);
  return quorum;
}

/** Members that only make sense with one effect: accepted elsewhere they would promise what does not happen. */
function checkParts(rule: Rule, object: Readonly<Record<string, unknown>>, report: Report): void {
  if (rule.effect === "allow" && rule.waives === undefined && object["waives"] === undefined)
    report
      .at("effect")
      .add("an `allow` rule does nothing by itself, since roles grant tools; add `waives: tier`, or grant the tool to a role");
  if (rule.effect !== "allow" && rule.waives !== undefined) report.at("waives").add("`waives` goes with `effect: allow` only");
  if (rule.effect === "modify" && rule.change === undefined)
    report.at("effect").add("a `modify` rule says what it narrows; add `change:`, such as `change: { amount: { cap: 50 } }`");
  if (rule.effect !== "modify" && rule.change !== undefined) report.at("change").add("`change` goes with `effect: modify` only");
  for (const name of ["until", "for", "expires"])
    if (rule.effect !== "defer" && object[name] !== undefined) report.at(name).add(`\`${name}\` goes with \`effect: defer\` only`);
  for (const name of ["approvers", "quorum", "confirm"])
    if (rule.effect !== "ask" && object[name] !== undefined) report.at(name).add(`\`${name}\` goes with \`effect: ask\` only`);
  if (rule.isOfEach === true && object["quorum"] !== undefined)
    report.at("quorum").add("with `approvers: { all: [...] }` as many people answer as groups are named, so `quorum` has no meaning");
  if (rule.confirm === "self")
    for (const name of ["approvers", "quorum"])
      if (object[name] !== undefined) report.at(name).add(`with \`confirm: self\` the user answers, so \`${name}\` has no meaning`);
}
