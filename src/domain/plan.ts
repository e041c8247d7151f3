import type { CardArgument } from "./approval-card.ts";
import type { Json } from "./json.ts";
import type { Tier } from "./tool.ts";

/**
 * What one argument of a planned call may be: exactly one value, one of several, a number from 0 up to a bound, or anything. Only what is named exactly
 * counts as given by the person who approved the plan.
 */
export type PlanValue = { readonly is: Json } | { readonly oneOf: readonly Json[] } | { readonly atMost: number } | { readonly any: true };

/** Calls of one tool that a plan foresees. */
export interface PlanStep {
  /** Name of the tool. */
  readonly tool: string;
  /** Every argument that such a call may have, by name. Those that may be anything may also be left out. */
  readonly arguments: Readonly<Record<string, PlanValue>>;
  /** So many calls at most; default 1. */
  readonly callsMax: number;
  /** The sum of one numeric argument over all calls of the step, at most; up to six decimals. */
  readonly total?: { readonly argument: string; readonly max: number };
}

/** What is proposed. */
export interface PlanProposal {
  /** What the plan is for, in words for the person who decides. */
  readonly goal: string;
  readonly steps: readonly (Omit<PlanStep, "callsMax"> & { readonly callsMax?: number })[];
  /** From the yes on, it holds so long; default `planHoldsMs`, at most `planHoldsMsMax`. */
  readonly holdsMs?: number;
}

/** Where a plan stands. `expired`: nobody answered in time, or its time is over. */
export type PlanState = "proposed" | "approved" | "rejected" | "revoked" | "expired";

/** A person's answer to a plan. */
export interface PlanAnswer {
  readonly by: string;
  readonly credentialId: string;
  readonly approve: boolean;
  readonly reason: string | undefined;
  readonly atMs: number;
}

/** A list of steps that a person approves for one session, before any of them is taken. */
export interface Plan {
  readonly id: string;
  readonly tenant: string;
  readonly sessionId: string;
  /** The user of the session. */
  readonly user: string;
  /** The credential that proposed it; it may never answer. */
  readonly proposedBy: string;
  /** Undefined where the private values were erased. */
  readonly goal: string | undefined;
  /** Empty where the private values were erased: such a plan covers nothing. */
  readonly steps: readonly PlanStep[];
  /** Definition of each step's tool when it was proposed; another covers nothing. */
  readonly tools: readonly { readonly version: string; readonly fingerprint: string }[];
  /** SHA-256 of goal, steps, tools and session: what an answer is given for. */
  readonly digest: string;
  readonly holdsMs: number;
  readonly state: PlanState;
  readonly answer: PlanAnswer | undefined;
  readonly createdAtMs: number;
  /** Until then it can be answered; once approved, until then it holds. */
  readonly expiresAtMs: number;
}

/** What a person needs in order to judge a plan: bounded, on one line each, with invisible characters made visible. */
export interface PlanCard {
  readonly goal: string | undefined;
  readonly user: string;
  /** The credential that proposed it. */
  readonly agent: string;
  readonly holdsMs: number;
  readonly steps: readonly PlanStepCard[];
}

/** One step on the card. */
export interface PlanStepCard {
  readonly tool: string;
  readonly version: string;
  /** What the tool does, in its own words. */
  readonly about: string;
  readonly tier: Tier | undefined;
  readonly undo: string;
  /** The tool's definition is no longer the one that the step was proposed for: it covers nothing. */
  readonly isToolChanged: boolean;
  readonly callsMax: number;
  /** Such as `amount: at most 50.5 in all`. */
  readonly total: string | undefined;
  /** Values that a yes vouches for; of those that may be one of several, each. */
  readonly arguments: readonly CardArgument[];
  readonly argumentsLeftOutCount: number;
  /** Names of those whose values the user did not say. */
  readonly notSaid: readonly string[];
  /** What is left open, such as `note: anything` or `amount: at most 50`. */
  readonly leftOpen: readonly string[];
}

/** A plan with what was used of it: calls, and the sum of the step's total, each as held by calls that run or ran. */
export interface PlanView extends Plan {
  readonly used: readonly { readonly calls: number; readonly total: number | undefined }[];
}
