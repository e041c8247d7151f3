import type { Approval } from "../domain/approval.ts";
import type { Decision } from "../domain/decision.ts";
import type { Deferral } from "../domain/deferral.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Outcome, ShapedResult } from "../domain/outcome.ts";
import type { TurnFacts } from "../domain/principal.ts";
import type { ToolCall } from "../domain/tool-call.ts";
import type { Failure, RegisteredTool } from "../domain/tool.ts";
import type { Permit } from "../resilience/guards.ts";
import type { FlowTrace } from "../flow/trace.ts";
import type { CachedResult, CacheOrigin } from "../resilience/read-cache.ts";
import type { Row, RowKey } from "../store/store.ts";
import type { ArgumentTexts } from "./argument-texts.ts";
import type { CallSet } from "./call-set.ts";
import type { FactsFrom } from "./fact-look-ups.ts";
import type { HeldHistory } from "./history.ts";
import type { CallKey } from "./keys.ts";
import type { NarrowedCall } from "./narrow.ts";
import type { HeldStep } from "./plan-fit.ts";
import type { LiveSession, Runtime } from "./runtime.ts";

/** What a stage says: go on, end with an outcome, wait for a person, or judge again because what it relied on changed meanwhile. */
export type Verdict =
  | { readonly kind: "again"; readonly from: "identify" | "replay" }
  | { readonly kind: "proceed" }
  | { readonly kind: "stop"; readonly outcome: Outcome }
  | { readonly kind: "suspend"; readonly decision: Decision };

/** A verdict after which no other stage runs, or an earlier one again. */
export type Ending = Exclude<Verdict, { kind: "proceed" | "suspend" }>;

/** The one value that most stages return. */
export const proceed: Verdict = { kind: "proceed" };

/** One stage of the journey. Never throws for anything a caller, a model, a tool or a policy did. */
export interface Stage {
  readonly name: StageName;
  readonly run: (state: CallState) => Verdict | Promise<Verdict>;
}

/** The stages in order. Their order is a security property; `pipeline.test.ts` asserts it. */
export type StageName =
  | "decode"
  | "identify"
  | "throttle"
  | "resolve"
  | "validate"
  | "replay"
  | "authorize"
  | "trace"
  | "deduplicate"
  | "approve"
  | "admit"
  | "gate"
  | "execute"
  | "verify"
  | "shape"
  | "settle";

/** Why a call is made that no model asked for: it has a parent, and its tool must be a read. */
export type Purpose = "fact" | "reconcile" | "fallback";

/** What execution brought, before it is settled. */
export type Execution = { readonly kind: "value"; readonly value: unknown } | { readonly kind: "failure"; readonly failure: Failure };

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
  readonly set: CallSet | undefined;
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
