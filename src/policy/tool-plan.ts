import type { Reason } from "../domain/decision.ts";
import type { NarrowingOperator } from "../domain/tool.ts";
import type { ReadyHistory } from "./call-history.ts";
import type { Condition } from "./condition.ts";
import type { ReadyDelay } from "./delay.ts";
import type { Rule } from "./document.ts";
import type { Evaluate, Scope } from "./scope.ts";

/** A rule ready to decide. */
export interface ReadyRule {
  readonly rule: Rule;
  /** Undefined holds always. */
  readonly condition: Condition | undefined;
  readonly factNames: readonly string[];
  /** How long it puts a call off; undefined unless it defers. */
  readonly delay: ReadyDelay | undefined;
  /** What it narrows; empty unless it modifies. */
  readonly changes: readonly ReadyChange[];
  /** The reason that it gives when it holds. */
  readonly reason: Reason;
}

/** A look-up with its arguments compiled. */
export interface ReadyFact {
  readonly name: string;
  readonly tool: string;
  readonly arguments: readonly (readonly [string, Evaluate])[];
  readonly cacheMs: number | undefined;
}

/** All that a policy says of one tool. */
export interface ToolPlan {
  readonly rules: readonly ReadyRule[];
  /** Those of the rules that modify. */
  readonly narrowing: readonly ReadyRule[];
  readonly facts: readonly ReadyFact[];
  /** Rules over earlier calls. */
  readonly history: readonly ReadyHistory[];
  /** What the model is told when a fact is absent or a rule that asks about one denies; the same whatever the data say. */
  readonly absentWords: string | undefined;
  /** The glob of `blockedActions` that names the tool. */
  readonly blockedBy: string | undefined;
  /** The variable `tool` of conditions. */
  readonly variables: Scope["tool"];
}

/** A change of a rule, ready for calls. */
export interface ReadyChange {
  readonly argument: string;
  readonly operator: NarrowingOperator;
  /** The number or list that the argument is held to; of a flag, true. */
  readonly to: Evaluate;
  readonly factNames: readonly string[];
}
