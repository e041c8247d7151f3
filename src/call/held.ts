/** What a call holds from the stage that found it to the one that claims it. */
import type { NarrowedArgument } from "../domain/decision.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Plan } from "../domain/plan.ts";
import type { StepFit } from "../approvals/plans.ts";
import type { HistoryClaim } from "../policy/call-history.ts";
import type { Row, RowKey } from "../store/store.ts";
import type { ArgumentTexts } from "./argument-texts.ts";

/** What a rule made of a call's arguments, and what they were before. */
export interface NarrowedCall {
  readonly changes: readonly NarrowedArgument[];
  /** The arguments as they were sent and repaired. Undefined for a call that recovery carries on: it runs as it passed the gate. */
  readonly before: { readonly args: JsonObject; readonly texts: ArgumentTexts } | undefined;
}

/** The look-ups of earlier calls that answered, by fact; undefined where none did. */
export type FactsFrom = Readonly<Record<string, string>>;

/** What a call claims of the history, as it stood when the call was decided. */
export interface HeldHistory {
  readonly claims: readonly HistoryClaim[];
  /** Row under each claim's key, for claims that are about rows. */
  readonly rows: readonly (Row | undefined)[];
  /** Rules that were found against the call: a person answers for them, so the gate does not hold them against it again. */
  readonly overruled: ReadonlySet<string>;
  readonly atMs: number;
}

/** The step of an approved plan that a call relies on. */
export interface HeldStep {
  readonly plan: Plan;
  readonly index: number;
  readonly fit: StepFit;
  /** Row of the plan as it was looked at. */
  readonly key: RowKey;
  readonly version: number;
}
