import fc from "fast-check";
import { expect, test } from "vitest";
import { createThrottle } from "./throttle.ts";

test("lets the burst through, then one call per refill interval", () => {
  const throttle = createThrottle({ perMinute: 60, burst: 3, keysMax: 10 });
  expect([0, 0, 0, 0].map((at) => throttle.take("a", at))).toEqual([0, 0, 0, 1000]);
  expect(throttle.take("a", 999)).toBe(1);
  expect(throttle.take("a", 1000)).toBe(0);
  expect(throttle.take("a", 1000)).toBe(1000);
});

test("keeps principals apart", () => {
  const throttle = createThrottle({ perMinute: 60, burst: 1, keysMax: 10 });
  expect(throttle.take("a", 0)).toBe(0);
  expect(throttle.take("b", 0)).toBe(0);
  expect(throttle.take("a", 0)).toBeGreaterThan(0);
});

test("never admits more than burst plus refill, whatever the arrival times", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 200 }), (gaps) => {
      const throttle = createThrottle({ perMinute: 60, burst: 5, keysMax: 2 });
      let now = 0;
      let admitted = 0;
      for (const gap of gaps) {
        now += gap;
        if (throttle.take("a", now) === 0) admitted += 1;
      }
      expect(admitted).toBeLessThanOrEqual(5 + Math.floor(now / 1000));
    }),
  );
});

test("a clock that goes back grants nothing", () => {
  const throttle = createThrottle({ perMinute: 60, burst: 1, keysMax: 2 });
  expect(throttle.take("a", 5_000)).toBe(0);
  expect(throttle.take("a", 0)).toBe(1000);
});
