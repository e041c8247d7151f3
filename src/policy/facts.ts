import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { Failure, failure, type Scope, type Value } from "./scope.ts";
import { scopeOf } from "./scope-of.ts";
import type { DecisionInput } from "./decision-input.ts";
import type { ReadyFact, ToolPlan } from "./tool-plan.ts";

/** One look-up to make before a call can be decided. */
export interface FactRequest {
  readonly name: string;
  readonly tool: string;
  readonly arguments: JsonObject;
  /** How long the answer may be kept; absent: not at all. */
  readonly cacheMs?: number;
}

/** The look-ups of a call, or why they cannot be named, which denies it. */
export type NeededFacts =
  | { readonly kind: "facts"; readonly facts: readonly FactRequest[] }
  | { readonly kind: "error"; readonly rule: string; readonly problem: string };

const none: NeededFacts = { kind: "facts", facts: [] };

/** Works out the look-ups that the rules of a call need, each once. */
export function factRequests(plan: ToolPlan, input: DecisionInput, limits: Limits): NeededFacts {
  if (plan.facts.length === 0) return none;
  if (plan.facts.length > limits.factsPerCallMax)
    return {
      kind: "error",
      rule: "facts",
      problem: `the rules of this tool need ${plan.facts.length} facts; at most ${limits.factsPerCallMax} are allowed`,
    };
  const scope = scopeOf(plan, input, {});
  const facts: FactRequest[] = [];
  for (const fact of plan.facts) {
    const request = requestOf(fact, scope);
    if (request instanceof Failure) return { kind: "error", rule: `fact:${fact.name}`, problem: request.message };
    facts.push(request);
  }
  return { kind: "facts", facts };
}

function requestOf(fact: ReadyFact, scope: Scope): FactRequest | Failure {
  const made: [string, Json][] = [];
  for (const [name, evaluate] of fact.arguments) {
    const value = evaluate(scope);
    if (value instanceof Failure) return value;
    const json = asJson(value);
    if (json === undefined) return failure(`the argument \`${name}\` is neither text, number, boolean, null nor a list of these`);
    made.push([name, json]);
  }
  const request = { name: fact.name, tool: fact.tool, arguments: Object.fromEntries(made) };
  return fact.cacheMs === undefined ? request : { ...request, cacheMs: fact.cacheMs };
}

/** A value as JSON; undefined for what JSON cannot hold exactly, such as a time or a large integer. */
export function asJson(value: Value): Json | undefined {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : undefined;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = (value as readonly Value[]).map(asJson);
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  const members = Object.entries(value).map(([name, member]) => [name, asJson(member)] as const);
  return members.every(([, member]) => member !== undefined) ? (Object.fromEntries(members) as JsonObject) : undefined;
}
