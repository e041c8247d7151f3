import type { NarrowingOperator } from "./tool.ts";

/** What a decision says, from strongest to weakest: deny wins over defer, ask, modify, allow. */
export type Effective = "deny" | "defer" | "ask" | "modify" | "allow";

/** One reason of a decision, with the rule that gave it. */
export interface Reason {
  /** Id of the rule, or a built-in one such as `tier:irreversible`, `grant`, `ownership`, `duplicate`. */
  readonly rule: string;
  readonly effect: Effective;
  /** For people; never shown to the model where it would betray what the caller may not know. */
  readonly reason: string;
}

/** Which of the two gates a person answers at. */
export type Gate = "confirmation" | "approval";

/** An argument that a rule narrowed. Its values stand with the call's arguments, never here. */
export interface NarrowedArgument {
  readonly argument: string;
  readonly operator: NarrowingOperator;
  readonly rule: string;
}

/** How long a call is put off. Wall times in milliseconds. */
export interface DecidedDelay {
  /** When it is judged again. */
  readonly wakeAtMs: number;
  /** When it is denied if it still waits then. */
  readonly expiresAtMs: number;
}

/** What was decided about one call, recorded with it and read back by `policy explain`. */
export interface Decision {
  readonly effect: Effective;
  readonly reasons: readonly Reason[];
  /** With `ask`: which gate, who may answer, how many must. */
  readonly ask:
    | {
        readonly gate: Gate;
        readonly approvers: readonly string[];
        readonly quorum: number;
        /** Each of `approvers` has to agree by a person of its own. */
        readonly isOfEach?: true;
        readonly needsFreshAuthentication: boolean;
      }
    | undefined;
  /** The tool runs but its owner is told (reversible tier). */
  readonly notify: boolean;
  /** Content hash of the policy that decided. */
  readonly policyVersion: string;
  /** Facts that the decision rests on, by name, as SHA-256 of their canonical value: a changed fact voids an approval. */
  readonly factDigests: Readonly<Record<string, string>>;
  /** Facts that an earlier call's look-up answered, with the id of that look-up. Left out where each was looked up for this call. */
  readonly factsFrom?: Readonly<Record<string, string>>;
  /** What rules changed of the arguments before the call was decided. Left out where nothing was. */
  readonly narrowed?: readonly NarrowedArgument[];
  /** With `defer`: how long. */
  readonly delay?: DecidedDelay;
  /** Rules over earlier calls (`sequences`, `separation`) that the call counts for. Left out where there are none. */
  readonly history?: readonly string[];
}
