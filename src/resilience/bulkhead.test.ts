import fc from "fast-check";
import { expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { createBulkhead } from "./bulkhead.ts";
import { stepClock } from "./resilience.fixture.ts";

it(verifies("EXEC-03", "a bulkhead never has more calls under way than it may, and forgets nobody (property)"), async () => {
  const step = fc.oneof(
    fc.record({ act: fc.constantFrom("enter" as const, "leave" as const), waitMs: fc.constant(0) }),
    fc.record({ act: fc.constant("wait" as const), waitMs: fc.integer({ min: 1, max: 300 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 4 }),
      async (steps, concurrent, queue) => {
        const clock = stepClock();
        const bulkhead = createBulkhead(clock, { concurrent, queue, waitMs: 500 });
        let inside = 0;
        let decided = 0;
        let asked = 0;
        for (const { act, waitMs } of steps) {
          if (act === "enter") {
            asked += 1;
            void Promise.resolve(bulkhead.enter(undefined)).then((isIn) => {
              decided += 1;
              if (isIn) inside += 1;
            });
          } else if (act === "leave" && inside > 0) {
            inside -= 1;
            bulkhead.leave();
          }
          await clock.advance(waitMs);
          expect(inside).toBeLessThanOrEqual(concurrent);
          expect(bulkhead.running).toBe(inside);
          expect(bulkhead.waiting).toBeLessThanOrEqual(queue);
          if (bulkhead.waiting > 0) expect(inside).toBe(concurrent);
        }
        await clock.advance(500);
        expect(decided).toBe(asked);
        expect(clock.timerCount).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});

it("lets those who wait in in the order in which they came, and nobody before them", async () => {
  const clock = stepClock();
  const bulkhead = createBulkhead(clock, { concurrent: 1, queue: 5, waitMs: 500 });
  const order: string[] = [];
  expect(bulkhead.enter(undefined)).toBe(true);
  for (const name of ["a", "b"]) void Promise.resolve(bulkhead.enter(undefined)).then(() => order.push(name));
  bulkhead.leave();
  void Promise.resolve(bulkhead.enter(undefined)).then(() => order.push("c"));
  await clock.advance(0);
  bulkhead.leave();
  await clock.advance(0);
  expect(order).toEqual(["a", "b"]);
});

it("gives up a caller that is gone, and one that waited too long", async () => {
  const clock = stepClock();
  const bulkhead = createBulkhead(clock, { concurrent: 1, queue: 5, waitMs: 500 });
  expect(bulkhead.enter(undefined)).toBe(true);
  const gone = new AbortController();
  const answers = [gone.signal, undefined].map(async (signal) => await bulkhead.enter(signal));
  gone.abort();
  await clock.advance(500);
  expect(await Promise.all(answers)).toEqual([false, false]);
  expect(bulkhead.enter(gone.signal)).toBe(false);
});
