import type { Limits } from "../base/limits.ts";
import type { Decision } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import { denyAdvice } from "./advice.ts";
import { decideCall } from "./decide.ts";
import type { PolicyDocument } from "./document.ts";
import { factRequests, type NeededFacts } from "./facts.ts";
import { createGrants } from "./grants.ts";
import { narrowCall } from "./narrowing.ts";
import { outlookOf, type PolicyOutlook } from "./outlook.ts";
import { createRuleIndex } from "./rule-index.ts";
import { claimsOf } from "./history.ts";
import { scopeOf } from "./scope-of.ts";
import { policyVersion } from "./version.ts";
import type { DecisionInput } from "./decision-input.ts";
import type { CallHistory, HistoryFinding } from "./call-history.ts";
import type { ToolPlan } from "./tool-plan.ts";

/** Id of the built-in reason that a record which the policy asks about does not exist. */
export const factAbsent = "fact:absent";

/** A policy ready to decide. Pure and synchronous: the same input gives the same decision. */
export interface PolicyEngine {
  /** SHA-256 of the canonical policy, 64 hexadecimal characters. */
  readonly version: string;
  readonly document: PolicyDocument;
  /** Whether roles grant a tool, its required permission included. What is not granted is invisible. */
  grants(roles: readonly string[], tool: Tool): boolean;
  /** The look-ups that the rules of this call need, or the fact (`fact:<name>`) whose arguments could not be worked out, which denies. */
  neededFacts(input: DecisionInput): NeededFacts;
  /** What the call claims of the history of calls; undefined where no rule over history concerns its tool. */
  history(input: DecisionInput & { readonly facts: Readonly<Record<string, Json>> }): CallHistory | undefined;
  /**
   * The arguments that the rules leave of a call, without deciding it; undefined where they change nothing or cannot be worked out. A decision holds for
   * these arguments; `neededFacts` and `history` are to be asked about them, not about those that were sent.
   */
  narrowed(input: DecisionInput & { readonly facts: Readonly<Record<string, Json>> }): JsonObject | undefined;
  /** Decides one call. Never throws: whatever breaks while deciding is a denial whose reason begins with `error:`. */
  decide(
    input: DecisionInput & {
      readonly facts: Readonly<Record<string, Json>>;
      /** What the history says against the call. */
      readonly findings?: readonly HistoryFinding[];
    },
  ): Decision;
  /** What can be said of a tool before the arguments of a call are known; for people. */
  outlook(input: Omit<DecisionInput, "args">): PolicyOutlook;
  /** The policy's own words for a denial that rests on facts, absent or foreign; undefined: the general words. */
  denialWords(tool: Tool, decision: Decision): string | undefined;
  /** Lines of YAML that would grant the tool to this principal; for people and logs, never for a model. */
  denyAdvice(tool: Tool, principal: Principal): string;
}

/** Makes an engine of a policy that `parsePolicy` has read. Rules are compiled when a tool they concern is first called. */
export function createPolicyEngine(policy: PolicyDocument, options: { readonly limits: Limits }): PolicyEngine {
  const version = policyVersion(policy);
  const grants = createGrants(policy.roles);
  const index = createRuleIndex(policy, options.limits);
  return {
    version,
    document: policy,
    grants: (roles, tool) => grants.holds(roles, tool),
    neededFacts: (input) => factRequests(index.planFor(input.tool), input, options.limits),
    history(input) {
      const plan = index.planFor(input.tool);
      return plan.history.length === 0 ? undefined : claimsOf(plan.history, scopeOf(plan, input, input.facts));
    },
    narrowed(input) {
      const plan = index.planFor(input.tool);
      if (plan.narrowing.length === 0) return undefined;
      const narrowing = narrowCall(plan.narrowing, input.tool, scopeOf(plan, input, input.facts), options.limits);
      return narrowing?.kind === "narrowed" ? narrowing.args : undefined;
    },
    decide: (input) => decideCall({ policy, version, grants, plan: index.planFor(input.tool), limits: options.limits }, input),
    outlook: (input) => outlookOf({ policy, version, grants, plan: index.planFor(input.tool), limits: options.limits }, input),
    denialWords: (tool, decision) => denialWords(index.planFor(tool), decision),
    denyAdvice: (tool, principal) => denyAdvice(policy, tool, principal),
  };
}

/** Depends on the tool and on whether facts were in it, never on which record they were about: absent and foreign read the same. */
function denialWords(plan: ToolPlan, decision: Decision): string | undefined {
  if (plan.absentWords === undefined) return undefined;
  const rests = decision.reasons.some(
    ({ rule, effect }) =>
      effect === "deny" && (rule === factAbsent || plan.rules.some((ready) => ready.rule.id === rule && ready.factNames.length > 0)),
  );
  return rests ? plan.absentWords : undefined;
}
