import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDeadlineWheel } from "./deadline-wheel.ts";
import { stepClock } from "./resilience.fixture.ts";

describe("the deadline wheel", () => {
  it("fires every deadline that is not cancelled exactly once, never early, at most two slots late (property)", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delayMs: fc.integer({ min: 0, max: 30_000 }), isCancelled: fc.boolean() }), { minLength: 1, maxLength: 40 }),
        async (deadlines) => {
          const clock = stepClock();
          const wheel = createDeadlineWheel({ clock, slotMs: 64 });
          const startedMs = clock.monotonic();
          const fired = deadlines.map((): number[] => []);
          const timers = deadlines.map(({ delayMs }, index) =>
            wheel.schedule(startedMs + delayMs, { expire: () => fired[index]?.push(clock.monotonic() - startedMs) }),
          );
          deadlines.forEach(({ isCancelled }, index) => {
            const timer = timers[index];
            if (isCancelled && timer !== undefined) wheel.cancel(timer);
          });
          await clock.advance(31_000);
          deadlines.forEach(({ delayMs, isCancelled }, index) => {
            const times = fired[index] as number[];
            expect(times).toHaveLength(isCancelled ? 0 : 1);
            if (isCancelled) return;
            expect(times[0]).toBeGreaterThanOrEqual(delayMs);
            expect(times[0]).toBeLessThanOrEqual(delayMs + 128);
          });
          expect(wheel.pendingCount).toBe(0);
          expect(clock.timerCount).toBe(0);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("arms one timer for many deadlines, and none once they are gone", async () => {
    const clock = stepClock();
    const wheel = createDeadlineWheel({ clock });
    const timers = Array.from({ length: 100 }, (_, index) => wheel.schedule(clock.monotonic() + 1_000 + index, { expire: () => {} }));
    expect(clock.timerCount).toBe(1);
    for (const timer of timers) wheel.cancel(timer);
    await clock.advance(16);
    expect(clock.timerCount).toBe(0);
  });

  it("fires what is overdue after a pause longer than a whole turn, also what was cancelled twice around it", async () => {
    const clock = stepClock();
    const wheel = createDeadlineWheel({ clock });
    const fired: string[] = [];
    const other = wheel.schedule(clock.monotonic() + 50, { expire: () => fired.push("cancelled") });
    wheel.schedule(clock.monotonic() + 50, {
      expire: () => fired.push("first"),
    });
    wheel.cancel(other);
    wheel.cancel(other);
    expect(wheel.pendingCount).toBe(1);
    clock.block(60_000);
    await clock.advance(16);
    expect(fired).toEqual(["first"]);
  });
});
