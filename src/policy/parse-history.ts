import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { HistoryRule, SeparationRule, SequenceRule } from "./document.ts";
import { durationMs } from "./duration.ts";
import { globProblem } from "./glob.ts";
import { entries, kindOf, members, nameProblem, printable, text, textList, wholeNumber } from "./parse-values.ts";
import { nearestHint, type Report } from "./problem.ts";
import { builtInIdProblem, parseWhen } from "./parse-rules.ts";
import type { RuleSurroundings } from "./rule-surroundings.ts";

const sequenceMembers = ["id", "on", "when", "by", "max", "sum", "per", "after", "afterBy", "within", "effect", "approvers", "reason"];
const separationMembers = ["id", "classes", "atMost", "keep", "effect", "approvers", "reason"];
const keepDefault = "24h";

/** Reads `sequences`: how often, how much and in which order. */
export function parseSequences(raw: unknown, surroundings: RuleSurroundings, report: Report): readonly SequenceRule[] {
  return parseList(raw, surroundings.limits, report, (item, place) => parseSequence(item, surroundings, place));
}

/** Reads `separation`: data that nobody may bring together. */
export function parseSeparation(raw: unknown, limits: Limits, report: Report): readonly SeparationRule[] {
  return parseList(raw, limits, report, (item, place) => parseOneSeparation(item, limits, place));
}

function parseList<Item>(
  raw: unknown,
  limits: Limits,
  report: Report,
  parseItem: (item: unknown, report: Report) => Item | undefined,
): readonly Item[] {
  if (raw === undefined || raw === null) return [];
  if (!Array.isArray(raw)) {
    report.add(`expected a list of rules; got ${kindOf(raw)}`);
    return [];
  }
  if (raw.length > limits.historyRulesMax) {
    report.add(`there are ${raw.length} rules; at most ${limits.historyRulesMax} are allowed (\`historyRulesMax\`)`);
    return [];
  }
  return raw.flatMap((item, index) => parseItem(item, report.at(index)) ?? []);
}

function parseSequence(raw: unknown, surroundings: RuleSurroundings, report: Report): SequenceRule | undefined {
  const object = members(raw, { known: sequenceMembers }, report);
  if (object === undefined) return undefined;
  const isOrder = object["after"] !== undefined;
  const isSum = object["sum"] !== undefined;
  const expression = (name: string): string | undefined => {
    if (name !== "when" && typeof object[name] === "boolean") report.at(name).add(`expected a CEL expression; got ${kindOf(object[name])}`);
    return parseWhen(object[name], surroundings, report.at(name));
  };
  for (const name of isOrder ? ["max", "sum", "per"] : ["afterBy", "within"])
    if (object[name] !== undefined) report.at(name).add(`\`${name}\` goes ${isOrder ? "without" : "with"} \`after\` only`);
  const by = expression("by") ?? "principal.user";
  return {
    ...parseCommon(object, report),
    on: globs(object["on"], report.at("on")),
    when: expression("when"),
    by,
    demands: isOrder
      ? { kind: "after", after: globs(object["after"], report.at("after")), afterBy: expression("afterBy") ?? by }
      : isSum
        ? { kind: "sum", sum: expression("sum") ?? "0", max: amount(object["max"], report.at("max")) }
        : { kind: "count", max: count(object["max"], report.at("max")) },
    windowMs: isOrder
      ? span(object["within"], surroundings.limits, report.at("within"))
      : span(object["per"], surroundings.limits, report.at("per")),
  };
}

function parseOneSeparation(raw: unknown, limits: Limits, report: Report): SeparationRule | undefined {
  const object = members(raw, { known: separationMembers }, report);
  if (object === undefined) return undefined;
  const classes: [string, readonly string[]][] = [];
  for (const [name, what] of entries(object["classes"], "list of tools and sources", report.at("classes"))) {
    const place = report.at("classes").at(name);
    const problem = nameProblem(name);
    if (problem !== undefined) place.add(problem);
    else classes.push([name, textList(what, { orOne: true, problemOf: classProblem }, place)]);
  }
  if (classes.length < 2) report.at("classes").add("name at least two classes; one alone is never brought together with anything");
  const atMost = wholeNumber(object["atMost"], 1, report.at("atMost")) ?? Math.max(classes.length - 1, 1);
  if (classes.length > 1 && atMost >= classes.length)
    report.at("atMost").add(`of ${classes.length} classes at most ${classes.length - 1} can be allowed together`);
  return {
    ...parseCommon(object, report),
    classes: Object.fromEntries(classes),
    atMost,
    keepMs: span(object["keep"] ?? keepDefault, limits, report.at("keep")),
  };
}

/** Tools, or `source:NAME`, or `category:NAME` of what their outputs are labelled with. */
function classProblem(entry: string): string | undefined {
  const [, name] = /^(?:source|category):(.*)$/.exec(entry) ?? [];
  return name === undefined ? globProblem(entry) : nameProblem(name);
}

function parseCommon(object: Readonly<Record<string, unknown>>, report: Report): HistoryRule {
  const id = text(object["id"], fixedBounds.ruleNameCharsMax, report.at("id")) ?? "";
  const problem = id === "" ? undefined : builtInIdProblem(id);
  if (problem !== undefined) report.at("id").add(`\`${printable(id)}\`: ${problem}`);
  const effect = object["effect"] ?? "deny";
  if (effect !== "deny" && effect !== "ask") {
    const said =
      typeof effect === "string" ? `unknown effect \`${printable(effect)}\`${nearestHint(effect, ["ask", "deny"])}` : kindOf(effect);
    report.at("effect").add(`${said}; known are \`ask\` and \`deny\``);
  }
  if (effect !== "ask" && object["approvers"] !== undefined) report.at("approvers").add("`approvers` goes with `effect: ask` only");
  return {
    id,
    effect: effect === "ask" ? "ask" : "deny",
    approvers:
      object["approvers"] === undefined
        ? undefined
        : textList(object["approvers"], { orOne: true, problemOf: nameProblem }, report.at("approvers")),
    reason: object["reason"] === undefined ? undefined : text(object["reason"], fixedBounds.reasonCharsMax, report.at("reason")),
  };
}

function globs(raw: unknown, report: Report): readonly string[] {
  const list = textList(raw, { orOne: true, problemOf: globProblem }, report);
  if (Array.isArray(raw) && raw.length === 0) report.add("name at least one tool; `*` is every tool");
  return list;
}

function count(raw: unknown, report: Report): number {
  if (raw === undefined) report.add("say how many: `max: 3`");
  return wholeNumber(raw, 1, report) ?? 1;
}

function amount(raw: unknown, report: Report): number {
  if (typeof raw === "number" && raw >= 0 && raw <= fixedBounds.sequenceSumMax) return raw;
  report.add(`expected a number from 0 to ${fixedBounds.sequenceSumMax}; got ${typeof raw === "number" ? `\`${raw}\`` : kindOf(raw)}`);
  return 0;
}

function span(raw: unknown, limits: Limits, report: Report): number {
  const spanMs = typeof raw === "string" ? durationMs(raw) : undefined;
  if (spanMs === undefined) report.add("expected a span such as `30m`, `24h` or `7d`");
  else if (spanMs > limits.historyWindowMsMax) report.add(`a span is at most ${limits.historyWindowMsMax} ms (\`historyWindowMsMax\`)`);
  return spanMs ?? 1;
}
