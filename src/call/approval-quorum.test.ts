import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { approvalIdOf, lead, shop, shopBox } from "../../test/support/box.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { world } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import type { Credential } from "../domain/principal.ts";

const rules = [{ id: "two-of-us", on: "order.refund", effect: "ask", approvers: ["finance"], quorum: 2 }];
const policy = { roles: { support: ["order.*"] }, rules };
const large = { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } };

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A key of somebody: people may have several, and some keys do not say whose they are. */
function keyOf(user: string | undefined, key: number, groups: readonly string[] = ["finance"]): Credential {
  const person = user === undefined ? undefined : { user, roles: [], attributes: {} };
  return { ...lead, id: `key-${user ?? "nobody"}-${key}`, approves: groups, ...(person !== undefined && { person }) };
}

test(
  verifies("AUTH-07", "two people are two people: not two keys of one, not a key that says nobody, never the one who asked"),
  async () => {
    const { box, turn, shop: made } = await shopBox({ policy });
    const id = approvalIdOf(await turn.call(large));
    const answer = async (credential: Credential, by = credential.id): Promise<string> =>
      await box.approvals.decide(id, { approve: true, by }, credential).then(
        ({ approval }) => approval.state,
        (error: Error) => error.message,
      );
    expect(await answer(keyOf("ada", 1))).toMatch(/the person who asked/);
    expect(await answer(keyOf("eve", 1, ["approver"]))).toMatch(/wants one of the groups/);
    expect(await answer(keyOf(undefined, 1))).toMatch(/whose it is/);
    expect(await answer(keyOf("eve", 1))).toBe("pending");
    expect(await answer(keyOf("eve", 2))).toMatch(/another must/);
    expect(await answer(keyOf("eve", 2), "joe")).toMatch(/another must/);
    expect(await answer(keyOf(undefined, 2), " EVE")).toMatch(/another must/);
    expect(await answer(keyOf(undefined, 3), "Ada")).toMatch(/the person who asked/);
    expect(made.refunds).toHaveLength(0);
    expect(await answer(keyOf("joe", 1))).toBe("used");
    expect(made.refunds).toHaveLength(1);
    await box.close();
  },
);

test(verifies("AUTH-07", "the first yes of two outlives a restart"), async () => {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-quorum-"));
  folders.push(folder);
  const store = `sqlite:${join(folder, "box.db")}` as const;
  const [clock, made] = [manualClock(), shop()];
  const first = await shopBox({ store, policy, shop: made, clock });
  const id = approvalIdOf(await first.turn.call(large));
  await first.box.approvals.decide(id, { approve: true, by: "eve" }, keyOf("eve", 1));
  await first.box.close();
  const second = await shopBox({ store, policy, shop: made, clock });
  await expect(second.box.approvals.decide(id, { approve: true, by: "eve" }, keyOf("eve", 2))).rejects.toMatchObject({
    code: "APPROVAL_INVALID",
  });
  expect(made.refunds).toHaveLength(0);
  await second.box.approvals.decide(id, { approve: true, by: "joe" }, keyOf("joe", 1));
  expect(made.refunds).toHaveLength(1);
  await second.box.close();
});

test(
  verifies(
    "AUTH-07",
    "whatever people answer at once in two processes, the call runs at most once and only for two yeses of different people",
  ),
  async () => {
    const user = fc.constantFrom("ada", "eve", "joe", "kim", undefined);
    const answers = fc.array(fc.record({ user, key: fc.integer({ min: 1, max: 2 }), approve: fc.boolean(), here: fc.boolean() }), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(answers, async (given) => {
        const shared = world(policy);
        const made = shop();
        const first = await shopBox({ ...shared, shop: made });
        const second = await shopBox({ ...shared, shop: made });
        const id = approvalIdOf(await first.turn.call(large));
        await Promise.allSettled(
          given.map(({ user: by, key, approve, here }) =>
            (here ? first : second).box.approvals.decide(id, { approve, by: by ?? `key-nobody-${key}` }, keyOf(by, key)),
          ),
        );
        const { state, answers: counted } = await first.box.approvals.get(id, "acme");
        const people = new Set(counted.filter(({ approve }) => approve).map(({ by }) => by));
        const couldBe = new Set(given.flatMap(({ user: by, approve }) => (approve && by !== undefined && by !== "ada" ? [by] : [])));
        expect(made.refunds).toHaveLength(state === "used" ? 1 : 0);
        if (state === "used") expect(people.size).toBe(2);
        expect(people.has("ada")).toBe(false);
        // Nobody said no, and two could: then it must have run.
        if (couldBe.size >= 2 && given.every(({ approve }) => approve)) expect(state).toBe("used");
      }),
      { numRuns: 40 },
    );
  },
);
