/**
 * Approved plans. A person says yes to a list of steps for one session; calls that fit a step then count as asked for by the user, so many times and up to
 * such a sum. What a step leaves open is not vouched for: only values that it names exactly count as given. Nothing here grants a permission, waives a rule
 * of the policy or touches the privileged tier.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Plan, PlanAnswer, PlanStep, PlanValue } from "../domain/plan.ts";
import type { Credential } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import type { RowKey } from "../store/store.ts";
import { isSamePerson } from "./approvals.ts";

/** Where a plan lives. */
export function planKey(tenant: string, id: string): RowKey {
  return { space: "plan", tenant, key: id };
}

/** Counts what a session has proposed, so that nobody is flooded. */
export function planCounter(tenant: string, sessionId: string): RowKey {
  return { space: "plans-proposed", tenant, key: sessionId };
}

/** Counts the calls of a step, or the sum of its total in millionths. */
export function stepCounter(plan: Pick<Plan, "tenant" | "id">, step: number, what: "calls" | "total"): RowKey {
  return { space: "plan-used", tenant: plan.tenant, key: `${plan.id}/${step}/${what}` };
}

/** What a fitting call takes from a step. */
export interface StepFit {
  /** Names of the arguments that the step names exactly. */
  readonly named: ReadonlySet<string>;
  /** Whether it names all of the call's arguments exactly. */
  readonly isWhole: boolean;
  /** What the call adds to the total, in millionths; 0 without one. */
  readonly totalMicros: number;
}

/** Whether a call fits a step: every argument is foreseen and every value allowed. Undefined where it does not. */
export function fitStep(step: PlanStep, args: JsonObject): StepFit | undefined {
  const given = Object.keys(args);
  if (given.some((name) => !Object.hasOwn(step.arguments, name))) return undefined;
  for (const [name, value] of Object.entries(step.arguments)) {
    if (Object.hasOwn(args, name) ? !isAllowed(value, args[name] as Json) : !("any" in value)) return undefined;
  }
  const totalMicros = step.total === undefined ? 0 : microsOf(args[step.total.argument]);
  if (totalMicros === undefined) return undefined;
  const named = new Set(given.filter((name) => isExact(step.arguments[name] as PlanValue)));
  return { named, isWhole: named.size === given.length, totalMicros };
}

function isAllowed(allowed: PlanValue, value: Json): boolean {
  if ("is" in allowed) return canonicalJson(allowed.is) === canonicalJson(value);
  if ("oneOf" in allowed) return allowed.oneOf.some((each) => canonicalJson(each) === canonicalJson(value));
  if ("atMost" in allowed) return typeof value === "number" && value >= 0 && value <= allowed.atMost;
  return true;
}

function isExact(value: PlanValue): boolean {
  return "is" in value || "oneOf" in value;
}

/** An amount in millionths; undefined for what is none, is negative, or has more than six decimals: such sums would not be exact. */
export function microsOf(value: Json | undefined): number | undefined {
  if (typeof value !== "number" || value < 0) return undefined;
  const micros = Math.round(value * 1_000_000);
  return Number.isSafeInteger(micros) && micros / 1_000_000 === value ? micros : undefined;
}

/** What is wrong with a step as it was proposed; undefined where nothing is. */
export function stepProblem(step: PlanStep, tool: Pick<Tool, "name" | "tier" | "inputSchema">): string | undefined {
  if (tool.tier === "privileged") return `\`${tool.name}\` is privileged, which no plan can foresee; call it, and a person is asked`;
  const { properties } = tool.inputSchema as { readonly properties?: JsonObject };
  const unknown = Object.keys(step.arguments).find((name) => properties !== undefined && !Object.hasOwn(properties, name));
  if (unknown !== undefined) return `\`${tool.name}\` has no argument \`${unknown.slice(0, 60)}\``;
  const { total } = step;
  if (total === undefined) return undefined;
  const summed = step.arguments[total.argument];
  if (summed === undefined || "any" in summed)
    return `\`total\` sums \`${total.argument.slice(0, 60)}\`, which the step has to name with \`is\`, \`oneOf\` or \`atMost\``;
  return microsOf(total.max) === undefined ? "`total.max` is a number from 0 with at most six decimals" : undefined;
}

/** Who answers for a plan, when. */
export interface PlanAttempt {
  readonly credential: Credential;
  readonly by: string;
  readonly digest: string;
  readonly nowMs: number;
}

/** Groups that answer: those who approve calls, and the user who confirms. */
export interface PlanGroups {
  readonly approver: string;
  readonly confirmation: string;
}

/** Why a plan may not be answered; undefined where it may. The user's own yes takes a credential of their own, which makes no calls. */
export function refusePlanAnswer(plan: Plan, attempt: PlanAttempt, groups: PlanGroups): string | undefined {
  const { credential, by, digest, nowMs } = attempt;
  if (plan.state !== "proposed") return `this plan is already ${plan.state}`;
  if (nowMs >= plan.expiresAtMs) return "this plan has expired";
  if (credential.id === plan.proposedBy || credential.actsFor.length > 0)
    return "a credential that makes calls cannot answer for plans; use an approver's";
  if (!mayAnswerPlan(plan, { credential, by }, groups))
    return isSamePerson(by, plan.user)
      ? "the user confirms with a credential of their own"
      : `this plan wants the group \`${groups.approver}\``;
  if (digest !== plan.digest) return "this is not the plan that you were shown; look at it again";
  return undefined;
}

/** Whether a credential is one of those whose yes counts, or who may take it back. */
export function mayAnswerPlan(
  plan: Pick<Plan, "user">,
  { credential, by }: Pick<PlanAttempt, "credential" | "by">,
  groups: PlanGroups,
): boolean {
  return credential.approves.includes(isSamePerson(by, plan.user) ? groups.confirmation : groups.approver);
}

/** The plan after its answer. From a yes on it holds for its time. */
export function answeredPlan<T extends Pick<Plan, "state" | "answer" | "expiresAtMs" | "holdsMs">>(plan: T, answer: PlanAnswer): T {
  return {
    ...plan,
    answer,
    state: answer.approve ? "approved" : "rejected",
    expiresAtMs: answer.approve ? answer.atMs + plan.holdsMs : plan.expiresAtMs,
  };
}
