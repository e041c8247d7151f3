import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { tiers } from "../domain/tool.ts";
import { admissionPolicies, judgeDefinition, type AdmissionFacts } from "./admission.ts";

const facts: fc.Arbitrary<AdmissionFacts> = fc.record({
  policy: fc.constantFrom(...admissionPolicies),
  tier: fc.constantFrom(...tiers),
  digest: fc.constantFrom("a", "b"),
  admittedDigest: fc.constantFrom("a", "b", undefined),
  problems: fc.constantFrom([], ["a hidden character"]),
});

describe("judging a definition from a source", () => {
  it(verifies("REG-08", "REG-16", "never lets a changed definition pass, under any policy"), () => {
    fc.assert(
      fc.property(facts, (given) => {
        const isChanged = given.admittedDigest !== undefined && given.admittedDigest !== given.digest;
        if (isChanged) expect(["waits", "refused"]).toContain(judgeDefinition(given).kind);
      }),
    );
  });

  it("never lets a definition with problems pass", () => {
    fc.assert(
      fc.property(facts, (given) => {
        if (given.problems.length > 0) expect(judgeDefinition(given).kind).toBe("refused");
      }),
    );
  });

  it("admits no more under a narrower policy than under a wider one", () => {
    const passes = (given: AdmissionFacts): boolean => ["admit", "admitted"].includes(judgeDefinition(given).kind);
    fc.assert(
      fc.property(facts, (given) => {
        const [review, reads, all] = admissionPolicies.map((policy) => passes({ ...given, policy }));
        expect([!review || reads, !reads || all]).toEqual([true, true]);
      }),
    );
  });

  it(verifies("REG-16", "admits new reads by `reads`, every new tool by `all`, and none by `review`"), () => {
    const fresh = { digest: "a", admittedDigest: undefined, problems: [] };
    expect(judgeDefinition({ ...fresh, policy: "reads", tier: "read" })).toEqual({ kind: "admit" });
    expect(judgeDefinition({ ...fresh, policy: "reads", tier: "reversible" })).toEqual({ kind: "waits", why: "new" });
    expect(judgeDefinition({ ...fresh, policy: "all", tier: "privileged" })).toEqual({ kind: "admit" });
    expect(judgeDefinition({ ...fresh, policy: "review", tier: "read" })).toEqual({ kind: "waits", why: "new" });
    expect(judgeDefinition({ ...fresh, policy: "review", tier: "read", admittedDigest: "a" })).toEqual({ kind: "admitted" });
  });
});
