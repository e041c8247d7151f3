import { expect, test } from "vitest";
import { fixedBounds, fixedTable } from "../../src/base/fixed-bounds.ts";
import { defaultLimits, limitTable, resolveLimits } from "../../src/base/limits.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { verifies } from "../verifies.ts";

/** The starting values of the design, section 12. Changing one is a decision, so it fails here first. */
const starting = {
  attemptsMax: 3,
  attemptTimeoutMs: 10_000,
  executeDeadlineMs: 30_000,
  replyDeadlineMs: 30_000,
  sessionCallsMax: 100,
  sessionExecutionMsMax: 300_000,
  sessionCostMicrosUsdMax: 100_000,
  toolsPerRequestMax: 20,
  resultCharsMax: 2_000,
  approvalExpiryMs: 24 * 3_600_000,
  approvalGrantMs: 10 * 60_000,
  duplicateWindowMs: 10 * 60_000,
  keyRetentionMs: 30 * 24 * 3_600_000,
  argumentsBytesMax: 256 * 1_024,
  argumentsDepthMax: 32,
  argumentsKeysMax: 1_000,
  sessionDenialsMax: 5,
  approvalsPendingMax: 20,
} as const;

test(verifies("OPS-11", "the limits start at the values of the design"), () => {
  for (const [name, value] of Object.entries(starting)) expect([name, defaultLimits[name as keyof typeof starting]]).toEqual([name, value]);
});

test(verifies("OPS-11", "every limit is a whole number of at least 1 with a unit that its name ends in"), () => {
  const units: Readonly<Record<string, RegExp>> = {
    bytes: /Bytes/,
    characters: /Chars/,
    ms: /Ms/,
    MiB: /Megabytes/,
    "%": /Percent$/,
    levels: /Depth/,
  };
  for (const [name, { value, unit, about }] of Object.entries({ ...limitTable, ...fixedTable })) {
    expect(Number.isSafeInteger(value) && value >= 1, name).toBe(true);
    expect(about, name).not.toBe("");
    expect(name, unit).toMatch(units[unit] ?? /./);
  }
});

test("an operator changes limits by name; unknown names and senseless values are reported together", () => {
  expect(resolveLimits({ resultCharsMax: 500 }).limits.resultCharsMax).toBe(500);
  const { problems, limits } = resolveLimits({ resultCharMax: 1, attemptsMax: 0, drainMs: 1.5, toolsMax: "many", __proto__x: 1 });
  expect(problems).toHaveLength(5);
  expect(limits.attemptsMax).toBe(defaultLimits.attemptsMax);
});

test("a box with a wrong limit does not start, and says every problem", async () => {
  const broken = createSignalbox({ limits: { attemptsMax: -1, nonsenseMax: 3 } });
  await expect(broken).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(/attemptsMax.*nonsenseMax/) as string,
  });
});

test(verifies("OPS-11", "a fixed bound is no limit: it has a name of its own, cannot be changed, and no configuration takes it"), () => {
  expect(Object.keys(fixedTable).filter((name) => Object.hasOwn(limitTable, name))).toEqual([]);
  expect(Object.isFrozen(fixedBounds)).toBe(true);
  expect(resolveLimits({ racesMax: 5 }).problems).toEqual([expect.stringContaining("no limit named `racesMax`")]);
});
