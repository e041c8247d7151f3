import type { Failure } from "../domain/tool.ts";

/** How the attempts of one tool or source went lately. */
export interface StatsView {
  readonly attemptCount: number;
  readonly failureCount: number;
  /** 95 % of the answers came within; undefined where there were none. Rounded up by at most a fifth. */
  readonly p95Ms: number | undefined;
  readonly lastFailure: LastFailure | undefined;
}

/** What was wrong the last time, in our words. */
export interface LastFailure {
  readonly kind: Failure["kind"];
  readonly message: string;
  /** Wall time. */
  readonly atMs: number;
}

// Four buckets for each doubling, up to a little more than a minute.
const bucketCount = 65;
const bucketsPerDoubling = 4;

/** Counts and a histogram over a window and the one before it, in fixed room. */
export class CallStats {
  readonly #windowMs: number;
  #window = -1;
  #attempts = [0, 0];
  #failures = [0, 0];
  #durations = [new Uint32Array(bucketCount), new Uint32Array(bucketCount)] as [Uint32Array, Uint32Array];
  #last: LastFailure | undefined;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** One attempt that ended at `nowMonotonicMs`. */
  note(durationMs: number, isFailure: boolean, nowMonotonicMs: number): void {
    const at = this.#turn(nowMonotonicMs);
    this.#attempts[at] = (this.#attempts[at] as number) + 1;
    if (isFailure) {
      this.#failures[at] = (this.#failures[at] as number) + 1;
      return;
    }
    const durations = this.#durations[at] as Uint32Array;
    const bucket = bucketOf(durationMs);
    durations[bucket] = (durations[bucket] as number) + 1;
  }

  remember(failure: LastFailure): void {
    this.#last = failure;
  }

  /** 95 % of the answers of the last one to two windows came within; undefined for fewer than `answersMin`. */
  p95Ms(answersMin: number, nowMonotonicMs: number): number | undefined {
    this.#turn(nowMonotonicMs);
    const [left, right] = this.#durations;
    let total = 0;
    for (let bucket = 0; bucket < bucketCount; bucket += 1) total += (left[bucket] as number) + (right[bucket] as number);
    if (total === 0 || total < answersMin) return undefined;
    let seen = 0;
    for (let bucket = 0; bucket < bucketCount; bucket += 1) {
      seen += (left[bucket] as number) + (right[bucket] as number);
      if (seen >= total * 0.95) return boundOf(bucket);
    }
    return boundOf(bucketCount - 1);
  }

  view(nowMonotonicMs: number): StatsView {
    this.#turn(nowMonotonicMs);
    return {
      attemptCount: (this.#attempts[0] as number) + (this.#attempts[1] as number),
      failureCount: (this.#failures[0] as number) + (this.#failures[1] as number),
      p95Ms: this.p95Ms(1, nowMonotonicMs),
      lastFailure: this.#last,
    };
  }

  #turn(nowMonotonicMs: number): number {
    const window = Math.floor(nowMonotonicMs / this.#windowMs);
    if (window === this.#window) return window & 1;
    // The slot that is used again is cleared; both are, where a whole window went by without a word.
    for (const slot of window - this.#window === 1 ? [window & 1] : [0, 1]) {
      this.#attempts[slot] = 0;
      this.#failures[slot] = 0;
      (this.#durations[slot] as Uint32Array).fill(0);
    }
    this.#window = window;
    return window & 1;
  }
}

function bucketOf(durationMs: number): number {
  if (durationMs <= 1) return 0;
  return Math.min(bucketCount - 1, Math.ceil(Math.log2(durationMs) * bucketsPerDoubling));
}

function boundOf(bucket: number): number {
  return Math.ceil(2 ** (bucket / bucketsPerDoubling));
}
