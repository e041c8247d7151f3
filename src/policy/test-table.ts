import { parseIsoTime } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Decision } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import type { PolicyEngine } from "./engine.ts";
import { entries, kindOf, members, plainObject, text, textList } from "./parse-values.ts";
import { nearestHint, reportInto, type Problem, type Report } from "./problem.ts";

/** One row of a table of expected decisions. */
export interface PolicyCase {
  readonly name: string;
  readonly tenant: string;
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes: Readonly<Record<string, Json>>;
  /** Tool name, with `@version` where several are registered. */
  readonly tool: string;
  readonly args: JsonObject;
  readonly facts: Readonly<Record<string, Json>>;
  /** Wall time in milliseconds; default 0. */
  readonly nowMs: number;
  readonly expect: "allow" | "modify" | "ask" | "defer" | "deny";
  /** Id of a rule that must be among the reasons. */
  readonly rule: string | undefined;
}

/** What became of one row. */
export interface CaseResult {
  readonly name: string;
  readonly isPassed: boolean;
  /** What differed, on one line; empty where nothing did. */
  readonly message: string;
  readonly decision: Decision | undefined;
}

const known = ["name", "tenant", "user", "roles", "attributes", "tool", "args", "facts", "now", "expect", "rule"];
const effects = ["allow", "modify", "ask", "defer", "deny"] as const;

/** Reads a table (`cases:` with a list, or the list itself), all problems at once. */
export function parseTestTable(raw: unknown): { readonly cases: readonly PolicyCase[] } | { readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const top = reportInto(problems);
  const isList = Array.isArray(raw);
  const list = isList ? (raw as unknown[]) : members(raw, { known: ["cases"] }, top)?.["cases"];
  const report = isList ? top : top.at("cases");
  if (problems.length > 0) return { problems };
  if (!Array.isArray(list) || list.length > fixedBounds.policyCasesMax) {
    report.add(
      `expected a list of at most ${fixedBounds.policyCasesMax} cases; got ${Array.isArray(list) ? `${list.length}` : kindOf(list)}`,
    );
    return { problems };
  }
  const cases = list.map((item, index) => parseCase(item, index, report.at(index)));
  return problems.length > 0 ? { problems } : { cases: cases.filter((each) => each !== undefined) };
}

function parseCase(raw: unknown, index: number, report: Report): PolicyCase | undefined {
  const object = members(raw, { known }, report);
  if (object === undefined) return undefined;
  const expect = effects.find((effect) => effect === object["expect"]);
  if (expect === undefined) report.at("expect").add("expected `allow`, `modify`, `ask`, `defer` or `deny`");
  return {
    name: object["name"] === undefined ? `case ${index}` : (text(object["name"], fixedBounds.configNameCharsMax, report.at("name")) ?? ""),
    tenant: object["tenant"] === undefined ? "test" : (text(object["tenant"], fixedBounds.configNameCharsMax, report.at("tenant")) ?? ""),
    user: object["user"] === undefined ? "user" : (text(object["user"], fixedBounds.configNameCharsMax, report.at("user")) ?? ""),
    roles: object["roles"] === undefined ? [] : textList(object["roles"], { orOne: true, problemOf: () => undefined }, report.at("roles")),
    attributes: jsonMembers(object["attributes"], report.at("attributes")),
    tool: text(object["tool"], fixedBounds.configNameCharsMax, report.at("tool")) ?? "",
    args: jsonMembers(object["args"], report.at("args")),
    facts: jsonMembers(object["facts"], report.at("facts")),
    nowMs: parseNow(object["now"], report.at("now")),
    expect: expect ?? "deny",
    rule: object["rule"] === undefined ? undefined : text(object["rule"], fixedBounds.configNameCharsMax, report.at("rule")),
  };
}

function jsonMembers(raw: unknown, report: Report): JsonObject {
  return Object.fromEntries(
    entries(raw, "value", report).filter(([name, value]) => {
      if (isJson(value, 0)) return true;
      report.at(name).add("expected a JSON value");
      return false;
    }),
  ) as JsonObject;
}

function isJson(value: unknown, depth: number): boolean {
  if (depth > defaultLimits.argumentsDepthMax) return false;
  if (value === null || ["string", "boolean"].includes(typeof value)) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  const object = plainObject(value);
  return object !== undefined && Object.values(object).every((member) => isJson(member, depth + 1));
}

function parseNow(raw: unknown, report: Report): number {
  if (raw === undefined) return 0;
  const nowMs = typeof raw === "string" ? parseIsoTime(raw) : undefined;
  if (nowMs === undefined) report.add("expected a time in ISO 8601, such as `2026-03-01T12:00:00Z`");
  return nowMs ?? 0;
}

/** Runs a table against a policy. Facts come from the table; a fact that a rule needs and the row does not give denies, as it would in a call. */
export function runTestTable(engine: PolicyEngine, tools: readonly Tool[], cases: readonly PolicyCase[]): readonly CaseResult[] {
  return cases.map((each) => runCase(engine, tools, each));
}

function runCase(engine: PolicyEngine, tools: readonly Tool[], each: PolicyCase): CaseResult {
  const tool = tools.find((known) => known.name === each.tool || `${known.name}@${known.version}` === each.tool);
  if (tool === undefined) {
    const hint = nearestHint(
      each.tool,
      tools.map((known) => known.name),
    );
    return { name: each.name, isPassed: false, message: `no tool named \`${each.tool}\`${hint}`, decision: undefined };
  }
  const decision = engine.decide({
    tool,
    args: each.args,
    principal: { tenant: each.tenant, user: each.user, roles: each.roles, attributes: each.attributes },
    session: { id: "test", attested: false },
    nowMs: each.nowMs,
    facts: each.facts,
  });
  const message = difference(each, decision);
  return { name: each.name, isPassed: message === "", message, decision };
}

function difference(each: PolicyCase, decision: Decision): string {
  const rules = decision.reasons.map((reason) => reason.rule);
  const because = rules.map((rule) => `\`${rule}\``).join(", ");
  if (decision.effect !== each.expect) return `expected \`${each.expect}\`, got \`${decision.effect}\` because of ${because}`;
  if (each.rule !== undefined && !rules.includes(each.rule)) return `\`${each.rule}\` is not among the reasons ${because}`;
  return "";
}
