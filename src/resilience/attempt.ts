/**
 * One attempt as a race between the connector and the clock. A connector that ignores its signal does not keep the caller waiting: the attempt
 * ends when its time is over, and what the connector brings later is reported and never used. An `AbortSignal` costs more than the whole rest of
 * an attempt, so it is made only when the connector asks for it; deadlines hang on the shared wheel.
 */
import type { Execution, ExecutionResult, Failure, Tool } from "../domain/tool.ts";
import type { Principal } from "../domain/principal.ts";
import { classifyThrown, effectOfLostAttempt } from "./classify.ts";
import type { Expiring, WheelTimer } from "./deadline-wheel.ts";
import type { AttemptRequest } from "./attempt-request.ts";

/**
 * Carries out one attempt, and ends at the latest shortly after its timeout or the call's deadline. Never throws or rejects. Where the connector
 * answers at once, so does this.
 */
export function runAttempt(request: AttemptRequest, attempt: number, nowMs: number): ExecutionResult | Promise<ExecutionResult> {
  return new Attempt(request, attempt).start(nowMs);
}

/** The failure of a call whose caller is gone. */
export function cancelledFailure(tool: Tool, effect: Failure["effect"]): Failure {
  return { kind: "failed", code: "CANCELLED", message: `\`${tool.name}\` was cancelled by its caller`, effect };
}

/** The failure of an attempt whose time is over. */
export function timeoutFailure(tool: Tool, waitedMs: number, effect: Failure["effect"]): Failure {
  return { kind: "timeout", message: `\`${tool.name}\` did not answer within ${Math.max(0, Math.round(waitedMs))} ms`, effect };
}

class Attempt implements Execution, Expiring {
  readonly callId: string;
  readonly key: string;
  readonly principal: Principal;
  readonly sessionId: string;
  readonly tool: Tool;
  readonly attempt: number;
  readonly #request: AttemptRequest;
  /** Set once somebody waits. */
  #resolve: ((result: ExecutionResult) => void) | undefined;
  #controller: AbortController | undefined;
  #timer: WheelTimer | undefined;
  #startedMs = 0;
  #dueMs = 0;
  #heardMs = 0;
  #progressCount = 0;
  #sent: "unsaid" | "unsent" | "sent" = "unsaid";
  #isEnded = false;
  /** Ended without the connector's answer. */
  #isCutOff = false;

  constructor(request: AttemptRequest, attempt: number) {
    this.callId = request.callId;
    this.key = request.key;
    this.principal = request.principal;
    this.sessionId = request.sessionId;
    this.tool = request.tool;
    this.attempt = attempt;
    this.#request = request;
  }

  // Getters that return functions without `this`, so that a handler may destructure what it needs.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isCutOff) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  get progress(): (message: string) => void {
    return (message) => this.#note(message);
  }

  get mark(): (progress: "unsent" | "sent") => void {
    return (progress) => {
      // INVARIANT: what has been sent is never unsent again.
      if (progress === "sent" || this.#sent === "unsaid") this.#sent = progress;
    };
  }

  get secret(): (reference: string) => Promise<string> {
    return this.#request.secret;
  }

  get conceal(): (value: string) => void {
    return this.#request.conceal;
  }

  start(nowMs: number): ExecutionResult | Promise<ExecutionResult> {
    const { resilience, connector, args } = this.#request;
    const { timeouts } = this.tool;
    this.#startedMs = nowMs;
    this.#heardMs = nowMs;
    this.#dueMs = Math.min(nowMs + timeouts.attemptMs, this.#request.deadlineAtMonotonicMs);
    const isInThread = connector.kind === "function";
    let answer: ExecutionResult | Promise<ExecutionResult>;
    try {
      answer = connector.execute(args, this);
    } catch (thrown) {
      answer = this.#failed(thrown);
    }
    if (isInThread) {
      const endedMs = resilience.clock.monotonic();
      const blockedMs = endedMs - nowMs;
      if (blockedMs > resilience.limits.loopBlockedMs)
        resilience.loopWatch.noteSynchronous(this.tool.name, blockedMs, resilience.wheel.overdueMs(endedMs));
    }
    if (answer instanceof Promise) return this.#await(answer);
    this.#isEnded = true;
    return answer;
  }

  /** The race begins once there is something to wait for: what the connector did before it answered, no timer could have ended. */
  #await(answer: Promise<ExecutionResult>): Promise<ExecutionResult> {
    const { resilience, connector, signal } = this.#request;
    this.#timer = resilience.wheel.schedule(this.#nextDueMs(), this);
    if (connector.kind === "function") resilience.loopWatch.enter(this.tool.name);
    signal?.addEventListener("abort", this);
    answer.then(
      (result) => this.#answered(result),
      (thrown: unknown) => this.#answered(this.#failed(thrown)),
    );
    return new Promise((resolve) => {
      this.#resolve = resolve;
      // The caller may have left while the connector began.
      if (signal?.aborted === true) this.handleEvent();
    });
  }

  /** The wheel: this attempt's time is over, or it has been silent for too long. */
  expire(): void {
    const nowMs = this.#request.resilience.clock.monotonic();
    const dueMs = this.#nextDueMs();
    if (nowMs < dueMs) {
      // Progress has moved the idle timer meanwhile.
      this.#timer = this.#request.resilience.wheel.schedule(dueMs, this);
      return;
    }
    this.#cutOff(timeoutFailure(this.tool, nowMs - this.#startedMs, this.#lostEffect()));
  }

  /** The caller's signal. */
  handleEvent(): void {
    this.#cutOff(cancelledFailure(this.tool, this.#lostEffect()));
  }

  #nextDueMs(): number {
    const { idleMs } = this.tool.timeouts;
    return idleMs === undefined ? this.#dueMs : Math.min(this.#dueMs, this.#heardMs + idleMs);
  }

  #note(message: string): void {
    const { resilience, onProgress } = this.#request;
    if (this.#isEnded) return;
    this.#heardMs = resilience.clock.monotonic();
    if (onProgress === undefined || this.#progressCount >= resilience.limits.progressMessagesMax) return;
    this.#progressCount += 1;
    onProgress(String(message).slice(0, resilience.limits.progressCharsMax));
  }

  #lostEffect(): Failure["effect"] {
    return effectOfLostAttempt(this.tool, this.#sent !== "unsent");
  }

  #cutOff(failure: Failure): void {
    this.#isCutOff = true;
    this.#end({ kind: "failure", failure });
    // After the end, so that what the connector makes of it comes too late to be the answer.
    this.#controller?.abort();
  }

  #failed(thrown: unknown): ExecutionResult {
    return { kind: "failure", failure: classifyThrown(thrown, this.tool, this.#sent !== "unsent") };
  }

  #answered(result: ExecutionResult): void {
    if (!this.#isEnded) {
      this.#end(result);
      return;
    }
    // A failure after the signal fired is only its echo.
    if (result.kind === "failure" && this.#controller !== undefined) return;
    this.#request.onLate?.({ attempt: this.attempt, result });
  }

  #end(result: ExecutionResult): void {
    const { resilience, connector, signal } = this.#request;
    this.#isEnded = true;
    if (this.#timer !== undefined) resilience.wheel.cancel(this.#timer);
    signal?.removeEventListener("abort", this);
    if (connector.kind === "function") {
      resilience.loopWatch.leave(this.tool.name, resilience.wheel.overdueMs(resilience.clock.monotonic()));
    }
    this.#resolve?.(result);
  }
}
