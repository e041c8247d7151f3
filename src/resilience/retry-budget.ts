import type { Limits } from "../base/limits.ts";

/** Bounds the retries of one tool by its calls, so that retries never turn a struggling upstream into a dead one. */
export interface RetryBudget {
  /** Counts a call, whose share may be spent on retries. */
  noteCall(nowMonotonicMs: number): void;
  /** Whether one more retry is within the budget; if so it is spent. */
  trySpend(nowMonotonicMs: number): boolean;
}

const slotCount = 10;

/**
 * A budget over a sliding window in ten slots: within `retryBudgetWindowMs` retries stay at or below `retryBudgetPercent` of the calls, or
 * `retryBudgetMin` where that is more, so that a tool that is seldom called is retried at all.
 */
export function createRetryBudget(limits: Limits): RetryBudget {
  return new WindowBudget(limits.retryBudgetPercent, limits.retryBudgetMin, Math.max(1, limits.retryBudgetWindowMs / slotCount));
}

class WindowBudget implements RetryBudget {
  readonly #percent: number;
  readonly #retriesMin: number;
  readonly #slotMs: number;
  readonly #slotNumbers = new Float64Array(slotCount + 1).fill(-1);
  readonly #calls = new Uint32Array(slotCount + 1);
  readonly #retries = new Uint32Array(slotCount + 1);

  constructor(percent: number, retriesMin: number, slotMs: number) {
    this.#percent = percent;
    this.#retriesMin = retriesMin;
    this.#slotMs = slotMs;
  }

  noteCall(nowMonotonicMs: number): void {
    const index = this.#slotAt(nowMonotonicMs);
    this.#calls[index] = (this.#calls[index] as number) + 1;
  }

  trySpend(nowMonotonicMs: number): boolean {
    const index = this.#slotAt(nowMonotonicMs);
    const oldest = (this.#slotNumbers[index] as number) - slotCount;
    let calls = 0;
    let retries = 0;
    for (let slot = 0; slot <= slotCount; slot += 1) {
      if ((this.#slotNumbers[slot] as number) < oldest) continue;
      // A retry counts a slot longer than a call, so that the share holds wherever a window is laid.
      retries += this.#retries[slot] as number;
      if ((this.#slotNumbers[slot] as number) > oldest) calls += this.#calls[slot] as number;
    }
    if (retries + 1 > Math.max(this.#retriesMin, Math.floor((calls * this.#percent) / 100))) return false;
    this.#retries[index] = (this.#retries[index] as number) + 1;
    return true;
  }

  #slotAt(nowMonotonicMs: number): number {
    const slotNumber = Math.floor(nowMonotonicMs / this.#slotMs);
    const index = slotNumber % (slotCount + 1);
    if (this.#slotNumbers[index] !== slotNumber) {
      this.#slotNumbers[index] = slotNumber;
      this.#calls[index] = 0;
      this.#retries[index] = 0;
    }
    return index;
  }
}
