import { assert } from "../base/assert.ts";

/** A cheap gate before anything is looked up: how fast one principal may ask at all. Kept in memory, and told to the other processes from time to time. */
export interface Throttle extends RateExchange {
  /** Takes one call of `key`; returns 0, or after how many milliseconds to come back. */
  take(key: string, nowMonotonicMs: number): number;
}

/** What processes tell each other of a rate limit that they keep together. */
export interface RateExchange {
  /** What was taken here since this was last asked, by key. */
  takenSince(): ReadonlyMap<string, number>;
  /** Takes what another process let through. What it cost beyond the bucket is paid back by the refill before anything else is let through. */
  charge(key: string, count: number, nowMonotonicMs: number): void;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * Token buckets, one per key: `burst` calls at once, refilled at `perMinute`. At most `keysMax` buckets are kept; the oldest is forgotten first,
 * which can only ever grant somebody their burst again. A bucket is at most one burst in debt, so that a key is never shut out for longer than its refill takes.
 */
export function createThrottle(options: { readonly perMinute: number; readonly burst: number; readonly keysMax: number }): Throttle {
  const { perMinute, burst, keysMax } = options;
  assert(perMinute >= 1 && burst >= 1 && keysMax >= 1, "a throttle has a rate, a burst and room for a key");
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, Bucket>();
  let taken = new Map<string, number>();

  function bucketOf(key: string, nowMs: number): Bucket {
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      if (buckets.size >= keysMax) buckets.delete(buckets.keys().next().value as string);
      bucket = { tokens: burst, atMs: nowMs };
      buckets.set(key, bucket);
    }
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    return bucket;
  }

  return {
    take(key, nowMs) {
      const bucket = bucketOf(key, nowMs);
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        if (taken.size < keysMax || taken.has(key)) taken.set(key, (taken.get(key) ?? 0) + 1);
        return 0;
      }
      // A hair less, so that rounding errors of the refill do not cost a whole millisecond.
      return Math.max(1, Math.ceil((1 - bucket.tokens) / perMs - 1e-6));
    },
    takenSince() {
      const since = taken;
      taken = new Map();
      return since;
    },
    charge(key, count, nowMs) {
      const bucket = bucketOf(key, nowMs);
      bucket.tokens = Math.max(-burst, bucket.tokens - count);
    },
  };
}
