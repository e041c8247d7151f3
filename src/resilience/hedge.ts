/**
 * A second attempt of a read that takes longer than such reads usually do: the first answer wins, the other attempt is aborted. Only for tools that this
 * installation itself tiered as reads and that send nothing out; what an upstream says of its own tools counts for nothing here.
 */
import type { ExecutionResult } from "../domain/tool.ts";
import { runAttempt } from "./attempt.ts";
import type { WheelTimer } from "./deadline-wheel.ts";
import type { AttemptRequest } from "./attempt-request.ts";

/** What a hedged call came to. */
export interface Hedged {
  readonly result: ExecutionResult;
  /** Attempts that were begun: 1 or 2. */
  readonly attempts: number;
}

/** Milliseconds after which a second attempt is begun; undefined for a call that is never hedged, or not yet, since too little is known of its tool. */
export function hedgeDelayMs({ tool, permit, resilience }: AttemptRequest): number | undefined {
  const { hedge } = tool;
  if (hedge === undefined || tool.tier !== "read" || tool.isForeign || tool.isEgress) return undefined;
  return hedge.afterMs ?? permit?.p95Ms(resilience.limits.hedgeAnswersMin);
}

/** Carries out the first attempt, and a second one beside it if that takes longer than `afterMs` and the retry budget allows. */
export function runHedged(request: AttemptRequest, afterMs: number, startedMs: number): Promise<Hedged> {
  return new Promise((resolve) => new Race(request, resolve).start(afterMs, startedMs));
}

class Race {
  readonly #request: AttemptRequest;
  readonly #resolve: (hedged: Hedged) => void;
  readonly #runners = new Set<AbortController>();
  #timer: WheelTimer | undefined;
  #attempts = 0;
  #isOver = false;

  constructor(request: AttemptRequest, resolve: (hedged: Hedged) => void) {
    this.#request = request;
    this.#resolve = resolve;
  }

  start(afterMs: number, startedMs: number): void {
    const { resilience, tool } = this.#request;
    this.#timer = resilience.wheel.schedule(startedMs + afterMs, {
      expire: () => {
        const nowMs = resilience.clock.monotonic();
        if (!this.#isOver && resilience.retryBudget(tool).trySpend(nowMs)) this.#run(nowMs);
      },
    });
    this.#run(startedMs);
  }

  #run(nowMs: number): void {
    const runner = new AbortController();
    this.#runners.add(runner);
    this.#attempts += 1;
    const signal = this.#request.signal === undefined ? runner.signal : AbortSignal.any([this.#request.signal, runner.signal]);
    // The loser's answer is not one that came too late, so nobody is told of it.
    const ended = runAttempt({ ...this.#request, signal, onLate: undefined }, this.#attempts, nowMs);
    if (ended instanceof Promise) void ended.then((result) => this.#ended(runner, result));
    else this.#ended(runner, ended);
  }

  #ended(runner: AbortController, result: ExecutionResult): void {
    this.#runners.delete(runner);
    // A failure is the answer only when nobody else can bring a better one.
    if (this.#isOver || (result.kind === "failure" && this.#runners.size > 0)) return;
    this.#isOver = true;
    if (this.#timer !== undefined) this.#request.resilience.wheel.cancel(this.#timer);
    for (const other of this.#runners) other.abort();
    this.#resolve({ result, attempts: this.#attempts });
  }
}
