/**
 * Time as a parameter. Wall time names moments that people and ledgers read; monotonic time measures deadlines, because a wall clock that is
 * set back must never extend one.
 */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. */
  now(): number;
  /** Monotonic milliseconds with an arbitrary origin. */
  monotonic(): number;
  /**
   * Runs `task` once after `delayMs`; the handle cancels it. Keeps the process alive only with `holds`: where somebody waits for it, since a process in which
   * nothing else is left to do would end before they are answered.
   */
  after(delayMs: number, task: () => void, holds?: "process"): Timer;
}

/** A pending timer. */
export interface Timer {
  cancel(): void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, task, holds) => {
    const handle = setTimeout(task, delayMs);
    if (holds === undefined) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** ISO 8601 form of a wall time in milliseconds, for people and ledgers. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** Wall time in milliseconds of an ISO 8601 text with its zone, such as `2026-03-01T12:00:00Z`; undefined where it is none. */
export function parseIsoTime(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}
