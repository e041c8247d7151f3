import type { Decision, Reason } from "../domain/decision.ts";
import { askFor } from "./ask.ts";
import { isDenial, standingDenials, type Deciding } from "./decide.ts";
import { scopeOf } from "./scope-of.ts";
import { Failure } from "./scope.ts";
import type { DecisionInput } from "./decision-input.ts";
import type { HistoryClaim } from "./call-history.ts";
import type { ReadyRule } from "./tool-plan.ts";

/** What a policy says of a tool before anybody knows the arguments. */
export interface PolicyOutlook {
  readonly effect: "allow" | "ask" | "deny";
  readonly gate: NonNullable<Decision["ask"]>["gate"] | undefined;
  /** Rules that hold whatever the arguments are. */
  readonly reasons: readonly Reason[];
  /** Rules that hold for some arguments, or at some times. */
  readonly open: readonly Reason[];
  /** Whether a rule that always holds waives the tier's question. */
  readonly isWaived: boolean;
  /** What a call would claim of the data classes that are kept apart. */
  readonly separation: readonly HistoryClaim[];
}

/** Hears every rule of the tool that needs no argument, and names the others. */
export function outlookOf(deciding: Deciding, input: Omit<DecisionInput, "args">): PolicyOutlook {
  const { plan, policy } = deciding;
  const { tool, principal } = input;
  const grant = deciding.grants.of(principal.roles, tool);
  const reasons: Reason[] = [];
  standingDenials(deciding, grant, tool, reasons);
  const always = plan.rules.filter(isCertain);
  reasons.push(...always.map(({ reason }) => reason));
  const asks = always.flatMap(({ rule }) => (rule.effect === "ask" ? [rule] : []));
  const isWaived = always.some(({ rule }) => rule.effect === "allow");
  const asked = askFor(tool, { asks, isTierWaived: isWaived }, reasons);
  const apart = new Set(policy.separation.map(({ id }) => id));
  const scope = scopeOf(plan, { ...input, args: {} }, {});
  return {
    effect: reasons.some(isDenial) ? "deny" : asked === undefined ? "allow" : "ask",
    gate: asked?.gate,
    reasons,
    open: [
      ...plan.rules.filter((ready) => !isCertain(ready)).map(({ reason }) => reason),
      ...policy.sequences.filter(({ id }) => plan.history.some(({ ruleId }) => ruleId === id)).map(sequenceReason),
    ],
    isWaived,
    separation: plan.history.flatMap((ready) => {
      const claim = apart.has(ready.ruleId) ? ready.claim(scope) : undefined;
      return claim === undefined || claim instanceof Failure ? [] : [claim];
    }),
  };
}

/** What a rule that modifies or defers makes of a call depends on its arguments and the time, whatever its condition. */
function isCertain({ condition, rule }: ReadyRule): boolean {
  return condition === undefined && rule.effect !== "modify" && rule.effect !== "defer";
}

function sequenceReason({
  id,
  effect,
  reason,
}: {
  readonly id: string;
  readonly effect: "ask" | "deny";
  readonly reason: string | undefined;
}): Reason {
  return { rule: id, effect, reason: reason ?? "earlier calls count for it" };
}
