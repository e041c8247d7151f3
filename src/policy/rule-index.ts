import type { Limits } from "../base/limits.ts";
import type { Reason } from "../domain/decision.ts";
import type { Tool } from "../domain/tool.ts";
import { compileCondition, compileExpression } from "./condition.ts";
import type { PolicyDocument, Rule } from "./document.ts";
import { conditionVariables, factVariables, parseExpression } from "./expression.ts";
import { hasStar, matchesTool, splitGlob } from "./glob.ts";
import { historyOfTool } from "./history.ts";
import { readyDelay } from "./delay.ts";
import { readyChanges } from "./narrowing.ts";
import { failure, type Evaluate } from "./scope.ts";
import type { ReadyRule, ReadyFact, ToolPlan } from "./tool-plan.ts";

/** Finds the rules of a tool without looking at the others, so that a decision costs the same however many rules a policy has. */
export interface RuleIndex {
  planFor(tool: Tool): ToolPlan;
}

/**
 * Indexes rules by tool name; rules with stars are matched once per tool. Plans hang on the tool object itself, which the registry keeps, so there
 * are never more plans than live tools. Each rule is compiled once, when the first tool it concerns is called.
 */
export function createRuleIndex(policy: PolicyDocument, limits: Limits): RuleIndex {
  const byName = new Map<string, Set<number>>();
  const starred: number[] = [];
  for (const [index, rule] of policy.rules.entries()) fileRule(rule, index, byName, starred);
  const ready = readyOnce((index: number) => readyRule(policy.rules[index] as Rule, policy, limits));
  const facts = readyOnce((name: string) => readyFact(name, policy, limits));
  const plans = new WeakMap<Tool, ToolPlan>();
  return {
    planFor(tool) {
      let plan = plans.get(tool);
      if (plan === undefined) {
        const indexes = concerning(policy, tool, [...(byName.get(tool.name) ?? []), ...starred]);
        plan = makePlan(policy, tool, { rules: indexes.map(ready), history: historyOfTool(policy, tool, limits) }, facts);
        plans.set(tool, plan);
      }
      return plan;
    },
  };
}

function fileRule(rule: Rule, index: number, byName: Map<string, Set<number>>, starred: number[]): void {
  if (rule.on.some(hasStar)) {
    starred.push(index);
    return;
  }
  for (const glob of rule.on) {
    const { name } = splitGlob(glob);
    const indexes = byName.get(name);
    if (indexes === undefined) byName.set(name, new Set([index]));
    else indexes.add(index);
  }
}

function concerning(policy: PolicyDocument, tool: Tool, candidates: readonly number[]): readonly number[] {
  const hits = candidates.filter((index) => (policy.rules[index] as Rule).on.some((glob) => matchesTool(glob, tool)));
  // In the order of the policy, so that reasons read as it does.
  return hits.sort((left, right) => left - right);
}

function readyOnce<Key, Made>(make: (key: Key) => Made): (key: Key) => Made {
  const made = new Map<Key, Made>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

function makePlan(
  policy: PolicyDocument,
  tool: Tool,
  { rules, history }: Pick<ToolPlan, "rules" | "history">,
  facts: (name: string) => ReadyFact,
): ToolPlan {
  const factNames = new Set([...rules, ...history].flatMap((rule) => rule.factNames));
  return {
    rules,
    narrowing: rules.filter(({ rule }) => rule.effect === "modify"),
    history,
    facts: [...factNames].map(facts),
    absentWords: [...factNames].map((name) => policy.facts[name]?.absent).find((words) => words !== undefined),
    blockedBy: policy.limits.blockedActions.find((glob) => matchesTool(glob, tool)),
    variables: { name: tool.name, version: tool.version, tier: tool.tier, source: tool.source, sensitive: tool.isSensitive },
  };
}

function readyRule(rule: Rule, policy: PolicyDocument, limits: Limits): ReadyRule {
  const reason: Reason = { rule: rule.id, effect: rule.effect, reason: rule.reason ?? wordsOf(rule) };
  const changes = readyChanges(rule.change ?? [], policy, limits);
  const delay = rule.defer === undefined ? undefined : readyDelay(rule.defer, policy, limits);
  const effectFacts = [...changes.flatMap(({ factNames }) => factNames), ...(delay?.factNames ?? [])];
  if (rule.when === undefined) return { rule, condition: undefined, factNames: effectFacts, changes, delay, reason };
  const names = { variables: conditionVariables, factNames: Object.keys(policy.facts) };
  const parsed = parseExpression(rule.when, names, limits);
  // A policy that did not come from the parser: a condition that cannot be read denies what it concerns.
  if ("problem" in parsed) return { rule, condition: () => failure(parsed.problem), factNames: [], changes, delay, reason };
  return { rule, condition: compileCondition(parsed, limits), factNames: [...parsed.factNames, ...effectFacts], changes, delay, reason };
}

function wordsOf(rule: Rule): string {
  const condition = rule.when === undefined ? "it always holds" : `\`${rule.when}\` holds`;
  if (rule.effect === "defer") return `put off: ${condition}`;
  if (rule.effect === "modify") return `${(rule.change ?? []).map(({ argument }) => `\`${argument}\``).join(", ")} narrowed: ${condition}`;
  return rule.effect === "allow" ? `the question of the tier is waived: ${condition}` : condition;
}

function readyFact(name: string, policy: PolicyDocument, limits: Limits): ReadyFact {
  const spec = policy.facts[name];
  const names = { variables: factVariables, factNames: [] };
  const compiled = Object.entries(spec?.arguments ?? {}).map(([argument, source]): readonly [string, Evaluate] => {
    const parsed = parseExpression(source, names, limits);
    return [argument, "problem" in parsed ? () => failure(parsed.problem) : compileExpression(parsed, limits)];
  });
  return { name, tool: spec?.tool ?? "", arguments: compiled, cacheMs: spec?.cacheMs };
}
