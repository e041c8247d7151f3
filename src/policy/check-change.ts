import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { NarrowingOperator, Tool } from "../domain/tool.ts";
import { expressionProblems } from "./check-expression.ts";
import { placeIn } from "./check-schema.ts";
import type { PolicyDocument, Rule, RuleChange } from "./document.ts";
import { conditionVariables, parseExpression, type Expression } from "./expression.ts";
import type { Report } from "./problem.ts";

interface Surroundings {
  readonly policy: PolicyDocument;
  readonly limits: Limits;
}

/** Facts that the changes of a rule name. */
export function changeFactNames(rule: Rule, policy: PolicyDocument, limits: Limits): readonly string[] {
  return (rule.change ?? []).flatMap((change) => [...(expressionOf(change, { policy, limits })?.factNames ?? [])]);
}

/** What a rule that modifies gets wrong for the tools it concerns: each of these would deny the call. */
export function checkChange(rule: Rule, tools: readonly Tool[], surroundings: Surroundings, report: Report): void {
  for (const change of rule.change ?? []) {
    const { argument, operator } = change;
    const place = report.at(argument);
    const silent = tools.filter((tool) => operatorOf(tool, argument) !== operator);
    if (silent.length > 0)
      place.add(
        `${named(silent.map(({ name }) => name))} does not declare \`narrows: { ${argument}: ${operator} }\`, so the call would be denied; declare it where less of \`${argument}\` does less, or leave the tool out of \`on\``,
      );
    const optional = operator === "flag" ? [] : tools.filter((tool) => isOptional(tool, argument) && !guards(rule, argument));
    if (optional.length > 0)
      place.add(
        `\`args.${argument}\` is optional, and the call is denied where it is missing; write \`has(args.${argument})\` into \`when\` (in ${named(optional.map(({ name }) => name))})`,
      );
    const expression = expressionOf(change, surroundings);
    if (expression === undefined) continue;
    for (const tool of tools)
      for (const problem of expressionProblems(expression.root, tool.inputSchema))
        place.at(operator).add(`${problem} (in \`${tool.name}\`)`);
  }
}

function operatorOf({ narrows }: Tool, argument: string): NarrowingOperator | undefined {
  return narrows !== undefined && Object.hasOwn(narrows, argument) ? narrows[argument] : undefined;
}

function isOptional({ inputSchema }: Tool, argument: string): boolean {
  const place = placeIn(inputSchema, [argument]);
  return place.kind === "known" && place.isOptional;
}

/** Whether the condition speaks of the argument's presence at all; how, is the author's business. */
function guards({ when }: Rule, argument: string): boolean {
  return when?.includes(`has(args.${argument})`) ?? false;
}

function expressionOf(change: RuleChange, { policy, limits }: Surroundings): Expression | undefined {
  if (change.operator === "flag" || typeof change.value !== "string") return undefined;
  const parsed = parseExpression(change.value, { variables: conditionVariables, factNames: Object.keys(policy.facts) }, limits);
  return "problem" in parsed ? undefined : parsed;
}

/** A few of the tools, the others counted. */
export function named(names: readonly string[]): string {
  const shown = names
    .slice(0, fixedBounds.namedMax)
    .map((name) => `\`${name}\``)
    .join(", ");
  return names.length > fixedBounds.namedMax ? `${shown} and ${names.length - fixedBounds.namedMax} more` : shown;
}
