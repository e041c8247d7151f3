import type { Answer, Outcome } from "../domain/outcome.ts";
import type { TurnFacts } from "../domain/principal.ts";
import type { ToolCall } from "../domain/tool-call.ts";
import type { Runtime, CallState } from "./runtime.ts";
import type { LiveSession } from "./live-session.ts";

/** A turn of which nothing is known. */
export const noTurn: TurnFacts = {
  id: undefined,
  said: undefined,
  reasoning: undefined,
  model: undefined,
  traceId: undefined,
  offered: undefined,
};

/** What a state begins with. */
export interface StateParts {
  readonly runtime: Runtime;
  readonly session: LiveSession;
  readonly turn: TurnFacts;
  readonly call: ToolCall;
  readonly callId?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly parent?: CallState["parent"];
  readonly approval?: CallState["approval"];
  readonly deferral?: CallState["deferral"];
  readonly waitingSinceMs?: number | undefined;
  readonly set?: CallState["set"];
}

/** A call at the start of its journey. */
export function newState(parts: StateParts): CallState {
  return new TravellingCall(parts);
}

/** The facts of a call for which none were looked up. */
export const noFacts: CallState["facts"] = Object.freeze({});
const noRepairs: CallState["repairs"] = Object.freeze([]);
const noArguments: CallState["args"] = Object.freeze({});

class TravellingCall implements CallState {
  readonly runtime: Runtime;
  readonly session: LiveSession;
  readonly turn: TurnFacts;
  readonly call: ToolCall;
  readonly callId: string;
  readonly startedAtMs: number;
  readonly startedMonotonicMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: CallState["onProgress"];
  readonly parent: CallState["parent"];
  readonly approval: CallState["approval"];
  readonly deferral: CallState["deferral"];
  readonly waitingSinceMs: number | undefined;
  readonly set: CallState["set"];
  widening: CallState["widening"] = undefined;
  registered: CallState["registered"] = undefined;
  args: CallState["args"] = noArguments;
  texts: CallState["texts"] = undefined;
  repairs: CallState["repairs"] = noRepairs;
  notices: string[] = [];
  narrowing: CallState["narrowing"] = undefined;
  key: CallState["key"] = undefined;
  standsFor: string | undefined = undefined;
  meaning: CallState["meaning"] = undefined;
  keyRow: CallState["keyRow"] = undefined;
  meaningRow: CallState["meaningRow"] = undefined;
  lookLater: CallState["lookLater"] = undefined;
  facts: CallState["facts"] = noFacts;
  factsFrom: CallState["factsFrom"] = undefined;
  history: CallState["history"] = undefined;
  decision: CallState["decision"] = undefined;
  traced: CallState["traced"] = undefined;
  step: CallState["step"] = undefined;
  againCount = 0;
  permit: CallState["permit"] = undefined;
  unavailable: CallState["unavailable"] = undefined;
  cached: CallState["cached"] = undefined;
  caching: CallState["caching"] = undefined;
  isHedged = false;
  isClaimed = false;
  claimVersion: CallState["claimVersion"] = undefined;
  claimDeadlineMs: CallState["claimDeadlineMs"] = undefined;
  isRecovered = false;
  heldMicrosUsd = 0;
  executedMs = 0;
  attempts = 0;
  execution: CallState["execution"] = undefined;
  isFallback = false;
  resultValue: CallState["resultValue"] = undefined;
  resultText: string | undefined = undefined;
  shaped: CallState["shaped"] = undefined;
  handle: CallState["handle"] = undefined;
  outcome: CallState["outcome"] = undefined;

  constructor(parts: StateParts) {
    const { runtime, session, turn, call, callId, signal, onProgress, parent, approval, deferral, waitingSinceMs, set } = parts;
    this.runtime = runtime;
    this.session = session;
    this.turn = turn;
    this.call = call;
    this.callId = callId ?? runtime.ids.next("call");
    this.startedAtMs = runtime.clock.now();
    this.startedMonotonicMs = runtime.clock.monotonic();
    this.signal = signal;
    this.onProgress = onProgress;
    this.parent = parent;
    this.approval = approval;
    this.deferral = deferral;
    this.waitingSinceMs = waitingSinceMs;
    this.set = set;
  }

  get requestDigest(): string {
    return this.texts?.requestDigest ?? "";
  }

  get effectiveDigest(): string {
    return this.texts?.effectiveDigest ?? "";
  }
}

/** The answer that carries an outcome, under the id of the call that it belongs to: an earlier one where this one stands for it. */
export function answerOf(state: CallState, outcome: Outcome): Answer {
  return {
    callId: state.standsFor ?? state.callId,
    providerCallId: state.call.id,
    tool: state.registered?.tool.name ?? state.call.name,
    version: state.registered?.tool.version,
    outcome,
    traceId: state.turn.traceId,
    sessionId: state.session.id,
  };
}
