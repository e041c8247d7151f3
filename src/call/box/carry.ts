import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Answer, Outcome } from "../../domain/outcome.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { Json } from "../../domain/json.ts";
import { outcomeOf, overloaded, pendingExecution } from "../endings.ts";
import type { Runtime, CallState } from "../runtime.ts";
import type { StageName } from "../stage.ts";
import { answerOf, newState, noTurn } from "../state.ts";
import { callOf, type Carry } from "./turn.ts";
import type { Purpose } from "../verdict.ts";

/** Carries calls through the journey and answers whoever asked in time. */
export interface Carrier {
  readonly carry: Carry;
  /** Carries a state and, where that takes time, keeps it among the running ones until it ends. */
  track(state: CallState, from?: StageName): Answer | Promise<Answer>;
  inside(parent: CallState, request: { readonly tool: string; readonly arguments: Json; readonly purpose: Purpose }): Promise<Answer>;
  within(running: Promise<Answer>, asker: CallState): Promise<Outcome>;
  /** Waits until accepted calls and `other` have ended, at most `drainMs`. */
  drain(drainMs: number, other: Promise<unknown>): Promise<void>;
}

/** The carrier of one box. `journey` is the pipeline. */
export function createCarrier(
  runtime: Runtime,
  journey: (state: CallState, from?: StageName) => Answer | Promise<Answer>,
  isClosing: () => boolean,
): Carrier {
  function track(state: CallState, from?: StageName): Answer | Promise<Answer> {
    const answer = journey(state, from);
    if (!(answer instanceof Promise)) return answer;
    const ended = atItsEnd(answer, () => runtime.running.delete(state.callId));
    runtime.running.set(state.callId, ended);
    return ended;
  }

  return {
    track,
    carry(parts) {
      const state = newState({ runtime, ...parts });
      if (isClosing()) {
        const error = toolCallError("SHUTTING_DOWN", "this process is stopping; try again elsewhere or later", {
          retryAfterMs: fixedBounds.comeBackMs,
        });
        return turnedAway(state, outcomeOf(error));
      }
      const { load } = runtime.resilience;
      const { tenant } = parts.session.principal;
      // Before anything is looked up, and without a trace in the ledger: whoever floods us must not fill that as well.
      if (load.sheds(tenant, state.startedMonotonicMs)) return turnedAway(state, outcomeOf(overloaded()));
      const answer = track(state);
      if (!(answer instanceof Promise)) return answer;
      load.enter(tenant);
      const counted = atItsEnd(answer, () => load.leave(tenant));
      return inTime(state, counted);
    },
    async inside(parent, request) {
      const call = callOf(runtime, { tool: request.tool, arguments: request.arguments });
      const turn = { ...noTurn, traceId: parent.turn.traceId };
      const isInside = { callId: parent.callId, purpose: request.purpose };
      return await track(newState({ runtime, session: parent.session, turn, call, parent: isInside }));
    },
    async within(running, asker) {
      const answer = await inTime(asker, running);
      return answer.outcome;
    },
    async drain(drainMs, other) {
      const running = [...runtime.running.values(), other];
      await new Promise<void>((resolve) => {
        const timer = runtime.clock.after(drainMs, resolve, "process");
        void Promise.allSettled(running).then(() => {
          timer.cancel();
          resolve();
        });
      });
    },
  };
}

/** A call that never began its journey; the calls it was to run with hear of it. */
function turnedAway(state: CallState, outcome: Outcome): Answer {
  state.set?.leave(state, outcome);
  return answerOf(state, outcome);
}

/** The same answer, once what has to happen with it has happened: one step, where `finally` takes three. */
function atItsEnd(answer: Promise<Answer>, task: () => void): Promise<Answer> {
  return answer.then(
    (given) => {
      task();
      return given;
    },
    (cause: unknown) => {
      task();
      throw cause;
    },
  );
}

/** A race, not only a signal: the caller is answered at the deadline whatever the tool does; the call itself goes on and is settled. */
function inTime(state: CallState, running: Promise<Answer>): Promise<Answer> {
  const { runtime } = state;
  const replyMs = state.registered?.tool.timeouts.replyMs ?? runtime.limits.replyDeadlineMs;
  return new Promise((resolve, reject) => {
    const timer = runtime.resilience.wheel.schedule(runtime.clock.monotonic() + replyMs, {
      expire: () => resolve(answerOf(state, pendingExecution(state.standsFor ?? state.callId, 1_000))),
    });
    const inTimeAnswer = (answer: Answer): void => {
      runtime.resilience.wheel.cancel(timer);
      resolve(answer);
    };
    running.then(inTimeAnswer, (cause: unknown) => {
      runtime.resilience.wheel.cancel(timer);
      reject(cause instanceof Error ? cause : new Error("the journey failed", { cause }));
    });
  });
}
