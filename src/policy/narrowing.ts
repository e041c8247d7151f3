/**
 * Rules that let a call through with less of it: a smaller number, fewer items of a list, a dry run. Only arguments are narrowed of which the tool itself says
 * that less of them does less; what cannot be narrowed for certain denies. Pure: the same call gives the same arguments.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import type { Limits } from "../base/limits.ts";
import type { NarrowedArgument } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { compileExpression } from "./condition.ts";
import type { PolicyDocument, RuleChange } from "./document.ts";
import { conditionVariables, parseExpression } from "./expression.ts";
import { asJson } from "./facts.ts";
import { Failure, failure, type Scope, type Value } from "./scope.ts";
import type { ReadyRule, ReadyChange } from "./tool-plan.ts";

/** What the rules of a tool make of a call's arguments. */
export type Narrowing =
  | { readonly kind: "narrowed"; readonly args: JsonObject; readonly changes: readonly NarrowedArgument[] }
  /** Nothing of an argument may stay, so there is nothing left to do. */
  | { readonly kind: "nothing-left"; readonly rule: string; readonly argument: string }
  | { readonly kind: "error"; readonly rule: string; readonly problem: string };

/** Makes the changes of a rule ready; what cannot be read breaks when it is used, which denies. */
export function readyChanges(changes: readonly RuleChange[], policy: PolicyDocument, limits: Limits): readonly ReadyChange[] {
  return changes.map((change) => {
    const { argument, operator } = change;
    if (operator === "flag") return { argument, operator, to: () => true, factNames: [] };
    const { value } = change;
    if (typeof value !== "string") return { argument, operator, to: () => value, factNames: [] };
    const parsed = parseExpression(value, { variables: conditionVariables, factNames: Object.keys(policy.facts) }, limits);
    if ("problem" in parsed) return { argument, operator, to: () => failure(parsed.problem), factNames: [] };
    return { argument, operator, to: compileExpression(parsed, limits), factNames: [...parsed.factNames] };
  });
}

/**
 * Narrows the arguments of a call by every rule that holds, again and again until nothing changes, since the changed call is another call to the rules. A rule
 * whose condition breaks is left to the decision, which denies it.
 *
 * @returns undefined where no rule changes anything.
 */
export function narrowCall(rules: readonly ReadyRule[], tool: Tool, scope: Scope, limits: Limits): Narrowing | undefined {
  const changes: NarrowedArgument[] = [];
  let args = scope.args as JsonObject;
  for (let round = 0; round < limits.narrowingRoundsMax; round += 1) {
    const narrowed = narrowOnce(rules, tool, { ...scope, args });
    if (narrowed.kind !== "narrowed") return narrowed;
    if (narrowed.changes.length === 0) return changes.length === 0 ? undefined : { kind: "narrowed", args, changes };
    for (const change of narrowed.changes) if (!changes.some((known) => isSame(known, change))) changes.push(change);
    args = narrowed.args;
  }
  return { kind: "error", rule: changes.at(-1)?.rule ?? "", problem: "the rules that modify never come to an end" };
}

function isSame(left: NarrowedArgument, right: NarrowedArgument): boolean {
  return left.rule === right.rule && left.argument === right.argument;
}

function narrowOnce(rules: readonly ReadyRule[], tool: Tool, scope: Scope): Narrowing {
  let args = scope.args as JsonObject;
  const changes: NarrowedArgument[] = [];
  for (const { rule, condition, changes: wanted } of rules) {
    if (condition !== undefined && condition(scope) !== true) continue;
    for (const change of wanted) {
      const { argument, operator } = change;
      const value = narrowArgument(change, tool, args, scope);
      if (value instanceof Failure) return { kind: "error", rule: rule.id, problem: value.message };
      if (value === nothingLeft) return { kind: "nothing-left", rule: rule.id, argument };
      if (value === unchanged) continue;
      args = { ...args, [argument]: value };
      changes.push({ argument, operator, rule: rule.id });
    }
  }
  return { kind: "narrowed", args, changes };
}

const unchanged = Symbol("unchanged");
const nothingLeft = Symbol("nothing left");

function narrowArgument(
  change: ReadyChange,
  tool: Tool,
  args: JsonObject,
  scope: Scope,
): Json | Failure | typeof unchanged | typeof nothingLeft {
  const { argument, operator } = change;
  if (tool.narrows === undefined || !Object.hasOwn(tool.narrows, argument) || tool.narrows[argument] !== operator)
    return failure(`\`${tool.name}\` does not say that \`${argument}\` may be narrowed by \`${operator}\``);
  const present = Object.hasOwn(args, argument) ? args[argument] : undefined;
  if (operator === "flag") return present === true ? unchanged : true;
  const to = change.to(scope);
  if (to instanceof Failure) return to;
  return operator === "cap" ? cap(present, to, argument) : subset(present, to, argument);
}

function cap(present: Json | undefined, to: Value, argument: string): number | Failure | typeof unchanged {
  const most = asJson(to);
  if (typeof most !== "number") return failure(`the cap of \`${argument}\` is no number`);
  // What a missing number stands for only the tool knows; it may well be more.
  if (typeof present !== "number") return failure(`\`${argument}\` is no number that could be capped`);
  return present <= most ? unchanged : most;
}

function subset(present: Json | undefined, to: Value, argument: string): Json | Failure | typeof unchanged | typeof nothingLeft {
  const allowed = asJson(to);
  if (!Array.isArray(allowed)) return failure(`the subset of \`${argument}\` is no list`);
  if (!Array.isArray(present)) return failure(`\`${argument}\` is no list that could be narrowed`);
  const texts = new Set((allowed as readonly Json[]).map((item) => canonicalJson(item)));
  const kept = (present as readonly Json[]).filter((item) => texts.has(canonicalJson(item)));
  // Many systems take an empty list for everything.
  if (kept.length === 0) return nothingLeft;
  return kept.length === present.length ? unchanged : kept;
}
