import type { Confidentiality, Integrity } from "./label.ts";
import type { Tier } from "./tool.ts";

/** What a conversation has done to itself so far, for people: what it read, what restricts it, what was granted, and what it may still do. Holds no content. */
export interface SessionView {
  readonly id: string;
  readonly tenant: string;
  readonly user: string;
  /** Roles that it still has. */
  readonly roles: readonly string[];
  readonly revokedRoles: readonly string[];
  readonly credentialId: string;
  readonly conversationId: string | undefined;
  readonly openedAtMs: number;
  readonly lastAtMs: number;
  /** Why it takes no more calls; undefined while it does. */
  readonly stopped: string | undefined;
  readonly calls: SessionCallCounts;
  readonly read: readonly SourceRead[];
  /** Data categories among what was read; sorted. */
  readonly categories: readonly string[];
  readonly restrictions: readonly Restriction[];
  readonly words: SessionWords;
  readonly grants: readonly SessionGrant[];
  readonly budgets: readonly BudgetState[];
  /** Calls that were far from what the user had asked for, whatever became of them. */
  readonly detoursCount: number;
  /** Refusals so far, and how many stop the session. */
  readonly denials: { readonly count: number; readonly max: number };
  readonly tools: readonly ToolOutlook[];
  /** False where the session has more entries than one view reads; the counts are then of the first ones. */
  readonly isComplete: boolean;
}

/** Calls by how they stand. */
export interface SessionCallCounts {
  readonly completed: number;
  readonly failed: number;
  readonly unknown: number;
  readonly denied: number;
  /** Asked a person and not made yet. */
  readonly waiting: number;
  /** Passed the gate and not settled yet. */
  readonly running: number;
}

/** What came from one source system. */
export interface SourceRead {
  readonly source: string;
  /** Sorted. */
  readonly tools: readonly string[];
  readonly resultsCount: number;
  /** How far its values are believed, from most to least; more than one where places of a result differ. */
  readonly integrity: readonly Integrity[];
  readonly confidentiality: readonly Confidentiality[];
  readonly categories: readonly string[];
  /** Whether any of it is kept from readers who are not named. */
  readonly isGuarded: boolean;
  /** Who may have what is guarded, one list for each circle of readers; empty lists: nobody. */
  readonly readers: readonly (readonly string[])[];
  readonly lastAtMs: number;
}

/** Something that narrows what the session may do. */
export interface Restriction {
  readonly kind: "untrusted" | "guarded" | "separation" | "read-only" | "roles-revoked";
  /** Source system, rule or switch. */
  readonly from: string;
  /** What it means, in our words. */
  readonly effect: string;
  /** Whether this conversation brought it about, or another one of the same user under the same credential. */
  readonly by: "this session" | "another session" | "a person" | "policy";
  readonly sinceMs: number | undefined;
  /** Wall time before which it does not end; undefined: it does not end by itself. */
  readonly endsAtMs: number | undefined;
}

/** What is known of the user's own words. */
export interface SessionWords {
  readonly turnsCount: number;
  /** Whether the credential's statements about them are believed. */
  readonly isAttested: boolean;
}

/** A yes that a person gave. */
export interface SessionGrant {
  /** `plan`: one step of an approved plan. */
  readonly kind: "approval" | "widening" | "plan";
  readonly tool: string;
  /** Id of the approval or plan. */
  readonly approvalId: string;
  /** Of a plan's step: calls that it still allows. */
  readonly callsLeft?: number;
  /** Who said yes; empty while only part of the quorum has. */
  readonly by: readonly string[];
  readonly endsAtMs: number;
}

/** One budget of the session. `max` undefined: not limited. */
export interface BudgetState {
  readonly name: "calls" | "execution-ms" | "cost-micros-usd";
  readonly used: number;
  readonly max: number | undefined;
  readonly left: number | undefined;
}

/** What would come of a call as things stand, before its arguments are known. */
export interface ToolOutlook {
  readonly tool: string;
  readonly version: string;
  readonly tier: Tier;
  /** `runs`, `confirms` (the user themself), `asks` (another person) or `denied`. */
  readonly now: "runs" | "confirms" | "asks" | "denied";
  /** Rules that speak for it. */
  readonly because: readonly OutlookReason[];
  /** Rules that may still ask or refuse, depending on the arguments or on what is looked up. */
  readonly dependsOn: readonly OutlookReason[];
}

/** One rule and what it says. */
export interface OutlookReason {
  readonly rule: string;
  /** For people, never for a model. */
  readonly reason: string;
}
