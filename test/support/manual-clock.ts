import type { Clock } from "../../src/base/clock.ts";

/** A clock that a test moves. Timers fire in order while it is moved, never by themselves. */
export interface ManualClock extends Clock {
  advance(byMs: number): Promise<void>;
  /** Moves the time without firing any timer, as a process that was asleep or not there. */
  jump(byMs: number): void;
}

/** Starts at a fixed wall time. */
export function manualClock(startMs = Date.UTC(2026, 10, 21)): ManualClock {
  let nowMs = startMs;
  let timers: { readonly atMs: number; readonly task: () => void }[] = [];
  return {
    now: () => nowMs,
    monotonic: () => nowMs - startMs,
    after(delayMs, task) {
      const timer = { atMs: nowMs + delayMs, task };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((other) => other !== timer)) };
    },
    jump(byMs) {
      nowMs += byMs;
    },
    async advance(byMs) {
      const untilMs = nowMs + byMs;
      for (;;) {
        const next = timers.filter((timer) => timer.atMs <= untilMs).sort((left, right) => left.atMs - right.atMs)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.task();
        await settled();
      }
      nowMs = untilMs;
      await settled();
    },
  };
}

/** Lets everything that is ready run: promises, and I/O that has completed. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
}
