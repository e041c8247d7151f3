import type { Limits } from "../base/limits.ts";
import type { ErrorCode, Effect } from "../errors/codes.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Label } from "./label.ts";
import type { Principal } from "./principal.ts";

/**
 * What a wrong call may cost. `read` runs; `reversible` runs, is logged and notified; `irreversible` asks unless a rule waives it; `privileged`
 * always asks an approver who has just authenticated.
 */
export type Tier = "read" | "reversible" | "irreversible" | "privileged";

/** The tiers from harmless to grave. */
export const tiers: readonly Tier[] = ["read", "reversible", "irreversible", "privileged"];

/**
 * What makes a repeat of the same call safe: `natural` (repeating changes nothing), `key` (the upstream honours our idempotency key), `lookup`
 * (what happened can be looked up by key), `none`.
 */
export type Idempotency = "natural" | "key" | "lookup" | "none";

/** What an argument means, for tracing and sanitising. */
export type ArgumentRole = "target" | "ref" | "amount" | "date" | "command" | "credential" | "content" | "control";

/**
 * How a rule of the policy may change an argument so that the call certainly does less: `cap` (a smaller number), `subset` (fewer items of a list), `flag`
 * (true, such as a dry run).
 */
export type NarrowingOperator = "cap" | "subset" | "flag";

/** A JSON Schema, 2020-12 unless it names draft-07. */
export type JsonSchema = JsonObject | boolean;

/** What to do with one kind of failure: retry it inside the call, or show it to the model at once. */
export type FailurePolicy = "absorb" | "surface";

/** Kinds of failure that a tool can have. */
export type FailureKind = "timeout" | "unavailable" | "rate-limited" | "rejected" | "failed";

/** How one tool's failures are retried. */
export interface RetryPolicy {
  /** Attempts in all. Default `attemptsMax`. */
  readonly attempts: number;
  /** Default: `timeout`, `unavailable` and `rate-limited` are absorbed, `rejected` and `failed` surfaced. */
  readonly on: Readonly<Record<FailureKind, FailurePolicy>>;
}

/** What answers when the tool cannot, provided that nothing happened. */
export type Fallback =
  | { readonly kind: "value"; readonly value: Json }
  | { readonly kind: "tool"; readonly tool: string }
  | { readonly kind: "unavailable"; readonly message: string };

/** A tool as the registry knows it: everything that policy, people and fingerprints see. Pure data. */
export interface Tool {
  /** Dotted name such as `order.refund`, unique with the version. */
  readonly name: string;
  /** Semantic version. */
  readonly version: string;
  readonly title: string | undefined;
  readonly description: string;
  readonly whenToUse: string | undefined;
  readonly whenNotToUse: string | undefined;
  readonly examples: readonly { readonly arguments: JsonObject; readonly about?: string }[];
  readonly tier: Tier;
  /** The arguments themselves leave for the outside, so even a read is consequential. */
  readonly isEgress: boolean;
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonSchema | undefined;
  /** Role of an argument by JSON pointer (`/orderId`, `/items/*` + `/sku`). */
  readonly argumentRoles: Readonly<Record<string, ArgumentRole>>;
  /** What rules of the policy may narrow, by argument name. Absent: nothing; only whoever knows the tool can say that less of an argument does less. */
  readonly narrows?: Readonly<Record<string, NarrowingOperator>> | undefined;
  /**
   * How users ask for what this tool does: patterns over their own words, in any language, matched without regard to case. Absent: the verbs that
   * five languages have for its kind of action.
   */
  readonly asks?: readonly string[] | undefined;
  /** Label by JSON pointer of the output; `""` is the whole, `*` any one step, `**` any number of them. */
  readonly outputLabels: Readonly<Record<string, Partial<Label>>>;
  /** `personal`: what looks personal or secret is taken out of its results before anybody reads them. Absent: only secrets are. */
  readonly redacts?: "personal" | undefined;
  /** Source system. */
  readonly source: string;
  readonly owner: string | undefined;
  readonly idempotency: Idempotency;
  /** Name of the read tool that looks up what became of a key, with `idempotency: "lookup"`; it is called with `{ key }`. */
  readonly lookupTool: string | undefined;
  /** The same meaning twice is normal (a counter, a chat message): the duplicate guard does not ask. */
  readonly isRepeatable: boolean;
  readonly isSensitive: boolean;
  /** Whose rights it runs with. */
  readonly runsAs: "user" | "service";
  /** Permission that the principal must hold besides the tool's grant. */
  readonly permission: string | undefined;
  readonly timeouts: {
    readonly attemptMs: number;
    readonly executeMs: number;
    readonly replyMs: number;
    /** Longest silence between two progress messages of one attempt; undefined = no idle timer. */
    readonly idleMs?: number | undefined;
  };
  readonly retry: RetryPolicy;
  readonly fallback: Fallback | undefined;
  /** Cost held per call, in micros of USD. */
  readonly costMicrosUsd: number;
  /** Calls per minute over all principals of a tenant; undefined = no limit of its own. */
  readonly ratePerMinute: number | undefined;
  /** When this tool is left alone because it keeps failing. Absent: `breakerFailures`, `breakerOpenMs`, `breakerProbes`. */
  readonly breaker?: { readonly failures?: number; readonly openMs?: number; readonly probes?: number } | undefined;
  /** How many of its calls are under way at once, and how many wait how long. Absent: `toolConcurrentMax`, `bulkheadQueueMax`, `bulkheadWaitMs`. */
  readonly bulkhead?: { readonly concurrent?: number; readonly queue?: number; readonly waitMs?: number } | undefined;
  /**
   * A read that takes long is asked a second time, and the first answer wins. `afterMs`: how long; default what 95 % of its answers took, once
   * `hedgeAnswersMin` are known. Only for reads of our own definition whose arguments stay inside.
   */
  readonly hedge?: { readonly afterMs?: number } | undefined;
  /** Results may be given again to the same user for so long, unless a write came between. Only for reads. */
  readonly cache?: { readonly ttlMs: number } | undefined;
  /** Globs over the tools whose cached results a call of this one makes old. Absent: all of the same source. */
  readonly invalidates?: readonly string[] | undefined;
  /** CEL over `args` and `result` that must be `true` of a result for it to count as a success. */
  readonly postcondition: string | undefined;
  /** Safe repairs of arguments are tried. Default true. */
  readonly repairsArguments: boolean;
  /** Whether the definition came from outside (an import, an upstream), so that its patterns run on the linear-time engine. */
  readonly isForeign: boolean;
  readonly deprecated: { readonly since: string; readonly removal?: string; readonly useInstead?: string } | undefined;
  /** SHA-256 over the canonical definition: pins approvals and detects change. */
  readonly fingerprint: string;
}

/** What a connector is told about the call it carries out. */
export interface Execution {
  readonly callId: string;
  /** Pass it on to the upstream: the same effect under the same key happens once. */
  readonly key: string;
  /** Fires when the attempt's time is over or the caller is gone. */
  readonly signal: AbortSignal;
  readonly principal: Principal;
  readonly sessionId: string;
  readonly tool: Tool;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Resets the idle timer, never the deadline; bounded and dropped when the caller does not listen. */
  progress(message: string): void;
  /**
   * Says how far the attempt got, so that one that is cut off reports the right effect: `unsent` as long as nothing can have reached the target,
   * `sent` from the moment when it may have. A connector that never says counts as having sent from the start.
   */
  mark?(progress: "unsent" | "sent"): void;
  /** Resolves a `secret://` reference; the value is redacted from everything that leaves. */
  secret(reference: string): Promise<string>;
  /** Has a value that was fetched for this call, such as a token, redacted from everything that leaves. */
  conceal(value: string): void;
}

/** What a connector brought back. */
export type ExecutionResult =
  | {
      readonly kind: "value";
      readonly value: unknown;
      /** What is suspicious about it, in our words; absent or empty for nothing. */
      readonly warnings?: readonly string[];
    }
  | { readonly kind: "failure"; readonly failure: Failure };

/** A failure of a tool, classified by its connector. */
export interface Failure {
  readonly kind: FailureKind;
  /** Ours, for the model; without anything the upstream said. */
  readonly message: string;
  readonly effect: Effect;
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own words, untrusted. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
  /** Overrides the code that follows from the kind. */
  readonly code?: ErrorCode;
}

/** How a tool's calls leave. Never throws for a failure of the tool; a throw is classified as `failed` with the effect the tier suggests. */
export interface Connector {
  /** Such as `function` or `http`. */
  readonly kind: string;
  /** May answer at once, where nothing has to be waited for. */
  execute(args: JsonObject, execution: Execution): ExecutionResult | Promise<ExecutionResult>;
  close?(): Promise<void>;
  /** Whose credential it sends. Absent: none of its own. */
  readonly actsAs?: "user" | "service" | undefined;
  /** What the user behind a call has to do before it can be made, in words for the model; undefined where nothing is missing. Asked before anything is claimed. */
  lacks?(asked: Pick<Execution, "principal" | "secret" | "tool">): Promise<string | undefined>;
}

/** A tool with the way its calls leave. */
export interface RegisteredTool {
  readonly tool: Tool;
  readonly connector: Connector;
  /** The same tool with what was left out of its definition taken from a box's limits. Absent: nothing was left out. */
  readonly withLimits?: (limits: Limits) => Tool;
}
