import type { Clock, Timer } from "../base/clock.ts";

/** How many calls a bulkhead lets in at once, and how many may wait for how long. */
export interface BulkheadSettings {
  /** Calls at the same time. */
  readonly concurrent: number;
  /** Calls that wait. 0: nobody waits. */
  readonly queue: number;
  /** Longest wait of one call. */
  readonly waitMs: number;
}

/**
 * Bounds the calls that are under way in one upstream, so that a slow one cannot take all there is. INVARIANT: `running` never exceeds `concurrent`.
 * Who waits is let in in the order of arrival.
 */
export interface Bulkhead {
  readonly running: number;
  readonly waiting: number;
  /** Lets one call in: at once, after a wait, or (false) not at all, since too many wait, it took too long or the caller is gone. */
  enter(signal: AbortSignal | undefined): boolean | Promise<boolean>;
  /** One call that was let in is over. Exactly once for each. */
  leave(): void;
}

/** An empty one. */
export function createBulkhead(clock: Clock, settings: BulkheadSettings): Bulkhead {
  return new FairBulkhead(clock, settings);
}

interface Waiter {
  readonly timer: Timer;
  readonly decide: (isIn: boolean) => void;
}

class FairBulkhead implements Bulkhead {
  readonly #clock: Clock;
  readonly #settings: BulkheadSettings;
  readonly #waiters = new Set<Waiter>();
  running = 0;

  constructor(clock: Clock, settings: BulkheadSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  enter(signal: AbortSignal | undefined): boolean | Promise<boolean> {
    // Nobody overtakes those who wait.
    if (this.running < this.#settings.concurrent && this.#waiters.size === 0) {
      this.running += 1;
      return true;
    }
    if (this.#waiters.size >= this.#settings.queue || signal?.aborted === true) return false;
    return this.#wait(signal);
  }

  leave(): void {
    const [next] = this.#waiters;
    // The place passes on directly, so that nobody who comes between takes it.
    if (next === undefined) this.running -= 1;
    else next.decide(true);
  }

  #wait(signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const onAbort = (): void => waiter.decide(false);
      const decide = (isIn: boolean): void => {
        this.#waiters.delete(waiter);
        waiter.timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        resolve(isIn);
      };
      const waiter: Waiter = { timer: this.#clock.after(this.#settings.waitMs, () => decide(false)), decide };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", onAbort);
    });
  }
}
