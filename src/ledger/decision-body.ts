import type { Decision, Gate, NarrowedArgument } from "../domain/decision.ts";

/** A decision as recorded: who allowed or refused, under which policy, by which rules and facts. */
export interface DecisionBody {
  readonly approvers?: readonly string[] | undefined;
  readonly effect: string;
  readonly factDigests?: Readonly<Record<string, string>> | undefined;
  readonly factsFrom?: Readonly<Record<string, string>> | undefined;
  readonly gate?: Gate | undefined;
  readonly history?: readonly string[] | undefined;
  readonly isOfEach?: true | undefined;
  /** Which arguments rules changed; `requestDigest` and `effectiveDigest` of the entry are over those before and after. */
  readonly narrowed?: readonly NarrowedArgument[] | undefined;
  readonly notify?: true | undefined;
  readonly policyVersion: string;
  readonly quorum?: number | undefined;
  readonly reasons: readonly { readonly effect: string; readonly reason: string; readonly rule: string }[];
}

/** The recorded form of a decision; what is empty is left out. */
export function decisionBody(decision: Decision): DecisionBody {
  let hasFacts = false;
  for (const _name in decision.factDigests) {
    hasFacts = true;
    break;
  }
  return {
    approvers: decision.ask?.approvers,
    effect: decision.effect,
    factDigests: hasFacts ? decision.factDigests : undefined,
    factsFrom: decision.factsFrom,
    gate: decision.ask?.gate,
    history: decision.history,
    isOfEach: decision.ask?.isOfEach,
    narrowed: decision.narrowed,
    notify: decision.notify ? true : undefined,
    policyVersion: decision.policyVersion,
    quorum: decision.ask?.quorum,
    reasons: decision.reasons.map(({ effect, reason, rule }) => ({ effect, reason, rule })),
  };
}
