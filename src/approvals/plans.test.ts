import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { PlanStep, PlanValue } from "../domain/plan.ts";
import { fitStep, microsOf } from "./plans.ts";
import { readProposal } from "./plan-proposal.ts";

function step(args: Readonly<Record<string, PlanValue>>, more: Partial<PlanStep> = {}): PlanStep {
  return { tool: "t", arguments: args, callsMax: 1, ...more };
}

describe("fitStep", () => {
  it.each([
    [{ to: { is: "a" } }, { to: "a" }, true],
    [{ to: { is: "a" } }, { to: "A" }, false],
    [{ to: { is: "a" } }, {}, false],
    [{ to: { is: "a" } }, { to: "a", cc: "b" }, false],
    [{ to: { is: { x: 1, y: [2] } } }, { to: { y: [2], x: 1 } }, true],
    [{ to: { oneOf: ["a", "b"] } }, { to: "b" }, true],
    [{ to: { oneOf: ["a", "b"] } }, { to: ["a", "b"] }, false],
    [{ n: { atMost: 5 } }, { n: 5 }, true],
    [{ n: { atMost: 5 } }, { n: 5.000001 }, false],
    [{ n: { atMost: 5 } }, { n: -1 }, false],
    [{ n: { atMost: 5 } }, { n: "1" }, false],
    [{ n: { any: true } }, {}, true],
    [{ constructor: { any: true } }, {}, true],
    [{}, { toString: "x" }, false],
  ] as const)("%j fits %j: %j", (allowed, args, fits) => {
    expect(fitStep(step(allowed), args as unknown as JsonObject) !== undefined).toBe(fits);
  });

  test(verifies("AUTH-09", "never vouches for a value that the step does not name exactly"), () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const value = fc.oneof(
      leaf.map((is) => ({ is })),
      fc.array(leaf, { minLength: 1 }).map((oneOf) => ({ oneOf })),
      fc.nat().map((atMost) => ({ atMost })),
      fc.constant({ any: true as const }),
    );
    const name = fc.constantFrom("a", "b", "c", "__proto__x", "constructor");
    fc.assert(
      fc.property(
        fc.dictionary(name, value, { noNullPrototype: true }),
        fc.dictionary(name, leaf, { noNullPrototype: true }),
        (allowed, args) => {
          const fit = fitStep(step(allowed), args as JsonObject);
          for (const each of fit?.named ?? []) {
            const foreseen = allowed[each] as { readonly is?: Json; readonly oneOf?: readonly Json[] };
            expect([foreseen.is, ...(foreseen.oneOf ?? [])]).toContainEqual(args[each]);
          }
          if (fit !== undefined) for (const each of Object.keys(args)) expect(Object.hasOwn(allowed, each)).toBe(true);
        },
      ),
    );
  });

  it("wants a total that can be summed exactly", () => {
    const summed = step({ n: { atMost: 9 } }, { total: { argument: "n", max: 9 } });
    expect(fitStep(summed, { n: 0.1 })?.totalMicros).toBe(100_000);
    expect(fitStep(summed, { n: 0.000_000_1 })).toBeUndefined();
    expect(fitStep(summed, { n: 1e300 })).toBeUndefined();
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e12 }), (micros) => microsOf(micros / 1_000_000) === micros));
  });
});

describe("readProposal", () => {
  const good = { tool: "t", arguments: { a: { is: 1 } } };
  it("fills in what a plan leaves out", () => {
    expect(readProposal({ goal: "g", steps: [good] }, defaultLimits)).toEqual({
      goal: "g",
      holdsMs: defaultLimits.planHoldsMs,
      steps: [{ ...good, callsMax: 1 }],
    });
  });

  it.each([
    [null, /an object/],
    [{ goal: "g", steps: [good], more: 1 }, /no `more`/],
    [{ goal: "", steps: [good] }, /`goal`/],
    [{ goal: "x".repeat(defaultLimits.planGoalCharsMax + 1), steps: [good] }, /1 to 500/],
    [{ goal: "g", steps: [] }, /1 to 20 steps/],
    [{ goal: "g", steps: Array.from({ length: defaultLimits.planStepsMax + 1 }, () => good) }, /1 to 20 steps/],
    [{ goal: "g", steps: [good], holdsMs: defaultLimits.planHoldsMsMax + 1 }, /`holdsMs`/],
    [{ goal: "g", steps: [{ ...good, callsMax: 0 }] }, /step 1: `callsMax`/],
    [{ goal: "g", steps: [{ ...good, callsMax: defaultLimits.planStepCallsMax + 1 }] }, /1 to 1000/],
    [{ goal: "g", steps: [{ ...good, version: "1" }] }, /no `version`/],
    [{ goal: "g", steps: [{ tool: "", arguments: {} }] }, /`tool`/],
    [{ goal: "g", steps: [{ tool: "t", arguments: [] }] }, /`arguments`/],
    [{ goal: "g", steps: [{ tool: "t", arguments: { a: { is: 1, any: true } } }] }, /`a` is one of/],
    [{ goal: "g", steps: [{ tool: "t", arguments: { a: { atMost: -1 } } }] }, /`a` is one of/],
    [{ goal: "g", steps: [{ tool: "t", arguments: { a: { any: false } } }] }, /`a` is one of/],
    [{ goal: "g", steps: [{ ...good, total: { argument: "a", max: -1 } }] }, /`total`/],
    [{ goal: "g", steps: [{ tool: "t", arguments: { a: { is: "x".repeat(defaultLimits.planBytesMax) } } }] }, /bytes long/],
  ])("refuses %.60j", (raw, words) => {
    expect(readProposal(raw, defaultLimits)).toEqual({ problem: expect.stringMatching(words) as string });
  });
});
