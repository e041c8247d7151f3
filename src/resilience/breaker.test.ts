import { describe, expect, it } from "vitest";
import { createLocalBreakers, tellsOfUpstream } from "./breaker.ts";
import { breakerContract } from "./breaker.contract.ts";

describe("breakers in memory", () => {
  breakerContract(() => createLocalBreakers());
});

describe("what a breaker counts", () => {
  it("counts what says something about the upstream, and nothing else", () => {
    const told = (kind: "timeout" | "unavailable" | "rate-limited" | "rejected" | "failed", code?: "CANCELLED") =>
      tellsOfUpstream({ kind, message: "x", effect: "none", ...(code !== undefined && { code }) });
    expect([told("timeout"), told("unavailable")]).toEqual([true, true]);
    expect([told("rate-limited"), told("rejected"), told("failed"), told("timeout", "CANCELLED")]).toEqual([false, false, false, false]);
  });
});
