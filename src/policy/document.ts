/** What a rule says when its condition holds. `modify` and `defer` are not built yet and therefore refused. */
export type RuleEffect = "allow" | "ask" | "deny";

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
  /** With `ask`: how many people must say yes. Default 1. */
  readonly quorum: number;
  /** With `ask`: the user may confirm it themself, out of the model's reach, instead of another person approving. */
  readonly confirm: "self" | undefined;
  /** For people; never shown to the model. */
  readonly reason: string | undefined;
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
  readonly rules: readonly Rule[];
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
  limits: { blockedActions: [], allowedDomains: undefined },
  budgets: { session: { calls: undefined, executionMs: undefined, costMicrosUsd: undefined } },
};
