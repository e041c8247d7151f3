import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { groupsCovered, groupsWanted } from "./one-of-each.ts";

const all = ["finance", "legal", "security"];

/** By trying every way to let each person stand for one of their groups, or for none. */
function mostCovered(groups: readonly string[], people: readonly (readonly string[])[]): number {
  const [first, ...rest] = people;
  if (first === undefined) return 0;
  const without = mostCovered(groups, rest);
  const ways = first.filter((group) => groups.includes(group));
  return Math.max(
    without,
    ...ways.map(
      (group) =>
        1 +
        mostCovered(
          groups.filter((each) => each !== group),
          rest,
        ),
    ),
  );
}

test("people make room for each other: who may stand for two groups stands for the one that needs them", () => {
  expect(groupsWanted(all, [])).toEqual(all);
  expect(groupsWanted(all, [["finance", "security"]])).toEqual(all);
  expect(groupsWanted(all, [["finance", "security"], ["finance"]])).toEqual(["legal"]);
  expect(groupsWanted(all, [["finance"], ["finance"]])).toEqual(["legal", "security"]);
  expect(groupsWanted(all, [["finance", "security"], ["finance", "legal"], ["finance"]])).toEqual([]);
  expect(groupsWanted(all, [all])).toEqual(all);
  expect(groupsWanted(all, [["other"]])).toEqual(all);
});

test(
  verifies("AUTH-07", "as many groups as can be have a person of their own, whoever came first, and never more than there are people"),
  () => {
    const people = fc.array(fc.subarray([...all, "other"]), { maxLength: 5 });
    fc.assert(
      fc.property(people, fc.subarray(all, { minLength: 1 }), (given, groups) => {
        const covered = groupsCovered(groups, given);
        expect(covered).toBe(mostCovered(groups, given));
        expect(covered).toBeLessThanOrEqual(given.length);
        expect(groupsWanted(groups, given).length === 0).toBe(covered === groups.length);
        expect(groupsCovered(groups, given.toReversed())).toBe(covered);
        for (const group of groupsWanted(groups, given)) expect(groupsCovered(groups, [...given, [group]])).toBe(covered + 1);
      }),
    );
  },
);
