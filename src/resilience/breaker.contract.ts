/** What every implementation of the breakers' port must do. Run it from a test with a factory; two views of one state may be given to test sharing. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { BreakerEntry, Breakers, BreakerSettings } from "./breaker.ts";

const settings: BreakerSettings = { failures: 3, openMs: 1_000, probes: 2 };

/** `make` gives breakers without any state; `settled` waits until what one process noted can be seen by all. */
export function breakerContract(make: () => Breakers | Promise<Breakers>, settled: () => Promise<void> = () => Promise.resolve()): void {
  const passOf = (entry: BreakerEntry): number => (entry.kind === "let-through" ? entry.pass : -1);

  async function fails(breakers: Breakers, count: number, nowMonotonicMs: number): Promise<void> {
    for (let each = 0; each < count; each += 1) breakers.note({ key: "a", settings, pass: 0, isFailure: true, nowMonotonicMs });
    await settled();
  }

  it(verifies("EXEC-03", "opens at so many consecutive failures and not before, and a success starts the count again"), async () => {
    const breakers = await make();
    await fails(breakers, 2, 0);
    expect(passOf(await breakers.enter("a", settings, 0))).toBe(0);
    breakers.note({ key: "a", settings, pass: 0, isFailure: false, nowMonotonicMs: 0 });
    await settled();
    await fails(breakers, 2, 0);
    expect(passOf(await breakers.enter("a", settings, 0))).toBe(0);
    await fails(breakers, 1, 0);
    expect(await breakers.enter("a", settings, 0)).toEqual({ kind: "refused", retryAfterMs: 1_000 });
    expect(passOf(await breakers.enter("b", settings, 0))).toBe(0);
    expect(breakers.view("a", 400)).toMatchObject({ state: "open", retryAfterMs: 600 });
  });

  it(verifies("EXEC-03", "half-open it lets its probes through and nobody else, and closes when all of them were good"), async () => {
    const breakers = await make();
    await fails(breakers, 3, 0);
    const first = passOf(await breakers.enter("a", settings, 1_000));
    const second = passOf(await breakers.enter("a", settings, 1_000));
    expect(Math.min(first, second)).toBeGreaterThan(0);
    expect((await breakers.enter("a", settings, 1_000)).kind).toBe("refused");
    breakers.note({ key: "a", settings, pass: first, isFailure: false, nowMonotonicMs: 1_001 });
    await settled();
    expect((await breakers.enter("a", settings, 1_001)).kind).toBe("refused");
    breakers.note({ key: "a", settings, pass: second, isFailure: false, nowMonotonicMs: 1_002 });
    await settled();
    expect(passOf(await breakers.enter("a", settings, 1_002))).toBe(0);
    expect(breakers.view("a", 1_002).state).toBe("closed");
  });

  it("opens again at the first bad probe, and does not count what an earlier period let through", async () => {
    const breakers = await make();
    await fails(breakers, 3, 0);
    const bad = passOf(await breakers.enter("a", settings, 1_000));
    const late = passOf(await breakers.enter("a", settings, 1_000));
    breakers.note({ key: "a", settings, pass: bad, isFailure: true, nowMonotonicMs: 1_000 });
    breakers.note({ key: "a", settings, pass: late, isFailure: false, nowMonotonicMs: 1_000 });
    breakers.note({ key: "a", settings, pass: 0, isFailure: false, nowMonotonicMs: 1_000 });
    await settled();
    expect(await breakers.enter("a", settings, 1_500)).toEqual({ kind: "refused", retryAfterMs: 500 });
  });

  it("gives the place of a probe back that ended without a word on the upstream", async () => {
    const breakers = await make();
    await fails(breakers, 3, 0);
    const passes = [passOf(await breakers.enter("a", settings, 1_000)), passOf(await breakers.enter("a", settings, 1_000))];
    breakers.cancel("a", passes[0] as number);
    await settled();
    expect(passOf(await breakers.enter("a", settings, 1_000))).toBeGreaterThan(0);
    expect((await breakers.enter("a", settings, 1_000)).kind).toBe("refused");
  });

  it(verifies("EXEC-03", "never has more probes out than it may, whatever happens when (property)"), async () => {
    const step = fc.record({ waitMs: fc.integer({ min: 0, max: 700 }), act: fc.constantFrom("enter", "good", "bad", "cancel") });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const breakers = await make();
        let nowMs = 0;
        const out: number[] = [];
        await fails(breakers, 3, nowMs);
        for (const { waitMs, act } of steps) {
          nowMs += waitMs;
          if (act === "enter") {
            const pass = passOf(await breakers.enter("a", settings, nowMs));
            if (pass > 0) out.push(pass);
          } else {
            const pass = out.shift() ?? 0;
            if (act === "cancel") breakers.cancel("a", pass);
            else breakers.note({ key: "a", settings, pass, isFailure: act === "bad", nowMonotonicMs: nowMs });
            await settled();
          }
          const newest = Math.max(...out);
          expect(out.filter((pass) => pass === newest).length).toBeLessThanOrEqual(settings.probes);
        }
      }),
      { numRuns: 100 },
    );
  });
}
