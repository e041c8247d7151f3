import type { Clock } from "../base/clock.ts";
import type { IdSource } from "../base/ids.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { SessionBudget } from "../budget/holds.ts";
import type { Throttle } from "../budget/throttle.ts";
import type { ToolRates } from "../budget/tool-rates.ts";
import type { Approval } from "../domain/approval.ts";
import type { Decision } from "../domain/decision.ts";
import type { Deferral } from "../domain/deferral.ts";
import type { FlowMode } from "../domain/flow.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Notice } from "../domain/notice.ts";
import type { Answer, Ended, Outcome, ShapedResult } from "../domain/outcome.ts";
import type { Plan } from "../domain/plan.ts";
import type { TurnFacts } from "../domain/principal.ts";
import type { ToolCall } from "../domain/tool-call.ts";
import type { Failure, RegisteredTool, Tool } from "../domain/tool.ts";
import type { SessionKnowledge } from "../flow/knowledge.ts";
import type { FlowTrace } from "../flow/trace.ts";
import type { Vault } from "../ledger/vault.ts";
import type { PolicyEngine } from "../policy/engine.ts";
import type { RedactionOptions } from "../redaction/redactor.ts";
import type { Registry } from "../registry/registry.ts";
import type { Permit } from "../resilience/guards.ts";
import type { CachedResult, CacheOrigin, ReadCache } from "../resilience/read-cache.ts";
import type { Resilience } from "../resilience/resilience.ts";
import type { Validation } from "../schema/validate.ts";
import type { Operation, Row, RowKey, Store } from "../store/store.ts";
import type { ArgumentTexts } from "./argument-texts.ts";
import type { DecisionPoints } from "./decision-points.ts";
import type { FactsFrom, HeldHistory, HeldStep, NarrowedCall } from "./held.ts";
import type { CallKey } from "./keys.ts";
import type { LiveSession } from "./live-session.ts";
import type { SharedWrites } from "./shared-writes.ts";
import type { Execution, Purpose, Verdict } from "./verdict.ts";

/** The policy in force. Replaced as a whole, never changed in place. */
export interface ActivePolicy {
  readonly engine: PolicyEngine;
  readonly sessionBudget: SessionBudget;
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

/** Everything known of one call while it travels. Each stage adds to it; nothing is ever taken back. */
export interface CallState {
  readonly runtime: Runtime;
  readonly session: LiveSession;
  readonly turn: TurnFacts;
  readonly call: ToolCall;
  readonly callId: string;
  readonly startedAtMs: number;
  readonly startedMonotonicMs: number;
  readonly signal: AbortSignal | undefined;
  /** Who listens to the tool's progress. */
  readonly onProgress: ((message: string) => void) | undefined;
  readonly parent: { readonly callId: string; readonly purpose: Purpose } | undefined;
  /** The given approval under which a parked call wakes. */
  readonly approval: { readonly approval: Approval; readonly version: number } | undefined;
  /** The calls that it runs together with or not at all; undefined for a call that stands alone. */
  readonly set: CallsTogether | undefined;
  /** What put the call off that wakes now. */
  readonly deferral: { readonly deferral: Deferral; readonly version: number } | undefined;
  /** When a call that wakes first waited. */
  readonly waitingSinceMs: number | undefined;

  // Filled on the way.
  /** The yes for the whole session that the call relies on instead of an approval of its own. */
  widening: { readonly key: RowKey; readonly version: number } | undefined;
  registered: RegisteredTool | undefined;
  args: JsonObject;
  /** Canonical text and digests of the arguments, once they are valid. */
  texts: ArgumentTexts | undefined;
  /** Digest of the arguments as sent; empty until they are valid. */
  readonly requestDigest: string;
  /** Digest of the arguments as they will run; empty until they are valid. */
  readonly effectiveDigest: string;
  repairs: readonly { readonly path: string; readonly kind: string }[];
  notices: string[];
  /** What rules made of the arguments; undefined where none did. */
  narrowing: NarrowedCall | undefined;
  key: CallKey | undefined;
  /** The earlier call whose outcome this one is given, since its key or meaning was used before. */
  standsFor: string | undefined;
  /** Where the meaning of the call is noted, for the tool and the arguments that it was last worked out for. */
  meaning: { readonly tool: string; readonly digest: string; readonly row: RowKey } | undefined;
  keyRow: Row | undefined;
  meaningRow: Row | undefined;
  /** Looks for an earlier call under the same key or meaning, where that was put off because there is most likely none. */
  lookLater: (() => Promise<Verdict>) | undefined;
  facts: Readonly<Record<string, Json>>;
  /** Earlier look-ups whose answers the facts are. */
  factsFrom: FactsFrom | undefined;
  /** What the call claims of the history of calls; undefined where no rule looks back. */
  history: HeldHistory | undefined;
  decision: Decision | undefined;
  /** The step of an approved plan that the call relies on. */
  step: HeldStep | undefined;
  /** Where the arguments came from; undefined where nobody had to look. */
  traced: FlowTrace | undefined;
  /** How often it was judged again, because what it relied on had changed. */
  againCount: number;
  /** What lets the call go to its upstream: held from `admit` until its last attempt is over. */
  permit: Permit | undefined;
  /** Why it does not go there, where its fallback answers instead. */
  unavailable: Failure | undefined;
  /** The earlier read whose result answers this one. */
  cached: CachedResult | undefined;
  /** Where the result may be kept, and what writes it is then compared with. */
  caching: { readonly key: string; readonly begun: number; readonly origin: CacheOrigin } | undefined;
  /** A second attempt was begun beside the first. */
  isHedged: boolean;
  /** The gate's transaction holds: from here on the call must be settled. */
  isClaimed: boolean;
  /** Version of the key's row as this call claimed it; undefined where no key was claimed. Whoever took the call over has raised it. */
  claimVersion: number | undefined;
  /** Wall time at which the claim is over: from then on another process may take the call over. Undefined where no key was claimed. */
  claimDeadlineMs: number | undefined;
  heldMicrosUsd: number;
  executedMs: number;
  attempts: number;
  /** Settled by recovery, after the process that made the call was gone. */
  isRecovered: boolean;
  execution: Execution | undefined;
  isFallback: boolean;
  /** The result as it leaves, and its JSON. */
  resultValue: Json | undefined;
  resultText: string | undefined;
  shaped: ShapedResult | undefined;
  /** The rest of a cut result, to be stored with the outcome. */
  handle: { readonly id: string; readonly text: string } | undefined;
  outcome: Outcome | undefined;
}

/**
 * What the sessions of one process know of where values come from. What restricts is shared by all sessions of a principal under one credential, also by
 * those of other processes and of times before a restart: their results are in the ledger, and rows say which sessions have any (`readers.ts`).
 */
export interface FlowDesk {
  readonly mode: FlowMode;
  /** What a session knows, with everything it has read indexed. Rejects where its past cannot be read: then nothing is decided. */
  knowledgeOf(session: LiveSession): SessionKnowledge | Promise<SessionKnowledge>;
  /** Takes note of what a call brought back, before any of it leaves. Returns what to wait for, if anything. */
  noteResult(state: CallState, outcome: Ended): Promise<void> | undefined;
  /** Takes note of the outcome of another session's call that is given to this one. Returns what to wait for, if anything. */
  noteGiven(given: GivenCall, outcome: Outcome): Promise<void> | undefined;
  /** Says in the settling transaction that the session reads, where that was not said lately. */
  noteReader(state: CallState): readonly Operation[];
  /** That transaction holds. */
  readerNoted(state: CallState): void;
}

/** A call of one session whose outcome another one is given. */
export interface GivenCall {
  /** Who is given it. */
  readonly session: LiveSession;
  readonly callId: string;
  readonly tool: Pick<Tool, "name" | "source" | "isEgress" | "outputLabels">;
}

/** What sends notices of one box. */
export interface NoticeDesk {
  readonly isOn: boolean;
  /** The operations that leave a notice behind; none where nobody listens. */
  asked(approval: Approval): readonly Operation[];
  proposed(plan: Plan): readonly Operation[];
  ran(state: CallState): readonly Operation[];
  /** The operation that has a notice sent again which was given up. */
  again(notice: Notice): Operation;
  /** Soon, without anybody waiting for it. */
  nudge(): void;
  /** Delivers what is due. */
  sweep(nowMs: number): Promise<void>;
  close(): Promise<void>;
}

/** The calls that one runs together with or not at all (`call-set.ts`). Each of them must come to `gate` or to `leave`, or the others wait for it. */
export interface CallsTogether {
  /** Waits at the gate for the other calls of the set, and says how it went for this one. */
  gate(state: CallState): Promise<Verdict>;
  /** A call has ended. One that was refused before the gate takes the others with it; an answer from an earlier delivery does not. */
  leave(state: CallState, outcome: Outcome): void;
  /** What is answered to a call that would have to wait for a person: nobody is asked, since the others cannot wait with it. */
  cannotWait(state: CallState): Outcome;
}
