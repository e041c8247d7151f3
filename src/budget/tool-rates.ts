import { createThrottle, type RateExchange, type Throttle } from "./throttle.ts";

/** Rate limits of single tools, per tenant, kept in memory and told to the other processes from time to time. */
export interface ToolRates extends RateExchange {
  /** Takes one call; returns 0, or after how many milliseconds to come back. */
  take(call: { readonly tenant: string; readonly tool: string; readonly perMinute: number; readonly nowMonotonicMs: number }): number;
}

/** A burst of a tenth of a minute's calls, then the tool's rate. */
export function createToolRates(options: { readonly keysMax: number }): ToolRates {
  const throttles = new Map<number, Throttle>();

  function throttleOf(perMinute: number): Throttle {
    let throttle = throttles.get(perMinute);
    if (throttle === undefined) {
      throttle = createThrottle({ perMinute, burst: Math.max(1, Math.ceil(perMinute / 10)), keysMax: options.keysMax });
      throttles.set(perMinute, throttle);
    }
    return throttle;
  }

  return {
    take: ({ tenant, tool, perMinute, nowMonotonicMs }) => throttleOf(perMinute).take(`${tenant}/${tool}`, nowMonotonicMs),
    takenSince() {
      const all = new Map<string, number>();
      for (const [perMinute, throttle] of throttles)
        for (const [key, count] of throttle.takenSince()) all.set(`${perMinute}:${key}`, count);
      return all;
    },
    charge(key, count, nowMonotonicMs) {
      const end = key.indexOf(":");
      const perMinute = Number(key.slice(0, end));
      // The key is another process's text, which may be a newer program's.
      if (Number.isSafeInteger(perMinute) && perMinute >= 1) throttleOf(perMinute).charge(key.slice(end + 1), count, nowMonotonicMs);
    },
  };
}
