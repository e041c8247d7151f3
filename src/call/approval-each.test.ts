/** Approvals that want a person of each of several groups. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shop, shopBox } from "../../test/support/box.ts";
import { settled } from "../../test/support/manual-clock.ts";
import { world } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import { groupsCovered } from "../approvals/one-of-each.ts";
import type { Credential } from "../domain/principal.ts";

const both = ["finance", "security"] as const;
const rule = { id: "both-houses", on: "order.refund", effect: "ask", approvers: { all: both } };
const withRules = (...rules: readonly object[]): object => ({ roles: { support: ["order.*"] }, rules });
const policy = withRules(rule);
const large = { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } };

function keyOf(user: string, groups: readonly string[], key = 1): Credential {
  return { ...lead, id: `key-${user}-${key}`, approves: groups, person: { user, roles: ["support"], attributes: { region: "eu" } } };
}

async function asked(given: object = policy) {
  const made = await shopBox({ policy: given });
  const id = approvalIdOf(await made.turn.call(large));
  const answer = async (credential: Credential, more: object = {}): Promise<string> =>
    await made.box.approvals.decide(id, { approve: true, by: credential.id, ...more }, credential).then(
      ({ approval }) => approval.state,
      (error: Error) => error.message,
    );
  return { ...made, id, answer, get: () => made.box.approvals.get(id, "acme") };
}

test(verifies("AUTH-07", "each group has to agree by a person of its own: two of one are not enough, nor is one of both"), async () => {
  const { box, answer, get, shop: made } = await asked();
  expect(await get()).toMatchObject({ approvers: both, quorum: 2, isOfEach: true, wanted: both });
  expect(await answer(keyOf("tom", ["approver"]))).toMatch(/wants each of the groups `finance`, `security`/);
  expect(await answer(keyOf("eve", ["finance"]))).toBe("pending");
  expect((await get()).wanted).toEqual(["security"]);
  expect(await answer(keyOf("joe", ["finance"]))).toBe(
    "your groups have answered already; this approval still wants somebody of `security`",
  );
  expect(await answer(keyOf("eve", ["finance", "security"], 2))).toMatch(/another must/);
  expect(made.refunds).toEqual([]);
  expect(await answer(keyOf("kim", ["security"]))).toBe("used");
  expect(made.refunds).toHaveLength(1);
  expect((await get()).answers.map(({ by, groups }) => [by, groups])).toEqual([
    ["eve", ["finance"]],
    ["kim", ["security"]],
  ]);
  const decided = (await box.trail({ tenant: "acme", limit: 50 })).filter(({ entry }) => entry.kind === "approval-decided");
  expect(decided.map(({ body }) => body)).toMatchObject([{ groups: ["finance"], state: "pending" }, { groups: ["security"] }]);
  await box.close();
});

test(
  verifies("AUTH-07", "who is of both groups answers for one of them, and leaves the other to whoever comes, in any order"),
  async () => {
    for (const first of [true, false])
      for (const other of both) {
        const { box, answer, get, shop: made } = await asked();
        const people = [keyOf("eve", both), keyOf("kim", [other])];
        const [one, two] = first ? people : people.toReversed();
        expect(await answer(one as Credential)).toBe("pending");
        expect((await get()).wanted).toEqual(first ? both : both.filter((group) => group !== other));
        expect(await answer(two as Credential)).toBe("used");
        expect(made.refunds).toHaveLength(1);
        await box.close();
      }
  },
);

test("a no of either group is enough, and a changed call wants everybody anew", async () => {
  const refused = await asked();
  expect(await refused.answer(keyOf("eve", ["finance"]))).toBe("pending");
  expect(await refused.answer(keyOf("kim", ["security"]), { approve: false })).toBe("rejected");
  expect(refused.shop.refunds).toEqual([]);
  await refused.box.close();
  const changed = await asked();
  await changed.answer(keyOf("eve", ["finance"]));
  expect(await changed.answer(keyOf("kim", ["security"]), { arguments: { orderId: "A-1", amount: 70 } })).toBe("pending");
  const { effectiveDigest: digest, wanted } = await changed.get();
  expect(wanted).toEqual(["finance"]);
  expect(await changed.answer(keyOf("eve", ["finance"]), { digest })).toBe("used");
  expect(changed.shop.refunds.map(({ amount }) => amount)).toEqual([70]);
  await changed.box.close();
});

test(verifies("AUTH-07", "rules that ask together are each heard, or the call is refused"), async () => {
  const more = (approvers: unknown, quorum?: number): object => ({ id: "more", on: "order.refund", effect: "ask", approvers, quorum });
  const cases: readonly (readonly [object, object | undefined])[] = [
    [more({ all: ["finance", "legal"] }), { approvers: ["finance", "legal", "security"], quorum: 3, isOfEach: true }],
    // One of the two is of finance already.
    [more(["finance", "board"]), { approvers: both, quorum: 2, isOfEach: true }],
    [more(undefined, 3), { approvers: both, quorum: 3, isOfEach: true }],
    [more([...both, "board"], 3), { approvers: both, quorum: 3, isOfEach: true }],
    // Nobody would have to be of the board, and only one of finance.
    [more(["board"]), undefined],
    [more(["finance", "board"], 2), undefined],
  ];
  for (const [second, expected] of cases)
    for (const rules of [
      [rule, second],
      [second, rule],
    ]) {
      const { box, turn } = await shopBox({ policy: withRules(...(JSON.parse(JSON.stringify(rules)) as object[])) });
      const answer = await turn.call(large);
      if (expected === undefined) expect(codeOf(answer)).toBe("PERMISSION_DENIED");
      else expect(await box.approvals.get(approvalIdOf(answer), "acme")).toMatchObject(expected);
      await box.close();
    }
});

test("a third person is taken where more people than groups have to agree, also of a group that has answered", async () => {
  const { box, answer } = await asked(withRules(rule, { id: "three", on: "order.refund", effect: "ask", quorum: 3 }));
  expect(await answer(keyOf("eve", ["finance"]))).toBe("pending");
  expect(await answer(keyOf("joe", ["finance"]))).toBe("pending");
  expect(await answer(keyOf("zoe", ["finance"]))).toMatch(/still wants somebody of `security`/);
  expect(await answer(keyOf("kim", ["security"]))).toBe("used");
  await box.close();
});

test(verifies("AUTH-07", "an approval that anybody could give does not hold where by now each group has to agree"), async () => {
  const before = { ...rule, approvers: both, quorum: 2 };
  const { box, answer, get, turn, shop: made } = await asked(withRules(before));
  await answer(keyOf("eve", ["finance"]));
  await box.activatePolicy(policy, "operator");
  expect(await answer(keyOf("joe", ["finance"]))).toBe("void");
  expect(made.refunds).toEqual([]);
  expect((await get()).isOfEach).toBeUndefined();
  const [anew] = await box.approvals.list({ tenant: "acme", state: "pending", limit: 10 });
  expect(anew).toMatchObject({ isOfEach: true, wanted: both });
  expect((await turn.call(large)).outcome.kind).toBe("pending");
  await box.close();
});

test(
  verifies(
    "AUTH-07",
    "whatever people answer at once in two processes, the call runs only if each group has a person of its own among them",
  ),
  async () => {
    const person = fc.record({
      user: fc.constantFrom("ada", "eve", "joe", "kim"),
      groups: fc.subarray(["finance", "legal", "security"]),
      here: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(person, { maxLength: 6 }), async (given) => {
        const shared = world(withRules({ ...rule, approvers: { all: ["finance", "legal", "security"] } }));
        const made = shop();
        const first = await shopBox({ ...shared, shop: made });
        const second = await shopBox({ ...shared, shop: made });
        const id = approvalIdOf(await first.turn.call(large));
        await Promise.allSettled(
          given.map(({ user, groups, here }, index) =>
            (here ? first : second).box.approvals.decide(id, { approve: true, by: user }, keyOf(user, groups, index)),
          ),
        );
        await settled();
        const { state, answers, approvers } = await first.box.approvals.get(id, "acme");
        const people = new Set(answers.map(({ by }) => by));
        expect(people.size).toBe(answers.length);
        expect(people.has("ada")).toBe(false);
        const isAgreed =
          groupsCovered(
            approvers,
            answers.map(({ groups }) => groups ?? []),
          ) === 3;
        expect(state).toBe(isAgreed ? "used" : "pending");
        expect(made.refunds).toHaveLength(isAgreed ? 1 : 0);
      }),
      { numRuns: 60 },
    );
  },
  30_000,
);
