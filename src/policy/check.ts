import type { Limits } from "../base/limits.ts";
import type { Tool } from "../domain/tool.ts";
import { expressionProblems } from "./check-expression.ts";
import { changeFactNames, checkChange, named } from "./check-change.ts";
import { checkHistory, historyFactNames } from "./check-history.ts";
import type { PolicyDocument, Rule } from "./document.ts";
import { conditionVariables, factVariables, parseExpression, type Expression } from "./expression.ts";
import { matchesTool } from "./glob.ts";
import { nearestHint, reportInto, type Problem, type Report } from "./problem.ts";

/**
 * `policy check`: what a policy that can be read still gets wrong for these tools. Every finding says the mend. A finding does not keep the policy
 * from running: whatever breaks at run time denies.
 */
export function checkPolicy(policy: PolicyDocument, tools: readonly Tool[], limits: Limits): readonly Problem[] {
  const problems: Problem[] = [];
  const report = reportInto(problems);
  checkRoles(policy, tools, report.at("roles"));
  checkFacts(policy, tools, limits, report.at("facts"));
  checkDirectory(policy, tools, report);
  for (const [index, rule] of policy.rules.entries()) checkRule(rule, { policy, tools, limits }, report.at("rules").at(index));
  checkHistory(policy, tools, limits, report);
  for (const [index, glob] of policy.limits.blockedActions.entries()) {
    if (!tools.some((tool) => matchesTool(glob, tool))) report.at("limits").at("blockedActions").at(index).add(noTool(glob, tools), glob);
  }
  return problems;
}

function noTool(glob: string, tools: readonly Tool[]): string {
  return `\`${glob}\` names no registered tool${nearestHint(
    glob,
    tools.map((tool) => tool.name),
  )}`;
}

function checkRoles(policy: PolicyDocument, tools: readonly Tool[], report: Report): void {
  for (const [role, entries] of Object.entries(policy.roles)) {
    if (entries.length === 0) report.at(role).add(`the role \`${role}\` grants nothing; name a tool or remove the role`);
    for (const [index, entry] of entries.entries()) {
      const isPermission = entry.startsWith("permission:");
      const place = report.at(role).at(index);
      if (!isPermission && !tools.some((tool) => matchesTool(entry, tool))) place.add(noTool(entry, tools), entry);
      const permissions = tools.flatMap((tool) => (tool.permission === undefined ? [] : [`permission:${tool.permission}`]));
      if (isPermission && !permissions.includes(entry)) place.add(`no tool requires \`${entry}\`${nearestHint(entry, permissions)}`);
    }
  }
}

function checkFacts(policy: PolicyDocument, tools: readonly Tool[], limits: Limits, report: Report): void {
  const used = new Set([
    ...policy.rules.flatMap((rule) => [
      ...(expressionOf(rule, policy, limits)?.factNames ?? []),
      ...(untilOf(rule, policy, limits)?.factNames ?? []),
      ...changeFactNames(rule, policy, limits),
    ]),
    ...historyFactNames(policy, limits),
  ]);
  for (const [name, fact] of Object.entries(policy.facts)) {
    const tool = tools.find((each) => matchesTool(fact.tool, each));
    const place = report.at(name).at("tool");
    if (tool === undefined) place.add(noTool(fact.tool, tools), fact.tool);
    else if (tool.tier !== "read") place.add(`\`${fact.tool}\` is ${tool.tier}; a fact is looked up by a read`);
    else checkFactArguments(name, tool, policy, limits, report.at(name).at("arguments"));
    if (!used.has(name)) report.at(name).add(`no rule uses the fact \`${name}\`; remove it or name it as \`facts.${name}\``);
  }
}

/** Labels that name readers say nothing where nobody can tell who reads. */
function checkDirectory({ directory }: PolicyDocument, tools: readonly Tool[], report: Report): void {
  const place = report.at("directory");
  if (directory === undefined) {
    const labelled = tools.filter(({ outputLabels }) => Object.values(outputLabels).some(({ readers }) => readers !== undefined));
    if (labelled.length > 0)
      place.add(
        `labels of ${named(labelled.map(({ name }) => name))} name readers, and nobody says who reads what leaves; name a \`directory\``,
      );
    return;
  }
  const tool = tools.find((each) => matchesTool(directory.tool, each));
  if (tool === undefined) {
    place.at("tool").add(noTool(directory.tool, tools), directory.tool);
    return;
  }
  if (tool.tier !== "read") place.at("tool").add(`\`${tool.name}\` is ${tool.tier}; people are looked up by a read`);
  const properties = tool.inputSchema["properties"];
  const known = typeof properties === "object" && properties !== null ? Object.keys(properties) : undefined;
  if (known !== undefined && !known.includes(directory.argument))
    place.at("argument").add(`\`${tool.name}\` has no argument \`${directory.argument}\`${nearestHint(directory.argument, known)}`);
}

/** Arguments that the look-up does not have; and, for the rules that need it, arguments of the called tools that may be missing. */
function checkFactArguments(name: string, lookup: Tool, policy: PolicyDocument, limits: Limits, report: Report): void {
  const spec = policy.facts[name];
  const properties = lookup.inputSchema["properties"];
  const known = typeof properties === "object" && properties !== null ? Object.keys(properties) : undefined;
  for (const [argument, source] of Object.entries(spec?.arguments ?? {})) {
    if (known !== undefined && !known.includes(argument))
      report.at(argument).add(`\`${lookup.name}\` has no argument \`${argument}\`${nearestHint(argument, known)}`);
    const parsed = parseExpression(source, { variables: factVariables, factNames: [] }, limits);
    if ("problem" in parsed) report.at(argument).add(parsed.problem);
  }
}

interface Surroundings {
  readonly policy: PolicyDocument;
  readonly tools: readonly Tool[];
  readonly limits: Limits;
}

function checkRule(rule: Rule, { policy, tools, limits }: Surroundings, report: Report): void {
  for (const [index, glob] of rule.on.entries()) {
    if (!tools.some((tool) => matchesTool(glob, tool))) report.at("on").at(index).add(noTool(glob, tools), glob);
  }
  const concerned = tools.filter((tool) => rule.on.some((glob) => matchesTool(glob, tool)));
  if (concerned.length === 0) return;
  checkEffect(rule, concerned, report);
  checkChange(rule, concerned, { policy, limits }, report.at("change"));
  checkExpression(untilOf(rule, policy, limits), concerned, report.at("until"));
  const expression = expressionOf(rule, policy, limits);
  if (expression === undefined) return;
  if (expression.root.exprKind.case === "constExpr") checkConstant(rule, report.at("when"));
  checkExpression(expression, concerned, report.at("when"));
}

function checkExpression(expression: Expression | undefined, concerned: readonly Tool[], report: Report): void {
  if (expression === undefined) return;
  const toolsByProblem = new Map<string, string[]>();
  for (const tool of concerned) {
    for (const problem of expressionProblems(expression.root, tool.inputSchema)) {
      const names = toolsByProblem.get(problem);
      if (names === undefined) toolsByProblem.set(problem, [tool.name]);
      else names.push(tool.name);
    }
  }
  for (const [problem, names] of toolsByProblem) report.add(`${problem} (in ${named(names)})`);
}

function expressionOf(rule: Rule, policy: PolicyDocument, limits: Limits): Expression | undefined {
  return rule.when === undefined ? undefined : parsedIn(rule.when, policy, limits);
}

function untilOf({ defer }: Rule, policy: PolicyDocument, limits: Limits): Expression | undefined {
  return defer?.wait.kind === "until" ? parsedIn(defer.wait.until, policy, limits) : undefined;
}

function parsedIn(source: string, policy: PolicyDocument, limits: Limits): Expression | undefined {
  const parsed = parseExpression(source, { variables: conditionVariables, factNames: Object.keys(policy.facts) }, limits);
  return "problem" in parsed ? undefined : parsed;
}

function checkConstant(rule: Rule, report: Report): void {
  if (rule.when?.trim() === "false") report.add(`the rule \`${rule.id}\` never holds; remove it or write a condition`);
}

/** Rules that can never change anything for the tools they concern. */
function checkEffect(rule: Rule, concerned: readonly Tool[], report: Report): void {
  if (rule.waives !== undefined) {
    if (concerned.every((tool) => tool.tier === "privileged"))
      report.at("waives").add("a privileged call always asks; no rule can waive it");
    else if (concerned.every((tool) => tool.tier === "read" || (tool.tier === "reversible" && !tool.isSensitive)))
      report.at("waives").add(`${named(concerned.map((tool) => tool.name))} never asks by tier, so there is nothing to waive`);
  }
  if (rule.confirm !== undefined && concerned.every((tool) => tool.tier === "privileged"))
    report.at("confirm").add("a privileged call is approved by another person; `confirm: self` has no effect");
}
