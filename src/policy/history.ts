/**
 * What earlier calls have to do with a call: how many there were, what they sum up to, what came before, which data were used. Here the claims of one
 * call are worked out, as pure values; they are looked up while it is decided and made at its gate (`src/call/history.ts`).
 */
import { canonicalJson } from "../base/canonical-json.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { compileCondition, compileExpression, type Condition } from "./condition.ts";
import type { PolicyDocument, SeparationRule, SequenceRule } from "./document.ts";
import { conditionVariables, parseExpression } from "./expression.ts";
import { asJson } from "./facts.ts";
import { matchesTool } from "./glob.ts";
import { Failure, failure, type Evaluate, type Scope } from "./scope.ts";
import type { HistoryClaim, CallHistory, ReadyHistory } from "./call-history.ts";

const microsPerUnit = 1_000_000;

/** The rules over history that concern a tool. */
export function historyOfTool(policy: PolicyDocument, tool: Tool, limits: Limits): readonly ReadyHistory[] {
  return [
    ...policy.sequences.filter(({ on }) => matchesAny(on, tool)).map((rule) => readySequence(rule, policy, limits)),
    ...policy.sequences.flatMap((rule) =>
      rule.demands.kind === "after" && matchesAny(rule.demands.after, tool) ? [readyMark(rule, rule.demands.afterBy, policy, limits)] : [],
    ),
    ...policy.separation.flatMap((rule) => readySeparation(rule, tool)),
  ];
}

/** Works out what a call claims. */
export function claimsOf(history: readonly ReadyHistory[], scope: Scope): CallHistory {
  const claims: HistoryClaim[] = [];
  for (const ready of history) {
    const claim = ready.claim(scope);
    if (claim instanceof Failure) return { kind: "error", rule: ready.ruleId, problem: claim.message };
    if (claim !== undefined) claims.push(claim);
  }
  return { kind: "claims", claims };
}

function matchesAny(globs: readonly string[], tool: Tool): boolean {
  return globs.some((glob) => matchesTool(glob, tool));
}

interface ReadyExpression {
  readonly evaluate: Evaluate;
  readonly holds: Condition;
  readonly factNames: readonly string[];
}

/** A policy that did not come from the parser may hold what cannot be read: then nothing it concerns can be decided. */
function ready(source: string, policy: PolicyDocument, limits: Limits): ReadyExpression {
  const parsed = parseExpression(source, { variables: conditionVariables, factNames: Object.keys(policy.facts) }, limits);
  if ("problem" in parsed) {
    const broken = (): Failure => failure(parsed.problem);
    return { evaluate: broken, holds: broken, factNames: [] };
  }
  return { evaluate: compileExpression(parsed, limits), holds: compileCondition(parsed, limits), factNames: [...parsed.factNames] };
}

function readySequence(rule: SequenceRule, policy: PolicyDocument, limits: Limits): ReadyHistory {
  const by = ready(rule.by, policy, limits);
  const when = rule.when === undefined ? undefined : ready(rule.when, policy, limits);
  const { demands } = rule;
  const sum = demands.kind === "sum" ? ready(demands.sum, policy, limits) : undefined;
  return {
    ruleId: rule.id,
    factNames: [...by.factNames, ...(when?.factNames ?? []), ...(sum?.factNames ?? [])],
    claim(scope) {
      const concerns = when === undefined || when.holds(scope);
      if (concerns === false) return undefined;
      if (concerns instanceof Failure) return concerns;
      const group = groupOf(by.evaluate, scope);
      if (group instanceof Failure) return group;
      if (demands.kind === "after")
        return { kind: "after", rule, key: `${rule.id}/${group}`, windowMs: rule.windowMs, tools: demands.after };
      const delta = sum === undefined ? 1 : microsOf(sum.evaluate(scope));
      if (delta instanceof Failure) return delta;
      const window = Math.floor(scope.nowMs / rule.windowMs);
      const max = demands.kind === "sum" ? Math.round(demands.max * microsPerUnit) : demands.max;
      return { kind: "limit", rule, key: `${rule.id}/${group}/${window}`, delta, max, windowEndMs: (window + 1) * rule.windowMs };
    },
  };
}

function readyMark(rule: SequenceRule, afterBy: string, policy: PolicyDocument, limits: Limits): ReadyHistory {
  const by = ready(afterBy, policy, limits);
  return {
    ruleId: rule.id,
    factNames: by.factNames,
    claim(scope) {
      const group = groupOf(by.evaluate, scope);
      return group instanceof Failure ? group : { kind: "mark", key: `${rule.id}/${group}`, windowMs: rule.windowMs };
    },
  };
}

function readySeparation(rule: SeparationRule, tool: Tool): readonly ReadyHistory[] {
  const classes = Object.entries(rule.classes).flatMap(([name, members]) =>
    members.some((member) => isMember(member, tool)) ? [name] : [],
  );
  if (classes.length === 0) return [];
  const { atMost, keepMs } = rule;
  return [
    {
      ruleId: rule.id,
      factNames: [],
      claim: ({ principal }) => ({
        kind: "separation",
        rule,
        key: `${rule.id}/${sha256Hex(canonicalJson(principal["user"] as Json)).slice(0, fixedBounds.digestHexChars)}`,
        classes,
        atMost,
        keepMs,
      }),
    },
  ];
}

function isMember(member: string, tool: Tool): boolean {
  if (member.startsWith("source:")) return tool.source === member.slice("source:".length);
  if (!member.startsWith("category:")) return matchesTool(member, tool);
  const category = member.slice("category:".length);
  return Object.values(tool.outputLabels).some((label) => label.categories?.includes(category) === true);
}

/** Values may be personal, so a group is known by its hash. */
function groupOf(by: Evaluate, scope: Scope): string | Failure {
  const value = by(scope);
  if (value instanceof Failure) return value;
  const json = asJson(value);
  if (json === undefined || json === null) return failure("`by` is no value that calls can be grouped by");
  return sha256Hex(canonicalJson(json)).slice(0, fixedBounds.digestHexChars);
}

function microsOf(value: ReturnType<Evaluate>): number | Failure {
  if (value instanceof Failure) return value;
  const micros = typeof value === "number" || typeof value === "bigint" ? Math.round(Number(value) * microsPerUnit) : Number.NaN;
  return Number.isSafeInteger(micros) && micros >= 0 ? micros : failure("`sum` is no number of at least 0 that can be added up");
}
