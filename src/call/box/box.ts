import type { Approval, ApprovalState } from "../../domain/approval.ts";
import type { ApprovalCard } from "../../domain/approval-card.ts";
import type { ApprovalGroup, GroupAnswer } from "../../domain/approval-group.ts";
import type { CallLetter, DeadLetter, UndeliveredLetter } from "../../domain/dead-letter.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Label } from "../../domain/label.ts";
import type { Notice } from "../../domain/notice.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { PlanCard, PlanProposal, PlanState, PlanView } from "../../domain/plan.ts";
import type { Credential } from "../../domain/principal.ts";
import type { SessionView } from "../../domain/session-view.ts";
import type { Tool } from "../../domain/tool.ts";
import type { AuditView } from "../../ledger/audit-view.ts";
import type { TrailItem } from "../../ledger/trail.ts";
import type { Store } from "../../store/store.ts";
import type { Deferrals } from "../deferrals.ts";
import type { HealthReport } from "./tool-health.ts";
import type { ReadOnlyChange, ReadOnlyState } from "../read-only.ts";
import type { SimulationItem } from "../review/simulate.ts";
import type { PinView, SourceView } from "./tool-sources.ts";
import type { SessionOptions, BoxSession } from "./box-session.ts";

/** The running product: what the library gives, and what the gateway and the command line are made of. */
export interface Signalbox {
  /** Opens a conversation of one principal. No call can be made without one. */
  session(options: SessionOptions): Promise<BoxSession>;
  /** An open conversation by its handle; `SESSION_UNKNOWN` also where it belongs to another credential or tenant. */
  resume(sessionId: string, credential: Credential): Promise<BoxSession>;

  /**
   * A conversation as people look at it: what it has read, what restricts it, what was granted, and what it may still do. For operators; it opens nothing
   * private. `SESSION_UNKNOWN` where the tenant has none of that id.
   */
  sessionView(sessionId: string, tenant: string): Promise<SessionView>;

  /** The credential that a delegated session's token proves, as long as the session lasts; undefined for anything else. */
  delegated(token: string): Promise<Credential | undefined>;

  /**
   * Outcome of an earlier call of the credential's tenant; a running or parked one is `pending`. `NOT_FOUND` otherwise. `reader`: the session whose model
   * will read it; where the call was another session's, its result restricts that one from now on.
   */
  outcome(callId: string, credential: Credential, reader?: BoxSession): Promise<Answer>;
  /** One page of what a handle still holds, re-authorised for the session. */
  readHandle(handle: string, session: BoxSession, page: { readonly offset: number; readonly limit: number }): Promise<HandlePage>;

  readonly approvals: {
    list(query: {
      readonly tenant: string;
      readonly state?: ApprovalState;
      readonly after?: string;
      readonly limit: number;
    }): Promise<readonly Approval[]>;
    get(id: string, tenant: string): Promise<Approval>;
    /** The arguments that would run, for the person who decides; `undefined` once the call has settled. */
    arguments(id: string, tenant: string): Promise<JsonObject | undefined>;
    /** What a person needs in order to judge it: words, arguments and where they came from, reasons, what can be taken back. */
    card(id: string, tenant: string): Promise<ApprovalCard>;
    /** Answers; with the last needed yes the call wakes, is judged again and runs. The answer tells how the call went on. */
    decide(
      id: string,
      decision: ApprovalDecision,
      credential: Credential,
    ): Promise<{ readonly approval: Approval; readonly answer: Answer | undefined }>;
    /** Pending questions that belong together: the same tool, reasons and conversation, two to `approvalGroupMax` each. `maySee`: only among these; default all. */
    groups(query: { readonly tenant: string; readonly maySee?: (approval: Approval) => boolean }): Promise<readonly ApprovalGroup[]>;
    /** Answers every member of a group by itself, exactly those that its digest holds. `APPROVAL_INVALID` once one of them changed or was answered. */
    decideGroup(decision: GroupDecision, credential: Credential): Promise<readonly GroupAnswer[]>;
  };

  /** Plans that people approve for one session before its calls are made: what fits a step then counts as asked for by the user. */
  readonly plans: {
    /**
     * Proposes one for a session; nothing is granted by it. `REQUEST_INVALID` for what is no plan, names a tool that the session may not call or a
     * privileged one; `RATE_LIMITED` beyond `plansPerSessionMax`.
     */
    propose(proposal: PlanProposal, session: BoxSession): Promise<PlanView>;
    list(query: {
      readonly tenant: string;
      readonly sessionId?: string;
      readonly state?: PlanState;
      readonly after?: string;
      readonly limit: number;
    }): Promise<readonly PlanView[]>;
    get(id: string, tenant: string): Promise<PlanView>;
    /** What a person needs in order to judge it: what each step may do, where its exact values came from, what it leaves open. */
    card(id: string, tenant: string): Promise<PlanCard>;
    /** Answers, for exactly the plan of this digest: an approver of the group `approver`, or the user with a credential of their own. `APPROVAL_INVALID` otherwise. */
    decide(id: string, decision: PlanDecision, credential: Credential): Promise<PlanView>;
    /** Takes it back at once, also for calls that are on their way to the gate. Open to who may answer, to administrators and to who proposed it. */
    revoke(id: string, revocation: { readonly by: string; readonly reason?: string }, credential: Credential): Promise<PlanView>;
  };

  /** Every registered tool version. */
  tools(): readonly Tool[];
  /** Where tools come from at run time, and which of their definitions may be used. */
  readonly sources: {
    list(): readonly SourceView[];
    /** Every tool that the sources offer now, and whether it waits for review. */
    pins(): readonly PinView[];
    /** Lets a definition be used from now on: exactly the one whose digest is named. */
    admit(request: { readonly tool: string; readonly digest: string; readonly by: string }): Promise<PinView>;
  };
  /** What is wrong with the tools or worth mending, from the linter. */
  readonly store: Store;
  /** Ledger entries of one tenant, private values decrypted where their key still exists. */
  trail(query: {
    readonly tenant: string;
    readonly callId?: string;
    readonly sessionId?: string;
    readonly runId?: string;
    /** Only from this wall time on. */
    readonly sinceMs?: number;
    readonly limit: number;
  }): Promise<readonly TrailItem[]>;
  /** The same as rows of six linked tables, for auditors. Name a call, a session or a run; without any, the tenant's oldest entries. */
  auditView(query: {
    readonly tenant: string;
    readonly callId?: string;
    readonly sessionId?: string;
    readonly runId?: string;
    readonly limit: number;
  }): Promise<AuditView>;
  /** What was given up and waits for a person: calls of which nobody knows whether they happened, calls taken on for later that failed, notifications that did not arrive. */
  readonly deadLetters: DeadLetters;
  /** Calls that rules of the policy have put off; each wakes by itself. */
  readonly deferrals: Deferrals;
  /**
   * Puts another policy in force; a broken one is refused and the old one stays. On a shared store every process follows within a second. `from`: whether
   * it is the configuration's own; default `api`: on a shared store it then outlives restarts, until the configuration's changes.
   */
  activatePolicy(policy: unknown, by: string, from?: "file" | "api"): Promise<{ readonly version: string }>;
  /**
   * What another policy (default: the one in force) would have made of the recorded calls since `sinceMs` (wall time): every decision that would differ,
   * every call that cannot be judged any more, and last the counts. Reads the ledger only. `CONFIG_INVALID` for a broken policy.
   */
  simulatePolicy(trial: { readonly policy?: unknown; readonly tenant?: string; readonly sinceMs: number }): AsyncIterable<SimulationItem>;
  /** Settles calls that a dead process left open, and wakes approved ones; run at start and by a timer. */
  recover(): Promise<RecoveryReport>;
  /**
   * Destroys the keys of a tenant's private values, or of one data subject's: what the ledger held of them can never be read again, and the chain
   * stays whole. Returns how many keys went.
   */
  erase(erasure: { readonly tenant: string; readonly dataSubject?: string; readonly by: string }): Promise<number>;
  /** Drops ledger entries older than `olderThanMs` (wall time) in whole sealed segments, leaving signed tombstones. Returns how many went. */
  retain(retention: { readonly olderThanMs: number; readonly by: string }): Promise<number>;
  /** Signs and anchors what stands in the ledger now, instead of within `checkpointIntervalMs`. */
  checkpoint(): Promise<void>;
  /** Stops a session: every later call of it is refused. `by`: the credential that asked, for the ledger; default `operator`. */
  stopSession(sessionId: string, tenant: string, reason: string, by?: string): Promise<void>;
  /** Takes roles from a user at once, also in running sessions and parked calls. */
  revokeRoles(revocation: {
    readonly tenant: string;
    readonly user: string;
    readonly roles: readonly string[];
    readonly by: string;
  }): Promise<void>;
  /** The switch that limits everything, a tenant or a session to reads, in every process of the store. */
  readonly readOnly: {
    turn(change: ReadOnlyChange): Promise<void>;
    /** What is limited for a tenant. */
    list(tenant: string): Promise<readonly ReadOnlyState[]>;
  };
  health(): BoxHealth;
  /** How this process, its sources and its tools do, from what its calls have found. */
  healthReport(): HealthReport;
  /** Tells an observer about every stage that mattered. An observer that throws changes nothing. Returns how to stop. */
  observe(observer: (event: JourneyEvent) => void): () => void;
  /** Stops taking calls, lets accepted ones finish within `drainMs`, flushes, closes. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ApprovalDecision {
  readonly approve: boolean;
  /** Shown to the model, as the approver's words, when it is a rejection. 1 to `answerReasonCharsMax` characters. */
  readonly reason?: string;
  /** Who answered, as the approver's system names them. */
  readonly by: string;
  /** `effectiveDigest` of the approval as it was shown. Needed once somebody changed the arguments; checked wherever it is given. */
  readonly digest?: string;
  /**
   * With a yes: other arguments to run instead. They are checked against the schema and against the policy, both for the user and for the
   * credential's `person`, who must be allowed to make that call. Yeses to other arguments no longer count.
   */
  readonly arguments?: JsonObject;
  /** With a yes: also for further calls to the same targets in this session, with no larger amount and no new reason to ask. Never privileged. Default false. */
  readonly widen?: boolean;
  /** Digest of the group that this is the answer to a member of, for the ledger. */
  readonly group?: string;
}

/** A person's answer to a group of questions. */
export interface GroupDecision {
  /** `digest` of the group as it was shown. */
  readonly digest: string;
  /** Ids of its members. */
  readonly members: readonly string[];
  readonly approve: boolean;
  readonly by: string;
  /** Shown to the model with a no. 1 to `answerReasonCharsMax` characters. */
  readonly reason?: string;
}

/** A person's answer to a plan. */
export interface PlanDecision {
  readonly approve: boolean;
  /** `digest` of the plan as it was shown. */
  readonly digest: string;
  /** Who answered, as the approver's system names them; where the credential names its `person`, that one counts. */
  readonly by: string;
  /** 1 to `answerReasonCharsMax` characters. */
  readonly reason?: string;
}

/** The queue of dead letters. `NOT_FOUND` where the tenant has no such letter, nor had. */
export interface DeadLetters {
  /** Oldest first. `next` is there when there may be more. */
  list(query: {
    readonly tenant: string;
    readonly kind?: DeadLetter["kind"];
    readonly after?: string;
    readonly limit: number;
  }): Promise<{ readonly letters: readonly LetterView[]; readonly next: string | undefined }>;
  /** How many are open, counted to at most `deadLettersMax`. */
  count(tenant: string): Promise<LetterCount>;
  /** One letter, with the call's arguments and what was said of its end, both as long as the ledger can open them. */
  get(
    id: string,
    tenant: string,
  ): Promise<LetterView & { readonly arguments: JsonObject | undefined; readonly message: string | undefined }>;
  /**
   * Tries again what may be tried again. An unknown call is looked up, or sent again under the very same key where its tool makes that safe. A failed one that
   * did nothing is made again as a call of its own, in the same session, and judged anew. A notice is sent again under its own id, soon; its letter comes back
   * where it does not arrive once more. Everything else is refused as `REQUEST_INVALID`, with the reason. Answers how the call stands; `undefined` for a notice.
   */
  retry(id: string, request: { readonly tenant: string; readonly by: string }): Promise<Answer | undefined>;
  /**
   * Settles an unknown call by what a person found out: completed with its effect applied, or failed without one, so that it may be made again; puts every other
   * letter away. `REQUEST_INVALID` where `happened` is missing for an unknown call or said of another, where it is not unknown any more, or where its lost
   * attempt may still arrive and the answer is no. Answers how the call stands; `undefined` for a notice.
   */
  resolve(id: string, resolution: LetterResolution): Promise<Answer | undefined>;
}

/** A dead letter as people read it: of a notice its kind, not what it says. */
export type LetterView = (CallLetter | (Omit<UndeliveredLetter, "notice"> & { readonly type: Notice["type"] })) & {
  /** What happened, in our words. */
  readonly cause: string;
  /** What to do next, in our words. */
  readonly next: string;
  /** Whether `retry` can do something. */
  readonly canRetry: boolean;
};

/** Open letters of a tenant. */
export interface LetterCount {
  readonly openCount: number;
  readonly unknownCount: number;
  /** Wall time of the oldest. */
  readonly oldestMs: number | undefined;
}

/** What a person found out. */
export interface LetterResolution {
  readonly tenant: string;
  /** Of an unknown call only: whether it happened. */
  readonly happened?: boolean;
  /** Who says so: a credential's id, as approvals name it. */
  readonly by: string;
  /** How they found out, 1 to `reasoningCharsMax` characters; a private value of the ledger entry. */
  readonly note: string;
}

export interface HandlePage {
  readonly text: string;
  readonly offset: number;
  readonly totalChars: number;
  readonly nextOffset: number | undefined;
  /** The label of the whole result: what is cut off is no more to be believed, and no less to be guarded, than what was shown. */
  readonly label: Label;
}

export interface RecoveryReport {
  readonly resumed: number;
  readonly reconciled: number;
  readonly unknown: number;
  readonly expired: number;
}

export interface BoxHealth {
  readonly ready: boolean;
  readonly store: string;
  readonly policyVersion: string;
  readonly callsRunning: number;
  readonly problems: readonly string[];
}

/** One thing that happened to a call, for people and live views. Carries no argument, result or secret. */
export interface JourneyEvent {
  readonly callId: string;
  readonly tenant: string;
  readonly sessionId: string;
  readonly tool: string;
  /** A stage of the journey, `gate`, `settle` or `call` (the end). */
  readonly stage: string;
  /** Such as `proceed`, `stop`, `suspend`, `retry`, or the outcome's kind at the end. */
  readonly what: string;
  /** One line for people. */
  readonly note: string;
  /** A look-up that the runtime makes for another call. */
  readonly isInside: boolean;
  readonly atMs: number;
}
