import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { codeOf, shopBox } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import type { Answer } from "../domain/outcome.ts";
import { tool } from "../registry/define.ts";
import { startTestServer, type TestServer } from "../store/postgres.fixture.ts";
import type { SignalboxOptions } from "./box/options.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-set-"));
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const roles = { support: ["*"] };
const waived = { id: "waived", on: "order.refund", effect: "allow", waives: "tier" };
const limits = { rateBurstCalls: 10_000, sessionCallsMax: 10_000, sessionDenialsMax: 1_000 };
const dailySum = { id: "daily-sum", on: "order.refund", sum: "args.amount", max: 100, per: "24h" };

const refund = (orderId: string, amount: number) => ({ tool: "order.refund", arguments: { orderId, amount } });
const get = (orderId: string) => ({ tool: "order.get", arguments: { orderId } });
const kinds = (answers: readonly Answer[]): readonly string[] => answers.map((answer) => codeOf(answer) ?? answer.outcome.kind);
const messageOf = ({ outcome }: Answer): string => ("error" in outcome ? outcome.error.message : "");

const libraryLike = {
  tenant: "acme",
  actsFor: ["*"],
  approves: [],
  administers: false,
  words: "attested",
  authenticatedAtMs: undefined,
} as const;

/** A shop, and how to make calls of it as a set. */
async function setBox(options: SignalboxOptions = {}) {
  const made = await shopBox({ limits, policy: { roles, rules: [waived] }, ...options });
  return { ...made, together: async (calls: readonly object[]) => await made.session.turn({ allOrNothing: true }).answers("plain", calls) };
}

describe("calls that run together or not at all", () => {
  it(verifies("AUTH-18", "all run where nothing speaks against them, and each intent names the set"), async () => {
    const { box, together, shop } = await setBox();
    const answers = await together([get("A-1"), refund("A-1", 1), refund("A-2", 2)]);
    expect(kinds(answers)).toEqual(["completed", "completed", "completed"]);
    expect(shop.refunds).toHaveLength(2);
    const intents = (await box.trail({ tenant: "acme", limit: 100 })).filter(({ entry }) => entry.kind === "call-intended");
    const sets = intents.map(({ body }) => (body as { decision: { reasons: { rule: string }[] } }).decision.reasons.at(-1)?.rule);
    expect(sets).toHaveLength(3);
    expect(new Set(sets).size).toBe(1);
    expect(sets[0]).toMatch(/^set:set_/);
    await box.close();
  });

  it(verifies("AUTH-18", "none runs where one is refused for itself, wherever it stands in the set"), async () => {
    const deny = { id: "no-big", on: "order.refund", when: "args.amount > 50.0", effect: "deny" };
    for (const refused of [
      { call: refund("A-2", 60), code: "PERMISSION_DENIED" },
      { call: { tool: "order.refund", arguments: { orderId: "A-2" } }, code: "ARGUMENTS_INVALID" },
      { call: { tool: "order.nothing", arguments: {} }, code: "TOOL_NOT_FOUND" },
    ])
      for (const calls of [
        [refused.call, refund("A-1", 1), get("A-1")],
        [refund("A-1", 1), get("A-1"), refused.call],
      ]) {
        const { box, together, shop } = await setBox({ policy: { roles, rules: [waived, deny] } });
        const answers = await together(calls);
        expect(kinds(answers).toSorted()).toEqual([refused.code, "SET_REFUSED", "SET_REFUSED"].toSorted());
        expect(messageOf(answers[1] as Answer)).toContain(`was refused (${refused.code}); mend that call or leave it out`);
        expect(shop.refunds).toEqual([]);
        const entries = await box.trail({ tenant: "acme", limit: 100 });
        expect(entries.filter(({ entry }) => entry.kind === "call-intended")).toEqual([]);
        expect(entries.filter(({ entry }) => entry.kind === "call-denied")).toHaveLength(3);
        await box.close();
      }
  });

  it(verifies("AUTH-18", "none runs where they would together complete a combination that separation forbids"), async () => {
    const reader = (source: string) =>
      tool({
        name: `${source}.read`,
        tier: "read",
        source,
        description: `Read from ${source}.`,
        input: z.object({ id: z.string() }),
        run: ({ id }) => {
          ran.push(source);
          return id;
        },
      });
    const ran: string[] = [];
    for (const effect of ["deny", "ask"]) {
      const separation = [{ id: "apart", classes: { finance: "erp.*", hr: "hr.*" }, effect }];
      const { box, together, session } = await setBox({ tools: [reader("erp"), reader("hr")], policy: { roles, separation } });
      const both = await together([
        { tool: "erp.read", arguments: { id: "1" } },
        { tool: "hr.read", arguments: { id: "1" } },
      ]);
      expect(kinds(both)).toEqual(["SET_REFUSED", "PERMISSION_DENIED"]);
      expect(messageOf(both[1] as Answer)).toContain("the rule `apart` keeps apart what this call would bring together, together with");
      expect(ran).toEqual([]);
      // Nothing was claimed: either of them may still be read.
      expect((await session.turn().call({ tool: "hr.read", arguments: { id: "1" } })).outcome.kind).toBe("completed");
      expect(ran.splice(0)).toEqual(["hr"]);
      await box.close();
    }
  });

  it(verifies("AUTH-18", "none runs where they would together exceed a budget or a sum, and what was free stays free"), async () => {
    const { box, together, turn, shop } = await setBox({ policy: { roles, rules: [waived], sequences: [dailySum] } });
    expect(kinds(await together([refund("A-1", 60), refund("A-2", 41)]))).toEqual(["SET_REFUSED", "BUDGET_EXCEEDED"]);
    expect(shop.refunds).toEqual([]);
    expect((await turn.call(refund("A-1", 100))).outcome.kind).toBe("completed");
    await box.close();
    const budgets = { session: { calls: 2 } };
    const small = await setBox({ policy: { roles, rules: [waived], budgets } });
    expect(kinds(await small.together([refund("A-1", 1), refund("A-2", 1), get("A-1")]))).toEqual([
      "SET_REFUSED",
      "SET_REFUSED",
      "BUDGET_EXCEEDED",
    ]);
    expect(kinds(await small.together([refund("A-1", 1), get("A-1")]))).toEqual(["completed", "completed"]);
    await small.box.close();
  });

  it("asks nobody: a call that needs a person's answer is no part of a set", async () => {
    const { box, together, shop } = await setBox({ policy: { roles } });
    const answers = await together([get("A-1"), refund("A-1", 80)]);
    expect(kinds(answers)).toEqual(["SET_REFUSED", "SET_REFUSED"]);
    expect(messageOf(answers[1] as Answer)).toContain("has to wait first");
    expect(await box.approvals.list({ tenant: "acme", limit: 10 })).toEqual([]);
    expect(shop.refunds).toEqual([]);
    await box.close();
  });

  it("refuses the same call twice, and answers a set that is delivered again as before", async () => {
    const { box, together, shop } = await setBox();
    expect(kinds(await together([refund("A-1", 1), refund("A-1", 1)]))).toEqual(["SET_REFUSED", "SET_REFUSED"]);
    const calls = [
      { ...refund("A-1", 1), key: "one" },
      { ...refund("A-2", 2), key: "two" },
    ];
    const [first, again] = [await together(calls), await together(calls)];
    expect(kinds(again)).toEqual(["completed", "completed"]);
    expect(again.map(({ callId }) => callId)).toEqual(first.map(({ callId }) => callId));
    expect(shop.refunds).toHaveLength(2);
    await box.close();
  });

  it(
    "answers a set as before also in another process, which takes its calls for new until it has looked",
    { timeout: 60_000 },
    async () => {
      const shared = { store: (await server.newDatabase()) as `postgres://${string}`, keys: join(folder, "again.keys") };
      // Each of them would still fit in beside what was done, the two together would not: only who looks first knows them for the same.
      const options = { ...shared, policy: { roles, rules: [waived], sequences: [{ ...dailySum, max: 160 }] } };
      const calls = [
        { ...refund("A-1", 60), id: "c1" },
        { ...refund("A-2", 30), id: "c2" },
      ];
      const first = await setBox(options);
      const here = await first.session.turn({ id: "t1", allOrNothing: true }).answers("plain", calls);
      const second = await setBox({ ...options, clock: first.clock, shop: first.shop } as never);
      const same = await second.box.resume(first.session.id, { ...libraryLike, id: "library" });
      const there = await same.turn({ id: "t1", allOrNothing: true }).answers("plain", calls);
      expect(kinds(there)).toEqual(["completed", "completed"]);
      expect(there.map(({ callId }) => callId)).toEqual(here.map(({ callId }) => callId));
      expect(first.shop.refunds).toHaveLength(2);
      await first.box.close();
      await second.box.close();
    },
  );

  const stores = {
    memory: () => Promise.resolve({}),
    sqlite: (run: number) => Promise.resolve({ store: `sqlite:${join(folder, `${run}.db`)}`, keys: join(folder, `${run}.keys`) } as const),
    postgres: async (run: number) =>
      ({ store: (await server.newDatabase()) as `postgres://${string}`, keys: join(folder, `pg-${run}.keys`) }) as const,
  };
  for (const [name, open] of Object.entries(stores)) {
    it(
      verifies("AUTH-18", `sets that race each run whole or not at all, and never exceed the sum: ${name}`),
      { timeout: 60_000 },
      async () => {
        let run = 0;
        const amounts = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 4 }), { minLength: 2, maxLength: 6 });
        const property = fc.asyncProperty(amounts, async (sets) => {
          run += 1;
          const { box, session, shop } = await setBox({ ...(await open(run)), policy: { roles, rules: [waived], sequences: [dailySum] } });
          const answers = await Promise.all(
            sets.map(async (set, index) => {
              const calls = set.map((amount, place) => ({
                ...refund("A-1", amount + (index * 10 + place) / 1_000),
                key: `${index}-${place}`,
              }));
              return await session.turn({ allOrNothing: true }).answers("plain", calls);
            }),
          );
          for (const set of answers) expect(new Set(set.map(({ outcome }) => outcome.kind === "completed")).size).toBe(1);
          const done = answers.flat().filter(({ outcome }) => outcome.kind === "completed");
          expect(shop.refunds).toHaveLength(done.length);
          expect(shop.refunds.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(100);
          await box.close();
        });
        await fc.assert(property, { numRuns: name === "memory" ? 40 : 6 });
      },
    );
  }
});
