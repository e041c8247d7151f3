import type { Decision } from "../domain/decision.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Failure } from "../domain/tool.ts";

/** What a stage says: go on, end with an outcome, wait for a person, or judge again because what it relied on changed meanwhile. */
export type Verdict =
  | { readonly kind: "again"; readonly from: "identify" | "replay" }
  | { readonly kind: "proceed" }
  | { readonly kind: "stop"; readonly outcome: Outcome }
  | { readonly kind: "suspend"; readonly decision: Decision };

/** A verdict after which no other stage runs, or an earlier one again. */
export type Ending = Exclude<Verdict, { kind: "proceed" | "suspend" }>;

/** The one value that most stages return. */
export const proceed: Verdict = { kind: "proceed" };

/** Why a call is made that no model asked for: it has a parent, and its tool must be a read. */
export type Purpose = "fact" | "reconcile" | "fallback";

/** What execution brought, before it is settled. */
export type Execution = { readonly kind: "value"; readonly value: unknown } | { readonly kind: "failure"; readonly failure: Failure };
