import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import { backoffMs, parseRetryAfter } from "./backoff.ts";
import { fixedRandom, toolOf } from "./resilience.fixture.ts";
import { createRetryBudget } from "./retry-budget.ts";
import { classifyThrown } from "./classify.ts";
import { ToolFailure } from "./tool-failure.ts";

describe("backoff", () => {
  it(verifies("EXEC-02", "is full jitter under a capped exponential"), () => {
    const at = (retryNumber: number, sample: number) => backoffMs({ retryNumber, baseMs: 200, capMs: 5_000, random: fixedRandom(sample) });
    expect([at(1, 0), at(1, 0.5), at(2, 0.5), at(3, 0.5), at(5, 0.5), at(6, 0.5), at(60, 0.5)]).toEqual([
      0, 100, 200, 400, 1_600, 2_500, 2_500,
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.double({ min: 0, max: 0.999999, noNaN: true }), (retryNumber, sample) => {
        const delayMs = at(retryNumber, sample);
        expect(Number.isSafeInteger(delayMs) && delayMs >= 0 && delayMs < 5_000).toBe(true);
      }),
    );
  });

  it("reads Retry-After as seconds or as an HTTP date, and anything else as none", () => {
    const nowMs = Date.UTC(2026, 10, 21, 12, 0, 0);
    expect(parseRetryAfter("120", nowMs)).toBe(120_000);
    expect(parseRetryAfter("Sat, 21 Nov 2026 12:00:07 GMT", nowMs)).toBe(7_000);
    expect(parseRetryAfter("Sat, 21 Nov 2026 11:00:00 GMT", nowMs)).toBe(0);
    for (const text of [undefined, "", "-1", "1.5", "soon", "99999999999", "Sat, 21 Nul 2026 12:00:07 GMT", "2026-11-21T12:00:07Z"]) {
      expect(parseRetryAfter(text, nowMs)).toBeUndefined();
    }
  });
});

describe("the retry budget", () => {
  it("allows the minimum, then a share of the calls, and forgets both with the window", () => {
    const budget = createRetryBudget({ ...defaultLimits, retryBudgetMin: 2 });
    const spend = (atMs: number, times: number) => Array.from({ length: times }, () => budget.trySpend(atMs)).filter(Boolean).length;
    expect(spend(0, 5)).toBe(2);
    for (let call = 0; call < 100; call += 1) budget.noteCall(1_000);
    expect(spend(1_000, 100)).toBe(18);
    expect(spend(50_000, 5)).toBe(0);
    expect(spend(200_000, 5)).toBe(2);
  });
});

describe("what a throw becomes", () => {
  it("is unknown for a write, none for a read or before anything was sent, and never shows the error's own words", () => {
    const thrown = new Error("password is hunter2 at /srv/app/refund.js:3");
    const write = classifyThrown(thrown, toolOf({}), true);
    expect(write).toMatchObject({ kind: "failed", effect: "unknown" });
    expect(write.message).not.toContain("hunter2");
    expect(classifyThrown(thrown, toolOf({ tier: "read" }), true).effect).toBe("none");
    expect(classifyThrown(thrown, toolOf({}), false).effect).toBe("none");
  });

  it("recognises a transport's error also behind a cause, without believing that a handler of a write did nothing before", () => {
    const refused = new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) });
    expect(classifyThrown(refused, toolOf({}), true)).toMatchObject({ kind: "unavailable", effect: "unknown" });
    expect(classifyThrown(Object.assign(new Error("x"), { code: "ETIMEDOUT" }), toolOf({ tier: "read" }), true)).toMatchObject({
      kind: "timeout",
      effect: "none",
    });
  });

  it("believes a ToolFailure", () => {
    const declared = new ToolFailure({ kind: "unavailable", message: "the shop is closed", effect: "none", retryAfterMs: 50 });
    expect(classifyThrown(declared, toolOf({}), true)).toMatchObject({
      kind: "unavailable",
      message: "the shop is closed",
      effect: "none",
      retryAfterMs: 50,
    });
    expect(classifyThrown(new ToolFailure({ kind: "rejected", message: "no" }), toolOf({}), true).effect).toBe("none");
    expect(classifyThrown(new ToolFailure({ kind: "failed", message: "no" }), toolOf({}), true).effect).toBe("unknown");
  });
});
