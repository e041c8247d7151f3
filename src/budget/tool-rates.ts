import { createThrottle, type Throttle } from "./throttle.ts";

/** Rate limits of single tools, per tenant, kept in memory. Returns 0, or after how many milliseconds to come back. */
export type ToolRates = (call: {
  readonly tenant: string;
  readonly tool: string;
  readonly perMinute: number;
  readonly nowMonotonicMs: number;
}) => number;

/** A burst of a tenth of a minute's calls, then the tool's rate. */
export function createToolRates(options: { readonly keysMax: number }): ToolRates {
  const throttles = new Map<number, Throttle>();
  return ({ tenant, tool, perMinute, nowMonotonicMs }) => {
    let throttle = throttles.get(perMinute);
    if (throttle === undefined) {
      throttle = createThrottle({ perMinute, burst: Math.max(1, Math.ceil(perMinute / 10)), keysMax: options.keysMax });
      throttles.set(perMinute, throttle);
    }
    return throttle.take(`${tenant}/${tool}`, nowMonotonicMs);
  };
}
