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
import { createRuleIndex } from "./rule-index.ts";
import { policyVersion } from "./version.ts";

/** What rules may ask about a call. */
export interface DecisionInput {
  readonly tool: Tool;
  readonly args: JsonObject;
  readonly principal: Principal;
  readonly session: { readonly id: string; readonly attested: boolean };
  /** Wall time of the decision in milliseconds. */
  readonly nowMs: number;
}

/** A policy ready to decide. Pure and synchronous: the same input gives the same decision. */
export interface PolicyEngine {
  /** SHA-256 of the canonical policy, 64 hexadecimal characters. */
  readonly version: string;
  readonly document: PolicyDocument;
  /** Whether roles grant a tool, its required permission included. What is not granted is invisible. */
  grants(roles: readonly string[], tool: Tool): boolean;
  /** The look-ups that the rules of this call need, or the fact (`fact:<name>`) whose arguments could not be worked out, which denies. */
  neededFacts(input: DecisionInput): NeededFacts;
  /** Decides one call. Never throws: whatever breaks while deciding is a denial whose reason begins with `error:`. */
  decide(input: DecisionInput & { readonly facts: Readonly<Record<string, Json>> }): Decision;
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
    decide: (input) => decideCall({ policy, version, grants, plan: index.planFor(input.tool) }, input),
    denyAdvice: (tool, principal) => denyAdvice(policy, tool, principal),
  };
}
