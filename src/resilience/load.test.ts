import fc from "fast-check";
import { expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import { createLoad } from "./load.ts";

const limits = { ...defaultLimits, callsRunningMax: 20 };

it(
  verifies("EXEC-11", "never takes on more than `callsRunningMax`, nor from one tenant more than `tenantSharePercent` of it (property)"),
  () => {
    const step = fc.record({ tenant: fc.constantFrom("a", "b", "c"), isEnd: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const load = createLoad(limits);
        const own: Record<string, number> = { a: 0, b: 0, c: 0 };
        for (const { tenant, isEnd } of steps) {
          const running = own[tenant] as number;
          if (isEnd && running > 0) {
            load.leave(tenant);
            own[tenant] = running - 1;
          } else if (!isEnd && !load.sheds(tenant, 0)) {
            load.enter(tenant);
            own[tenant] = running + 1;
          }
          const total = Object.values(own).reduce((sum, count) => sum + count, 0);
          expect(load.view().running).toBe(total);
          expect(total).toBeLessThanOrEqual(limits.callsRunningMax);
          for (const count of Object.values(own))
            expect(count).toBeLessThanOrEqual((limits.callsRunningMax * limits.tenantSharePercent) / 100);
        }
      }),
    );
  },
);

it(verifies("EXEC-11", "a tenant that takes all it can leaves room for another, and the two then share"), () => {
  const load = createLoad(limits);
  const take = (tenant: string): boolean => {
    if (load.sheds(tenant, 0)) return false;
    load.enter(tenant);
    return true;
  };
  let greedy = 0;
  for (let each = 0; each < 50; each += 1) if (take("greedy")) greedy += 1;
  expect(greedy).toBe(16);
  expect([take("small"), take("small"), take("small"), take("small"), take("small")]).toEqual([true, true, true, true, false]);
  load.leave("greedy");
  expect(take("greedy")).toBe(false);
  expect(take("small")).toBe(true);
  expect(load.view()).toMatchObject({ running: 20, shedCount: 36 });
});

it("turns everything away while the event loop is later than `loopDelayMs` again and again, not for once", () => {
  const load = createLoad(limits);
  load.noteLag(5_000, 5_000);
  load.noteLag(300, 5_316);
  expect(load.sheds("a", 5_316)).toBe(false);
  load.noteLag(300, 5_632);
  expect([load.sheds("a", 5_632), load.sheds("a", 5_632 + limits.loopDelayMs), load.sheds("a", 5_633 + limits.loopDelayMs)]).toEqual([
    true,
    true,
    false,
  ]);
  for (const atMs of [10_000, 20_000, 30_000]) load.noteLag(300, atMs);
  expect(load.sheds("a", 30_000)).toBe(false);
});

it("turns reads away at `readSharePercent`", () => {
  const load = createLoad({ ...limits, readSharePercent: 50 });
  for (let each = 0; each < 9; each += 1) load.enter("a");
  expect(load.shedsRead()).toBe(false);
  load.enter("a");
  expect(load.shedsRead()).toBe(true);
});
