import { assert } from "../base/assert.ts";

/** A cheap gate before anything is looked up: how fast one principal may ask at all. Kept in memory, per process. */
export interface Throttle {
  /** Takes one call of `key`; returns 0, or after how many milliseconds to come back. */
  take(key: string, nowMonotonicMs: number): number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * Token buckets, one per key: `burst` calls at once, refilled at `perMinute`. At most `keysMax` buckets are kept; the oldest is forgotten first,
 * which can only ever grant somebody their burst again.
 */
export function createThrottle(options: { readonly perMinute: number; readonly burst: number; readonly keysMax: number }): Throttle {
  const { perMinute, burst, keysMax } = options;
  assert(perMinute >= 1 && burst >= 1 && keysMax >= 1, "a throttle has a rate, a burst and room for a key");
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, Bucket>();
  return {
    take(key, nowMs) {
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        if (buckets.size >= keysMax) buckets.delete(buckets.keys().next().value as string);
        bucket = { tokens: burst, atMs: nowMs };
        buckets.set(key, bucket);
      }
      bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, nowMs - bucket.atMs) * perMs);
      bucket.atMs = nowMs;
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return 0;
      }
      // A hair less, so that rounding errors of the refill do not cost a whole millisecond.
      return Math.max(1, Math.ceil((1 - bucket.tokens) / perMs - 1e-6));
    },
  };
}
