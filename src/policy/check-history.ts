import type { Limits } from "../base/limits.ts";
import type { Tool } from "../domain/tool.ts";
import { expressionProblems } from "./check-expression.ts";
import type { PolicyDocument, SequenceRule } from "./document.ts";
import { conditionVariables, parseExpression, type Expression } from "./expression.ts";
import { matchesTool } from "./glob.ts";
import { nearestHint, type Report } from "./problem.ts";

/** Facts that rules over history name. */
export function historyFactNames(policy: PolicyDocument, limits: Limits): readonly string[] {
  return policy.sequences.flatMap((rule) =>
    expressionsOf(rule).flatMap(({ source }) => [...(parsedIn(source, policy, limits)?.factNames ?? [])]),
  );
}

/** What sequences and separations that can be read still get wrong for these tools. */
export function checkHistory(policy: PolicyDocument, tools: readonly Tool[], limits: Limits, report: Report): void {
  for (const [index, rule] of policy.sequences.entries()) {
    const place = report.at("sequences").at(index);
    checkGlobs(rule.on, tools, place.at("on"));
    if (rule.demands.kind === "after") checkGlobs(rule.demands.after, tools, place.at("after"));
    for (const { name, source, globs } of expressionsOf(rule)) {
      const expression = parsedIn(source, policy, limits);
      if (expression === undefined) continue;
      for (const tool of tools.filter((each) => globs.some((glob) => matchesTool(glob, each))))
        for (const problem of expressionProblems(expression.root, tool.inputSchema)) place.at(name).add(`${problem} (in \`${tool.name}\`)`);
    }
  }
  for (const [index, rule] of policy.separation.entries()) {
    for (const [name, members] of Object.entries(rule.classes)) {
      const place = report.at("separation").at(index).at("classes").at(name);
      if (members.length === 0) place.add(`the class \`${name}\` holds nothing; name tools, \`source:NAME\` or \`category:NAME\``);
      for (const member of members) checkMember(member, tools, place);
    }
  }
}

function checkMember(member: string, tools: readonly Tool[], report: Report): void {
  if (member.startsWith("category:")) return;
  if (!member.startsWith("source:")) return checkGlobs([member], tools, report);
  const sources = [...new Set(tools.map((tool) => `source:${tool.source}`))];
  if (!sources.includes(member)) report.add(`no tool comes from \`${member}\`${nearestHint(member, sources)}`);
}

function checkGlobs(globs: readonly string[], tools: readonly Tool[], report: Report): void {
  const names = tools.map((tool) => tool.name);
  for (const glob of globs)
    if (!tools.some((tool) => matchesTool(glob, tool))) report.add(`\`${glob}\` names no registered tool${nearestHint(glob, names)}`, glob);
}

interface Written {
  readonly name: string;
  readonly source: string;
  /** The tools over whose arguments it is. */
  readonly globs: readonly string[];
}

function expressionsOf({ on, by, when, demands }: SequenceRule): readonly Written[] {
  const written: Written[] = [{ name: "by", source: by, globs: on }];
  if (when !== undefined) written.push({ name: "when", source: when, globs: on });
  if (demands.kind === "sum") written.push({ name: "sum", source: demands.sum, globs: on });
  if (demands.kind === "after") written.push({ name: "afterBy", source: demands.afterBy, globs: demands.after });
  return written;
}

function parsedIn(source: string, policy: PolicyDocument, limits: Limits): Expression | undefined {
  const parsed = parseExpression(source, { variables: conditionVariables, factNames: Object.keys(policy.facts) }, limits);
  return "problem" in parsed ? undefined : parsed;
}
