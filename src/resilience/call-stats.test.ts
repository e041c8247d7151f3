import fc from "fast-check";
import { expect, it } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import { CallStats } from "./call-stats.ts";

it("tells the 95th percentile within a fifth (property)", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 200 }), (durations) => {
      const stats = new CallStats(60_000);
      for (const durationMs of durations) stats.note(durationMs, false, 5);
      const sorted = durations.toSorted((left, right) => left - right);
      const exact = sorted[Math.ceil(sorted.length * 0.95) - 1] as number;
      const told = stats.p95Ms(1, 5) as number;
      expect(told).toBeGreaterThanOrEqual(exact);
      expect(told).toBeLessThanOrEqual(Math.ceil(exact * 1.2));
    }),
  );
});

it("counts over one window of `healthWindowMs` and the one before, and forgets what is older", () => {
  const stats = new CallStats(defaultLimits.healthWindowMs);
  stats.note(10, true, 0);
  expect(stats.view(2 * defaultLimits.healthWindowMs - 1).failureCount).toBe(1);
  expect(stats.view(2 * defaultLimits.healthWindowMs).failureCount).toBe(0);
});

it("keeps one window and the one before, and forgets what is older", () => {
  const stats = new CallStats(1_000);
  stats.note(10, false, 0);
  stats.note(10, true, 1_500);
  expect(stats.view(1_999)).toMatchObject({ attemptCount: 2, failureCount: 1, p95Ms: 12 });
  expect(stats.view(2_000)).toMatchObject({ attemptCount: 1, failureCount: 1, p95Ms: undefined });
  expect(stats.view(9_000)).toMatchObject({ attemptCount: 0, failureCount: 0 });
});

it("says nothing of too few answers", () => {
  const stats = new CallStats(1_000);
  stats.note(10, false, 0);
  expect(stats.p95Ms(2, 0)).toBeUndefined();
});
