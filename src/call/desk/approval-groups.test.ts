import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, codeOf, lead, shopBox } from "../../../test/support/box.ts";
import { world } from "../../../test/support/shared-world.ts";
import { verifies } from "../../../test/verifies.ts";
import { groupApprovals, refuseGroup } from "../../approvals/groups.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Approval } from "../../domain/approval.ts";
import type { Answer } from "../../domain/outcome.ts";
import { tool } from "../../registry/define.ts";
import { libraryCredential } from "../box/signalbox.ts";

const policy = { roles: { support: ["order.*"] } };
const said = "refund orders A-1, A-2 and A-3: 80, 81, 82";

async function groupBox(limits = {}) {
  const made = await shopBox({ policy, limits });
  const turn = made.session.turn({ said });
  const ask = (amount: number, orderId = "A-1"): Promise<Answer> => turn.call({ tool: "order.refund", arguments: { orderId, amount } });
  return { ...made, ask, groups: () => made.box.approvals.groups({ tenant: "acme" }) };
}

const yes = { approve: true, by: "eve" };

describe("questions that belong together", () => {
  test(verifies("AUTH-07", "are answered as a group: exactly the members of its digest run, a later one waits"), async () => {
    const { box, ask, groups, shop } = await groupBox();
    const ids = [approvalIdOf(await ask(80)), approvalIdOf(await ask(81, "A-2"))];
    const [group] = await groups();
    expect(group).toMatchObject({ tool: "order.refund", user: "ada", rules: ["tier:irreversible"] });
    const later = approvalIdOf(await ask(82, "A-3"));
    const answers = await box.approvals.decideGroup({ digest: group?.digest ?? "", members: ids, ...yes }, lead);
    expect(answers.map((each) => each.kind === "answered" && each.answer?.outcome.kind)).toEqual(["completed", "completed"]);
    expect(new Set(shop.refunds.map(({ amount }) => amount))).toEqual(new Set([80, 81]));
    expect((await box.approvals.get(later, "acme")).state).toBe("pending");
    expect(await groups()).toEqual([]);
    const decided = (await box.trail({ tenant: "acme", limit: 100 })).filter(({ entry }) => entry.kind === "approval-decided");
    expect(decided.map(({ body }) => (body as { readonly group: string }).group)).toEqual([group?.digest, group?.digest]);
    await box.close();
  });

  test(verifies("AUTH-07", "are not answered at all once one of them was answered, changed or swapped"), async () => {
    const { box, ask, groups, shop } = await groupBox();
    const [first, second, third] = [approvalIdOf(await ask(80)), approvalIdOf(await ask(81, "A-2")), approvalIdOf(await ask(82, "A-3"))];
    const [group] = await groups();
    const digest = group?.digest ?? "";
    const attempts = [
      [first, second],
      [first, second, third, "apr_x"],
      [first, first, second],
    ] as const;
    for (const members of attempts) await expect(box.approvals.decideGroup({ digest, members, ...yes }, lead)).rejects.toThrow();
    await box.approvals.decide(third, { approve: false, by: "eve" }, lead);
    await expect(box.approvals.decideGroup({ digest, members: [first, second, third], ...yes }, lead)).rejects.toMatchObject({
      code: "APPROVAL_INVALID",
    });
    expect(shop.refunds).toHaveLength(0);
    await box.close();
  });

  it("stand apart where the reasons, the tool or the conversation differ, and where a call is privileged", async () => {
    const wipe = tool({ name: "order.wipe", tier: "privileged", description: "Wipe.", input: z.object({ id: z.string() }), run: () => "" });
    const { box, session } = await shopBox({ policy, tools: [wipe] });
    const turn = session.turn({ said });
    const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
    approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
    // The user did not say this one: another reason.
    approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-77", amount: 81 } }));
    approvalIdOf(await other.turn({ said }).call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
    for (const id of ["1", "2"]) approvalIdOf(await turn.call({ tool: "order.wipe", arguments: { id } }));
    expect(await box.approvals.groups({ tenant: "acme" })).toEqual([]);
    expect(await box.approvals.groups({ tenant: "evil" })).toEqual([]);
    await box.close();
  });

  it("hold at most `approvalGroupMax` members, and give no credential that calls a voice", async () => {
    const { box, ask, groups } = await groupBox({ approvalGroupMax: 2 });
    const ids = [approvalIdOf(await ask(80)), approvalIdOf(await ask(81, "A-2")), approvalIdOf(await ask(82, "A-3"))];
    expect((await groups()).map(({ members }) => members.length)).toEqual([2]);
    const [group] = await groups();
    const members = group?.members.map(({ id }) => id) ?? [];
    await expect(box.approvals.decideGroup({ digest: "x", members: ids, ...yes }, lead)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    const calling = { ...lead, actsFor: ["support"] };
    const answers = await box.approvals.decideGroup({ digest: group?.digest ?? "", members, ...yes }, calling);
    expect(answers.map(({ kind }) => kind)).toEqual(["refused", "refused"]);
    await box.close();
  });

  it("never make one digest out of two different lists of members", () => {
    const member = fc.record({ id: fc.constantFrom("a", "b", "c"), effectiveDigest: fc.constantFrom("1", "2") });
    const base = {
      state: "pending",
      expiresAtMs: 9,
      reasons: [],
      answers: [],
      approvers: [],
      tenant: "t",
      sessionId: "s",
      tool: "t",
      version: "1",
    };
    const full = (each: object): Approval =>
      ({ ...base, ...each, toolFingerprint: "f", gate: "approval", quorum: 1, principal: { user: "u" } }) as unknown as Approval;
    const list = fc.uniqueArray(member, { selector: ({ id }) => id, minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(list, list, (left, right) => {
        const [group] = groupApprovals(left.map(full), { nowMs: 1, membersMax: 5 });
        const isSame = JSON.stringify(left.toSorted(byId)) === JSON.stringify(right.toSorted(byId));
        return (refuseGroup(right.map(full), group?.digest ?? "", 1) === undefined) === isSame;
      }),
    );
  });
});

function byId(left: { readonly id: string }, right: { readonly id: string }): number {
  return left.id < right.id ? -1 : 1;
}

describe("a flood of questions", () => {
  test(
    verifies("AUTH-07", "is cut at so many a minute, over all sessions and processes of a user, and told to whoever judges one"),
    async () => {
      const shared = world(policy);
      const limits = { approvalAsksPerMinuteMax: 3 };
      const first = await shopBox({ ...shared, limits });
      const second = await shopBox({ ...shared, limits });
      const answers: Answer[] = [];
      for (let amount = 100; amount < 110; amount += 1)
        answers.push(await (amount % 2 === 0 ? first : second).turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount } }));
      expect(answers.filter(({ outcome }) => outcome.kind === "pending")).toHaveLength(3);
      const refused = answers.filter((answer) => codeOf(answer) === "RATE_LIMITED");
      expect(refused).toHaveLength(7);
      expect(refused[0]?.outcome).toMatchObject({
        error: { effect: "none", message: expect.stringContaining("asked people 3 times") as string },
      });
      const card = await first.box.approvals.card(approvalIdOf(answers[0] as Answer), "acme");
      expect(card.refusedAsksCount).toBe(7);
      const told = (await first.box.trail({ tenant: "acme", limit: 200 })).filter(({ entry }) => entry.kind === "asks-refused");
      expect(told.map(({ body }) => body)).toMatchObject([{ cap: "rate", user: "ada", tool: "order.refund" }]);
      const other = await first.box.session({ tenant: "acme", user: "bob", roles: ["support"] });
      expect((await other.turn().call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 1 } })).outcome.kind).toBe("pending");
      await shared.clock.advance(60_000);
      expect((await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 200 } })).outcome.kind).toBe("pending");
    },
  );

  test(verifies("AUTH-07", "is counted where too many wait: nothing is dropped silently"), async () => {
    const { box, ask } = await groupBox({ approvalsPendingMax: 2 });
    const id = approvalIdOf(await ask(80));
    await ask(81);
    expect(codeOf(await ask(82))).toBe("RATE_LIMITED");
    expect(codeOf(await ask(83))).toBe("RATE_LIMITED");
    expect((await box.approvals.card(id, "acme")).refusedAsksCount).toBe(2);
    expect((await box.trail({ tenant: "acme", limit: 200 })).filter(({ entry }) => entry.kind === "asks-refused")).toMatchObject([
      { body: { cap: "pending" } },
    ]);
    await box.close();
  });

  test(verifies("AUTH-07", "leaves every call that it cuts off to be found by its id, and one that waits goes on waiting"), async () => {
    const limits = { approvalsPendingMax: 1, deferralsPendingMax: 1 };
    const rules = [{ id: "cool", on: "order.refund", when: "args.amount == 200.0", effect: "defer", for: "10m" }];
    const { box, turn, clock } = await shopBox({ policy: { ...policy, rules }, limits });
    const refund = (orderId: string, amount: number): Promise<Answer> =>
      turn.call({ tool: "order.refund", arguments: { orderId, amount } });
    const putOff = await refund("A-1", 200);
    await refund("A-1", 80);
    for (const [refused, words] of [
      [await refund("A-1", 81), "wait for a person already"],
      [await refund("A-2", 200), "are put off already"],
    ] as const) {
      const told = await box.outcome(refused.callId, libraryCredential("acme"));
      expect(told.outcome).toMatchObject({
        kind: "failed",
        error: { code: "RATE_LIMITED", effect: "none", retryAfterMs: 60_000, message: expect.stringContaining(words) as string },
      });
      const trail = await box.trail({ tenant: "acme", callId: refused.callId, limit: 10 });
      expect(trail).toMatchObject([{ entry: { kind: "call-denied" }, body: { stage: "approve", code: "RATE_LIMITED" } }]);
    }
    // Its time has come, and then nobody can be asked: it is not lost, and asks when somebody was answered.
    const [first] = await box.approvals.list({ tenant: "acme", limit: 10 });
    await clock.advance(600_000 + 2 * defaultLimits.upkeepIntervalMs);
    expect((await box.outcome(putOff.callId, libraryCredential("acme"))).outcome).toMatchObject({ waiting: { kind: "time" } });
    await box.approvals.decide((first as Approval).id, { approve: false, by: "eve" }, lead);
    await clock.advance(2 * defaultLimits.upkeepIntervalMs);
    expect((await box.outcome(putOff.callId, libraryCredential("acme"))).outcome).toMatchObject({ waiting: { kind: "person" } });
    await box.close();
  });

  it("of a hundred at once asks no more than it may", async () => {
    const { ask, box } = await groupBox({ approvalAsksPerMinuteMax: 5, approvalsPendingMax: 100 });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(100 + index)));
    expect(answers.filter(({ outcome }) => outcome.kind === "pending")).toHaveLength(5);
    await box.close();
  });
});
