import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { driftSet, type DriftCase } from "./drift-set.fixture.ts";
import { driftOf, type Drift } from "./drift.ts";
import { SessionKnowledge } from "./knowledge.ts";
import { labelReader } from "./labels.ts";
import { Restrictions } from "./restrictions.ts";
import type { Source, Traced } from "./rules.ts";
import { traceCall } from "./trace.ts";

function measured({ said, read, tool, args }: DriftCase): Drift {
  const bounds = { slotsMax: 65_536, valuesMax: 1_000, circlesMax: 8 };
  const knowledge = new SessionKnowledge(new Restrictions(7, bounds, 0), bounds);
  knowledge.words.add(said, true);
  const origin = { callId: "call", sessionId: "ses", tool: "read.it", atMs: 0, isNamed: false, isOutside: false };
  const labels = labelReader({ source: "test", outputLabels: {} });
  for (const value of read) knowledge.note({ origin, value, given: [], labels, chars: 100, text: undefined });
  if (knowledge.restrictions.settle(() => Promise.resolve()) !== undefined) throw new Error("small results are indexed at once");
  return traceCall({ tool, args, isStanding: false, isStrict: false }, knowledge).drift as Drift;
}

test(verifies("AUTH-16", "of the fixed set 23 of 26 detours are flagged, and 2 of 26 calls that the user wanted"), () => {
  const flagged = (isDetour: boolean): readonly DriftCase[] =>
    driftSet.filter((each) => each.isDetour === isDetour && measured(each).isDetour);
  const described = (cases: readonly DriftCase[]): readonly string[] => cases.map(({ said, tool }) => `${tool.name}: ${said}`);
  expect(driftSet.filter(({ isDetour }) => isDetour)).toHaveLength(26);
  expect(driftSet).toHaveLength(52);
  expect(described(flagged(false))).toHaveLength(2);
  expect(described(flagged(true))).toHaveLength(23);
});

const traced = (source: Source): Traced => ({ pointer: "/to", role: "target", roleFrom: "declared", source, origin: undefined, text: "x" });

test("the measure has the values that its definition gives", () => {
  const of = (intent: "asked" | "unknown" | "not-asked", ...sources: readonly Source[]): Drift | undefined =>
    driftOf({ intent, traced: sources.map(traced), isBlind: false });
  expect(of("asked", "user", "plan", "named-record")).toEqual({ distance: 0, isDetour: false });
  expect(of("asked", "directory")).toEqual({ distance: 13, isDetour: false });
  expect(of("asked", "untrusted", "user")).toEqual({ distance: 25, isDetour: false });
  expect(of("asked", "untrusted")).toEqual({ distance: 50, isDetour: true });
  expect(of("unknown")).toEqual({ distance: 25, isDetour: false });
  expect(of("unknown", "nowhere")).toEqual({ distance: 63, isDetour: true });
  expect(of("not-asked", "user")).toEqual({ distance: 50, isDetour: true });
  expect(of("not-asked")).toEqual({ distance: 100, isDetour: true });
  expect(driftOf({ intent: "unknown", traced: [], isBlind: true })).toBeUndefined();
});

test("it is always between 0 and 100, and no value from further away brings a call nearer", () => {
  const order: readonly Source[] = ["user", "trusted", "nowhere", "untrusted"];
  const sources = fc.array(fc.constantFrom(...order), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom("asked" as const, "unknown" as const, "not-asked" as const), sources, fc.nat(5), (intent, all, at) => {
      const distanceOf = (each: readonly Source[]): number => driftOf({ intent, traced: each.map(traced), isBlind: false })?.distance ?? -1;
      const index = at % all.length;
      const further = all.map((source, place) => (place === index ? (order[Math.min(3, order.indexOf(source) + 1)] as Source) : source));
      expect(distanceOf(all)).toBeGreaterThanOrEqual(0);
      expect(distanceOf(further)).toBeLessThanOrEqual(100);
      expect(distanceOf(further)).toBeGreaterThanOrEqual(distanceOf(all));
    }),
  );
});
