import { assert } from "../base/assert.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import { internalError, toolCallError } from "../errors/tool-call-error.ts";
import { approve } from "./approve.ts";
import { authorize } from "./authorize.ts";
import { decode } from "./decode.ts";
import { deduplicate } from "./deduplicate.ts";
import { outcomeOf } from "./endings.ts";
import { execute } from "./execute.ts";
import { gate } from "./gate.ts";
import { identify } from "./identify.ts";
import { stageNote } from "./notes.ts";
import { park } from "./park.ts";
import { recordEnding } from "./record.ts";
import { replay } from "./replay.ts";
import { resolve } from "./resolve.ts";
import { settle } from "./settle.ts";
import { shape } from "./shape.ts";
import type { CallState, Ending, Stage, StageName, Verdict } from "./stage.ts";
import { answerOf } from "./state.ts";
import { throttle } from "./throttle.ts";
import { validate } from "./validate.ts";
import { verify } from "./verify.ts";

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
  { name: "deduplicate", run: deduplicate }, // the same meaning again
  { name: "approve", run: approve }, //         does a person have to answer first?
  { name: "gate", run: gate }, //               one transaction: every claim, and the intent
  { name: "execute", run: execute }, //         the connector, under attempt timeout and deadline
  { name: "verify", run: verify }, //           did the tool do what it says?
  { name: "shape", run: shape }, //             redact, cut, label
  { name: "settle", run: settle }, //           one transaction: the outcome, and every claim resolved
];

const stageIndex = Object.fromEntries(stages.map((stage, index) => [stage.name, index])) as Record<StageName, number>;
const againMax = 5;

/**
 * Takes one call through the journey. Never throws and never leaves a claimed call unsettled. Recovery enters after the gate, with a state whose
 * claims an earlier process made.
 */
export async function runCall(state: CallState, from: StageName = "decode"): Promise<Answer> {
  let againCount = 0;
  let index = stageIndex[from];
  while (index < stages.length) {
    const stage = stages[index] as Stage;
    let verdict: Exclude<Verdict, { kind: "suspend" }>;
    try {
      const returned = stage.run(state);
      const said = returned instanceof Promise ? await returned : returned;
      verdict = said.kind === "suspend" ? await park(state, said.decision) : said;
    } catch (cause) {
      index = crashed(state, stage, cause);
      if (state.outcome !== undefined) break;
      continue;
    }
    if (verdict.kind === "proceed") {
      if (state.runtime.hasObservers) tell(state, stage.name);
      index += 1;
      continue;
    }
    if (verdict.kind === "again" && againCount < againMax) {
      againCount += 1;
      state.runtime.observe(
        state,
        stage.name,
        "again",
        `something this call relied on changed meanwhile; judged again from ${verdict.from}`,
      );
      await startAgain(state, verdict.from);
      index = stageIndex[verdict.from];
      continue;
    }
    state.outcome = await end(state, stage.name, verdict);
    break;
  }
  assert(state.outcome !== undefined, "every journey ends with an outcome");
  state.runtime.observe(state, "call", state.outcome.kind, "");
  return answerOf(state, state.outcome);
}

async function end(state: CallState, stageName: StageName, verdict: Ending): Promise<Outcome> {
  switch (verdict.kind) {
    case "stop":
      if (!isToldElsewhere(stageName, verdict.outcome)) state.runtime.observe(state, stageName, "stop", describe(verdict.outcome));
      return state.isClaimed ? verdict.outcome : await recordEnding(state, stageName, verdict.outcome);
    case "again":
      return await recordEnding(
        state,
        stageName,
        outcomeOf(toolCallError("DECISION_UNAVAILABLE", "what this call relies on keeps changing; nothing was done, try again later")),
      );
  }
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

async function startAgain(state: CallState, from: StageName): Promise<void> {
  await state.session.refresh();
  state.decision = undefined;
  state.keyRow = undefined;
  state.meaningRow = undefined;
  // From `replay` on the arguments are those that were found valid, repairs included.
  if (stageIndex[from] > stageIndex.validate) return;
  state.notices = [];
  state.repairs = [];
  if (state.call.arguments.kind === "parsed") state.args = state.call.arguments.value;
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
