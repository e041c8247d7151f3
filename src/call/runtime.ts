import type { Clock } from "../base/clock.ts";
import type { IdSource } from "../base/ids.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { SessionBudget, SessionCounters } from "../budget/holds.ts";
import type { ToolRates } from "../budget/tool-rates.ts";
import type { Throttle } from "../budget/throttle.ts";
import type { Approval } from "../domain/approval.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import type { Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import type { Vault } from "../ledger/vault.ts";
import type { PolicyEngine } from "../policy/engine.ts";
import type { Registry } from "../registry/registry.ts";
import type { RedactionOptions } from "../redaction/redactor.ts";
import type { ReadCache } from "../resilience/read-cache.ts";
import type { Resilience } from "../resilience/resilience.ts";
import type { Validation } from "../schema/validate.ts";
import type { Operation, RowKey, Store } from "../store/store.ts";
import type { Account } from "./delegation.ts";
import type { DecisionPoints } from "./decision-points.ts";
import type { NoticeDesk } from "./notices.ts";
import type { FlowDesk } from "./flow-desk.ts";
import type { SharedWrites } from "./shared-writes.ts";
import type { CallState, Purpose } from "./stage.ts";

/** The policy in force. Replaced as a whole, never changed in place. */
export interface ActivePolicy {
  readonly engine: PolicyEngine;
  readonly sessionBudget: SessionBudget;
}

/** An open session as the journey sees it: a cache of its row and its principal's, checked again at every gate. */
export interface LiveSession {
  readonly id: string;
  readonly credentialId: string;
  readonly wordsAttested: boolean;
  readonly createdAtMs: number;
  /** Another process may serve it as well, or has: what this one remembers of it is not all. */
  readonly isShared: boolean;
  readonly conversationId: string | undefined;
  /** The principal with what was revoked already taken away. */
  readonly principal: Principal;
  readonly revokedRoles: readonly string[];
  readonly stopped: { readonly reason: string } | undefined;
  readonly throttleKey: string;
  /** The person whose key seals this session's private values, where erasure per person is wanted. */
  readonly dataSubject: string | undefined;
  readonly rowKey: RowKey;
  readonly rowVersion: number;
  readonly principalKey: RowKey;
  readonly principalVersion: number | "absent";
  /** What its budgets are counted in. */
  readonly counters: SessionCounters;
  /** Every budget that its calls count in: its own first, then those of the sessions it was delegated from. */
  readonly accounts: readonly Account[];
  /** Sessions it was delegated from, the first one first; empty for one that a user opened. */
  readonly ancestorIds: readonly string[];
  /** That none of those has changed since it looked. */
  readonly lineage: readonly Extract<Operation, { readonly op: "expect" }>[];
  /** Whether the read-only switch was on when the session looked. */
  readonly isReadOnly: boolean;
  /** That the switch has not been turned since. */
  readonly switches: readonly Operation[];
  /** Plans that people approved for it, also those that are over. */
  readonly plans: readonly string[];
  /** Writes one more of them down. */
  withPlan(id: string): Operation;
  /** Whether the principal's roles grant a tool. */
  mayUse(tool: Tool): boolean;
  /** Reads both rows again. */
  refresh(): Promise<void>;
  /** Refuses every later call of this session, and of the conversation that it was delegated from. */
  stop(reason: string): Promise<void>;
}

/** Everything the stages work with. Built once by `createSignalbox`; the stages take nothing from anywhere else. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly limits: Limits;
  /** This process was started to serve nothing but reads. */
  readonly isReadOnly: boolean;
  readonly store: Store;
  readonly vault: Vault;
  readonly registry: Registry;
  readonly throttle: Throttle;
  readonly toolRates: ToolRates;
  readonly resilience: Resilience;
  /** Results of reads that may be given again. */
  readonly cache: ReadCache;
  /** What calls of this process and of those beside it may have changed; undefined where no other process shares the store. */
  readonly sharedWrites: SharedWrites | undefined;
  policy: ActivePolicy;
  readonly decisionPoints: DecisionPoints;
  readonly notices: NoticeDesk;
  /** A call waits for a person, and that is recorded. */
  tellAsked(approval: Approval): void;
  /** What sessions know of where values come from. */
  readonly flow: FlowDesk;
  /** Calls of this process that have passed the gate or are on their way, by call id. */
  readonly running: Map<string, Promise<Answer>>;
  /** Tenants that got dead letters since upkeep last counted them. */
  readonly letterTenants: Set<string>;

  validateArguments(tool: Tool, args: JsonObject): Validation;
  /** Why a result is not what the tool declares; `undefined` when it is. */
  checkResult(tool: Tool, args: JsonObject, value: Json): string | undefined;
  /** Secrets out, structure unchanged. */
  redact(value: Json, text: string, options?: RedactionOptions): Json;
  /** An upstream's own words, bounded and redacted. */
  redactText(text: string): string;
  /** Takes one call of the tool's own rate; returns 0 or how long to wait. */
  takeToolRate(state: CallState): number;
  secret(reference: string): Promise<string>;
  /** Has a value redacted from everything that leaves from now on. */
  conceal(value: string): void;
  /** Says that a handler held the event loop, answered after its time, or threw. */
  reportHandler(tool: Tool, what: "blocked" | "late" | "threw", note: string, cause?: unknown): void;

  /** Makes a call for a call: a look-up with a parent and a purpose. */
  callInside(parent: CallState, request: { readonly tool: string; readonly arguments: Json; readonly purpose: Purpose }): Promise<Answer>;
  /** Waits for a running call, but no longer than the reply deadline of the one who asks. */
  withinReplyDeadline(running: Promise<Answer>, asker: CallState): Promise<Outcome>;
  /** Waits for a call that another process carries out, no longer than the reply deadline of the one who asks, and says where it stands then. */
  joinElsewhere(asker: CallState, callId: string, keyRow: RowKey): Promise<Outcome>;
  /** What a call waits for, a person or a time; undefined where it does not wait. */
  waitingOutcome(tenant: string, callId: string): Promise<Outcome | undefined>;
  /** The settled outcome of a call, from the ledger, marked as a replay. */
  recordedOutcome(tenant: string, callId: string): Promise<Outcome>;
  /** Finds out what became of a call whose reply was lost, by the means its tool declares. */
  reconcile(tenant: string, keyRow: string): Promise<Outcome>;

  /** Whether anybody looks; telling nobody should cost nothing. */
  readonly hasObservers: boolean;
  /** Tells observers; does nothing when nobody looks. */
  observe(state: CallState, stage: string, what: string, note: string): void;
  /** A fault of ours, for our log. */
  reportFault(where: string, cause: unknown): void;
}
