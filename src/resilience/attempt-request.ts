import type { JsonObject } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import type { Connector, ExecutionResult, Failure, Tool } from "../domain/tool.ts";
import type { Effect } from "../errors/codes.ts";
import type { Permit } from "./guards.ts";
import type { Resilience } from "./resilience.ts";

/** One call to carry out. */
export interface AttemptRequest {
  /** What all calls of the process share, from `createResilience`. */
  readonly resilience: Resilience;
  readonly tool: Tool;
  readonly connector: Connector;
  readonly args: JsonObject;
  readonly callId: string;
  readonly key: string;
  readonly principal: Principal;
  readonly sessionId: string;
  readonly secret: (reference: string) => Promise<string>;
  readonly conceal: (value: string) => void;
  /** All attempts and waits together end by then, by the monotonic clock. Nothing moves it. */
  readonly deadlineAtMonotonicMs: number;
  /** Whether the same effect under the same key happens once. Believed only of a tool whose idempotency is `natural` or `key`. */
  readonly isSafeToResend: boolean;
  /** The caller's: fires when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of every attempt, and says whether there may be another. Absent: nobody guards the call. */
  readonly permit?: Permit | undefined;
  /** Told at the end of every attempt. */
  readonly onAttempt?: ((event: AttemptEvent) => void) | undefined;
  /** Told of an answer that came after its attempt had been given up. It is never used as the result. */
  readonly onLate?: ((late: LateAnswer) => void) | undefined;
  /** Told of a progress message, at most `progressMessagesMax` an attempt, cut to `progressCharsMax`. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

/** How one attempt ended. */
export interface AttemptEvent {
  /** 1 for the first. */
  readonly attempt: number;
  readonly durationMs: number;
  /** Undefined for a success. */
  readonly failure: Failure | undefined;
  /** Wait before the next attempt; undefined when there is none. */
  readonly retryInMs: number | undefined;
}

/** An answer after the end. */
export interface LateAnswer {
  readonly attempt: number;
  readonly result: ExecutionResult;
}

/** How a call ended, all attempts together. */
export interface AttemptsResult {
  readonly result: ExecutionResult;
  /** Attempts that were begun. */
  readonly attempts: number;
  /** Over all attempts: one lost reply keeps it `unknown`, whatever a later attempt failed with. Equal to that of a failure. */
  readonly effect: Effect;
  /** A second attempt was begun beside the first, since that took long. */
  readonly isHedged?: true;
}
