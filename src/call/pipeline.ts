import { assert } from "../base/assert.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Decision } from "../domain/decision.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import { internalError, toolCallError } from "../errors/tool-call-error.ts";
import { admit, releasePermit } from "./admit.ts";
import { approve } from "./approve.ts";
import { authorize } from "./authorize.ts";
import { decode } from "./decode.ts";
import { defer } from "./defer.ts";
import { deduplicate } from "./deduplicate.ts";
import { outcomeOf } from "./endings.ts";
import { execute } from "./execute.ts";
import { gate } from "./gate.ts";
import { identify } from "./identify.ts";
import { undoNarrowing } from "./narrow.ts";
import { stageNote } from "./notes.ts";
import { park } from "./park.ts";
import { recordEnding } from "./record.ts";
import { lookAfterAll, replay } from "./replay.ts";
import { resolve } from "./resolve.ts";
import { settle } from "./settle.ts";
import { shape } from "./shape.ts";
import type { Stage, StageName } from "./stage.ts";
import { answerOf } from "./state.ts";
import { throttle } from "./throttle.ts";
import { trace } from "./trace.ts";
import { validate } from "./validate.ts";
import { verify } from "./verify.ts";
import type { Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * THE JOURNEY OF A CALL. A fixed, ordered list, not an onion: the order is a security property. Nothing before the gate has an effect; everything
 * after it is settled, whatever happens.
 */
export const stages: readonly Stage[] = [
  { name: "decode", run: decode }, //           the codec's reading, with limits
  { name: "identify", run: identify }, //       session and principal, as they are now
  { name: "throttle", run: throttle }, //       how fast one principal may ask at all
  { name: "resolve", run: resolve }, //         name and version to a tool this principal may see
  { name: "validate", run: validate }, //       arguments against the schema; safe repairs
  { name: "replay", run: replay }, //           the same key again
  { name: "authorize", run: authorize }, //     roles, facts, rules, tiers
  { name: "trace", run: trace }, //             where each argument came from; flow rules
  { name: "deduplicate", run: deduplicate }, // the same meaning again
  { name: "approve", run: approve }, //         does a person have to answer first?
  { name: "admit", run: admit }, //             would the tool take it now? rate, breaker, bulkhead
  { name: "gate", run: gate }, //               one transaction: every claim, and the intent
  { name: "execute", run: execute }, //         the connector, under attempt timeout and deadline
  { name: "verify", run: verify }, //           did the tool do what it says?
  { name: "shape", run: shape }, //             redact, cut, label
  { name: "settle", run: settle }, //           one transaction: the outcome, and every claim resolved
];

const stageIndex = Object.fromEntries(stages.map((stage, index) => [stage.name, index])) as Record<StageName, number>;
const replayStage = stages[stageIndex.replay] as Stage;

/**
 * Takes one call through the journey. Never throws and never leaves a claimed call unsettled. Recovery enters after the gate, with a state whose
 * claims an earlier process made. A journey that need not wait runs through without a promise.
 */
export function runCall(state: CallState, from: StageName = "decode"): Answer | Promise<Answer> {
  let index = stageIndex[from];
  while (index < stages.length) {
    const next = step(state, index);
    if (next instanceof Promise) return goOn(state, index, next);
    index = next;
  }
  return arrived(state);
}

/** The rest of a journey whose stage at `from` waits. */
async function goOn(state: CallState, from: number, waiting: Promise<number>): Promise<Answer> {
  let index = from;
  let next: number | Promise<number> = waiting;
  for (;;) {
    try {
      index = next instanceof Promise ? await next : next;
    } catch (cause) {
      index = crashed(state, stages[index] as Stage, cause);
    }
    if (index >= stages.length) return arrived(state);
    next = step(state, index);
  }
}

function arrived(state: CallState): Answer {
  releasePermit(state);
  assert(state.outcome !== undefined, "every journey ends with an outcome");
  state.set?.leave(state, state.outcome);
  state.runtime.observe(state, "call", state.outcome.kind, "");
  return answerOf(state, state.outcome);
}

/** Runs one stage and gives the index of the next; past the last one the outcome stands. Never throws; a promise may be rejected. */
function step(state: CallState, index: number): number | Promise<number> {
  const stage = stages[index] as Stage;
  try {
    const verdict = stage.run(state);
    return verdict instanceof Promise ? verdict.then((said) => follow(state, stage, said)) : follow(state, stage, verdict);
  } catch (cause) {
    return crashed(state, stage, cause);
  }
}

/** What a verdict leads to. */
function follow(state: CallState, stage: Stage, verdict: Verdict): number | Promise<number> {
  const isEnd = verdict.kind === "stop" || verdict.kind === "suspend";
  if (isEnd && state.lookLater !== undefined && !isPastLooking(state, stage)) return lookFirst(state, stage, verdict);
  switch (verdict.kind) {
    case "proceed":
      if (state.runtime.hasObservers) tell(state, stage.name);
      return stageIndex[stage.name] + 1;
    case "suspend":
      if (state.set !== undefined) return end(state, stage, state.set.cannotWait(state));
      return wait(state, verdict.decision).then((parked) => follow(state, stage, parked));
    case "again":
      return state.againCount < fixedBounds.restartsMax ? startAgain(state, stage, verdict.from) : end(state, stage, keepsChanging());
    case "stop":
      if (!isToldElsewhere(stage.name, verdict.outcome)) state.runtime.observe(state, stage.name, "stop", describe(verdict.outcome));
      return end(state, stage, verdict.outcome);
  }
}

/** The gate claims key and meaning before all that it may refuse for, so it has looked. */
function isPastLooking(state: CallState, stage: Stage): boolean {
  return state.isClaimed || stage.name === "gate";
}

/** A call that was taken for a new one is turned away, or waits for a person, only if it is one. */
async function lookFirst(state: CallState, stage: Stage, verdict: Verdict): Promise<number> {
  const looked = await lookAfterAll(state);
  return looked.kind === "proceed" ? follow(state, stage, verdict) : follow(state, replayStage, looked);
}

/** For a time, where a rule puts the call off; otherwise for a person. */
function wait(state: CallState, decision: Decision): Promise<Verdict> {
  return decision.effect === "defer" ? defer(state, decision) : park(state, decision);
}

function end(state: CallState, stage: Stage, outcome: Outcome): number | Promise<number> {
  if (!state.isClaimed)
    return recordEnding(state, stage.name, outcome).then((recorded) => {
      state.outcome = recorded;
      return stages.length;
    });
  state.outcome = outcome;
  return stages.length;
}

function keepsChanging(): Outcome {
  return outcomeOf(toolCallError("DECISION_UNAVAILABLE", "what this call relies on keeps changing; nothing was done, try again later"));
}

/** A completed call says so as the whole call, and a parked one when it is parked. */
function isToldElsewhere(stage: StageName, outcome: Outcome): boolean {
  return (stage === "settle" && outcome.kind === "completed") || (stage === "approve" && outcome.kind === "pending");
}

/** A bug of ours, or a dependency's: before the gate the call is refused, after it the call goes on to be settled with what is known. */
function crashed(state: CallState, stage: Stage, cause: unknown): number {
  state.runtime.reportFault(stage.name, cause);
  if (!state.isClaimed) {
    state.outcome = outcomeOf(internalError(cause));
    return stages.length;
  }
  if (stage.name === "settle") {
    state.outcome = outcomeOf(internalError(cause, state.registered?.tool.tier === "read" ? "none" : "unknown"));
    return stages.length;
  }
  const isRead = state.registered?.tool.tier === "read";
  const effect = isRead ? "none" : state.execution?.kind === "value" ? "applied" : "unknown";
  state.execution = {
    kind: "failure",
    failure: {
      kind: "failed",
      code: "INTERNAL",
      effect,
      message: "something failed inside Signalbox; this is not a fault of your call",
      cause,
    },
  };
  return stageIndex.settle;
}

async function startAgain(state: CallState, stage: Stage, from: StageName): Promise<number> {
  state.againCount += 1;
  releasePermit(state);
  state.unavailable = undefined;
  state.cached = undefined;
  state.caching = undefined;
  state.runtime.observe(state, stage.name, "again", `something this call relied on changed meanwhile; judged again from ${from}`);
  await state.session.refresh();
  undoNarrowing(state);
  state.decision = undefined;
  state.widening = undefined;
  state.history = undefined;
  state.keyRow = undefined;
  state.meaningRow = undefined;
  state.lookLater = undefined;
  // From `replay` on the arguments are those that were found valid, repairs included.
  if (stageIndex[from] > stageIndex.validate) return stageIndex[from];
  state.notices = [];
  state.repairs = [];
  if (state.call.arguments.kind === "parsed") state.args = state.call.arguments.value;
  return stageIndex[from];
}

function tell(state: CallState, stage: StageName): void {
  const note = stageNote(state, stage);
  if (note !== undefined) state.runtime.observe(state, stage, "proceed", note);
}

function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case "completed":
      return outcome.isReplay ? "answered as before, from the ledger" : "joined the earlier call; nothing was sent again";
    case "pending":
      return outcome.message;
    case "failed":
    case "denied":
    case "unknown":
      return `${outcome.error.code}: ${outcome.error.message}`;
  }
}
