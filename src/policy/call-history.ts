import type { HistoryRule } from "./document.ts";
import type { Failure, Scope } from "./scope.ts";

/** What a call claims of the history, each under a key that names rule and group. */
export type HistoryClaim =
  /** Adds `delta` to a counter of one window that must not exceed `max`. */
  | {
      readonly kind: "limit";
      readonly rule: HistoryRule;
      readonly key: string;
      readonly delta: number;
      readonly max: number;
      readonly windowEndMs: number;
    }
  /** A mark under `key` must be no older than `windowMs`. */
  | {
      readonly kind: "after";
      readonly rule: HistoryRule;
      readonly key: string;
      readonly windowMs: number;
      readonly tools: readonly string[];
    }
  /** Leaves a mark when the call has completed. */
  | { readonly kind: "mark"; readonly key: string; readonly windowMs: number }
  /** Uses data of `classes`, of which `atMost` may come together within `keepMs`. */
  | {
      readonly kind: "separation";
      readonly rule: HistoryRule;
      readonly key: string;
      readonly classes: readonly string[];
      readonly atMost: number;
      readonly keepMs: number;
    };

/** What a look at the history found against a call, as input to its decision. */
export interface HistoryFinding extends HistoryRule {
  /** For the model; names the rule and nothing of what others did. */
  readonly message: string;
  readonly code: "BUDGET_EXCEEDED" | "PERMISSION_DENIED";
  readonly retryAfterMs: number | undefined;
}

/** The claims of a call, or the rule that could not be worked out, which denies. */
export type CallHistory =
  | { readonly kind: "claims"; readonly claims: readonly HistoryClaim[] }
  | { readonly kind: "error"; readonly rule: string; readonly problem: string };

/** A rule over history, ready for one tool. */
export interface ReadyHistory {
  readonly factNames: readonly string[];
  /** The claim of one call; undefined where the rule does not concern it. */
  claim(scope: Scope): HistoryClaim | undefined | Failure;
  readonly ruleId: string;
}
