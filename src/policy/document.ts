import type { Json } from "../domain/json.ts";

/** What a rule says when its condition holds. */
export type RuleEffect = "allow" | "modify" | "ask" | "defer" | "deny";

/** How a rule narrows one argument; a text for a number or a list is CEL over the variables of a condition. */
export type RuleChange =
  | { readonly argument: string; readonly operator: "cap"; readonly value: number | string }
  | { readonly argument: string; readonly operator: "subset"; readonly value: readonly Json[] | string }
  | { readonly argument: string; readonly operator: "flag" };

/** One rule of a policy. Rules only narrow what roles grant, or waive the question that a tier asks. */
export interface Rule {
  /** Unique; stands in every reason it gives. */
  readonly id: string;
  /** Tool globs; the rule concerns a call when one of them names its tool. */
  readonly on: readonly string[];
  /** CEL; undefined holds always. It holds only when it is exactly `true`; anything else but `false` denies the call. */
  readonly when: string | undefined;
  readonly effect: RuleEffect;
  /** With `allow`: a reversible or irreversible call runs without the question of its tier. A privileged one never does. */
  readonly waives: "tier" | undefined;
  /** With `ask`: groups of which one must answer; undefined is `approverGroupDefault`. */
  readonly approvers: readonly string[] | undefined;
  /** With `ask`: how many people must say yes. Default 1; as many as there are groups where each of them has to agree. */
  readonly quorum: number;
  /** With `ask`: each of `approvers` has to agree, by a person of its own. Absent otherwise. */
  readonly isOfEach?: true;
  /** With `ask`: the user may confirm it themself, out of the model's reach, instead of another person approving. */
  readonly confirm: "self" | undefined;
  /** With `modify`: what it narrows. Absent otherwise. */
  readonly change?: readonly RuleChange[] | undefined;
  /** With `defer`: what the call waits for, and how long at most. Absent otherwise. */
  readonly defer?: RuleDelay | undefined;
  /** For people; never shown to the model. */
  readonly reason: string | undefined;
}

/** How a rule puts a call off. */
export interface RuleDelay {
  readonly wait:
    /** CEL: a time to wait for, or a condition that is looked at every `deferralCheckMs` until it is true. */
    | { readonly kind: "until"; readonly until: string }
    /** Since the call was first put off or asked about. */
    | { readonly kind: "for"; readonly forMs: number };
  /** How long it waits at most, then it is denied. Default `deferralExpiryMs`. */
  readonly expiresMs: number | undefined;
}

/** A read-only look-up made once per call before rules that name it are decided. */
export interface FactSpec {
  /** Name of the read tool. */
  readonly tool: string;
  /** CEL over `args`, `principal`, `session` and `tool`, by argument name. */
  readonly arguments: Readonly<Record<string, string>>;
  /**
   * What the model is told, in place of the general words, when the record is absent and when a rule that asks about a fact denies: the same for both, so
   * that nobody learns which it was.
   */
  readonly absent?: string;
  /** How long its answer may serve later calls of the same user that can be taken back. Absent: it is looked up for each call. */
  readonly cacheMs?: number;
}

/**
 * The directory of the tenant's own people: who they are that a call sends guarded data to. Whom it does not know may have nothing that is meant for
 * certain readers.
 */
export interface DirectorySpec {
  /** Name of the read tool that finds one person by exactly the address, number or name that a call sends to. */
  readonly tool: string;
  /** The argument of that tool. */
  readonly argument: string;
  /** JSON pointer of the person's id in what it answers: the reader `user:ID`. */
  readonly user: string;
  /** JSON pointer of a list of texts, or of one: the readers `group:NAME`. */
  readonly groups?: string;
  /** The same for `role:NAME`. */
  readonly roles?: string;
  /** How long its answer may serve later calls of the same user that can be taken back. Absent: it is looked up for each call. */
  readonly cacheMs?: number;
}

/** What rules over the history of calls have in common. */
export interface HistoryRule {
  /** Unique among all rules; stands in the reason it gives. */
  readonly id: string;
  readonly effect: "ask" | "deny";
  /** With `ask`: groups of which one must answer; undefined is `approverGroupDefault`. */
  readonly approvers: readonly string[] | undefined;
  /** For people; never shown to the model. */
  readonly reason: string | undefined;
}

/**
 * How often, how much, or after what. Counted at the gate, in the transaction that claims the call, so exactly over all processes of a store; a call
 * that certainly had no effect is given back.
 */
export interface SequenceRule extends HistoryRule {
  readonly on: readonly string[];
  /** CEL; only calls of which it is `true` are counted. */
  readonly when: string | undefined;
  /** CEL; calls with the same value are counted together. Default `principal.user`. */
  readonly by: string;
  readonly demands:
    | { readonly kind: "count"; readonly max: number }
    /** CEL for a number of at least 0, added up to six decimal places. */
    | { readonly kind: "sum"; readonly sum: string; readonly max: number }
    /** Tools of which one must have completed before, with the same value of `afterBy` as this call's `by`. */
    | { readonly kind: "after"; readonly after: readonly string[]; readonly afterBy: string };
  /** Of `count` and `sum`: windows of this length that follow each other from midnight UTC, 1970-01-01. Of `after`: how long ago at most. */
  readonly windowMs: number;
}

/** Classes of data that one principal may not bring together, whatever the conversation. The call that would do so is stopped before it happens. */
export interface SeparationRule extends HistoryRule {
  /** Tool globs, `source:NAME` and `category:NAME` entries, by class. */
  readonly classes: Readonly<Record<string, readonly string[]>>;
  /** So many classes may come together. Default: all but one. */
  readonly atMost: number;
  /** What was used counts so long. Default 24 h. */
  readonly keepMs: number;
}

/** What one session may use in all. Undefined members keep the limit table's default. */
export interface SessionBudgetSpec {
  readonly calls: number | undefined;
  readonly executionMs: number | undefined;
  readonly costMicrosUsd: number | undefined;
}

/** A policy as it was written, checked and with every default filled in. Pure data; its content is its version. */
export interface PolicyDocument {
  readonly version: 1;
  /** Tool globs, and `permission:NAME` entries, by role. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
  readonly facts: Readonly<Record<string, FactSpec>>;
  /** Who reads what leaves. Absent: guarded data leave only after a question, whoever reads them. */
  readonly directory?: DirectorySpec;
  readonly rules: readonly Rule[];
  readonly sequences: readonly SequenceRule[];
  readonly separation: readonly SeparationRule[];
  readonly limits: {
    /** Tool globs that nobody may call. */
    readonly blockedActions: readonly string[];
    /** Hosts that egress tools may reach, such as `api.example.com` or `*.example.com`; undefined: not limited. */
    readonly allowedDomains: readonly string[] | undefined;
  };
  readonly budgets: { readonly session: SessionBudgetSpec };
}

/** The group that answers an approval where no rule names one. */
export const approverGroupDefault = "approver";

/** The group of credentials through which users confirm their own calls. */
export const confirmationGroup = "self";

/** The policy of an installation that has none: nothing is granted. */
export const emptyPolicy: PolicyDocument = {
  version: 1,
  roles: {},
  facts: {},
  rules: [],
  sequences: [],
  separation: [],
  limits: { blockedActions: [], allowedDomains: undefined },
  budgets: { session: { calls: undefined, executionMs: undefined, costMicrosUsd: undefined } },
};
