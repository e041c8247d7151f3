/** Calls that wait, on a database that two processes share: whatever both find, one of them carries out. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, lead, shopBox } from "../../test/support/box.ts";
import { whileTimePasses } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import { pendingCounter } from "../approvals/approvals.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { tool } from "../registry/define.ts";
import { startTestServer, type TestServer } from "../store/postgres.fixture.ts";
import { libraryCredential } from "./box/signalbox.ts";
import { deferredCounter } from "./deferral-rows.ts";

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), "signalbox-waits-"));
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const callCount = 12;
const names = Array.from({ length: callCount }, (_, index) => `order-${index}`);
const rules = [
  { id: "later", on: "order.ship", when: 'args.order.startsWith("later-")', effect: "defer", for: "1s" },
  { id: "free", on: "order.ship", when: 'args.order.startsWith("later-free-")', effect: "allow", waives: "tier" },
];
const policy = { roles: { support: ["order.*"] }, rules };

/** Every time that it runs is remembered: what runs twice is there twice. */
function shipping(sent: string[]): RegisteredTool {
  return tool({
    name: "order.ship",
    tier: "irreversible",
    idempotency: "key",
    description: "Ship a paid order. Not for others.",
    input: z.object({ order: z.string() }),
    run: ({ order }) => {
      sent.push(order);
      return { shipped: order };
    },
  });
}

/** Two processes on one database, and the session of one in the other. Upkeep is what the tests ask for. */
async function twoBoxes() {
  const sent: string[] = [];
  const options = {
    store: (await server.newDatabase()) as `postgres://${string}`,
    keys: join(folder, "keys"),
    policy,
    tools: [shipping(sent)],
    limits: { upkeepIntervalMs: 3_600_000, approvalsPendingMax: 100 },
  };
  const first = await shopBox(options);
  const second = await shopBox({ ...options, clock: first.clock });
  const there = (await second.box.resume(first.session.id, libraryCredential("acme"))).turn();
  const ship = (turn: typeof there, order: string) => turn.call({ tool: "order.ship", arguments: { order }, key: order });
  const agreed = async (orders: readonly string[], callsMax: number): Promise<string> => {
    const step = { tool: "order.ship", arguments: { order: { oneOf: orders } }, callsMax };
    const plan = await first.box.plans.propose({ goal: "ship what was paid", steps: [step] }, first.session);
    await second.box.plans.decide(plan.id, { approve: true, by: "eve", digest: plan.digest }, lead);
    return plan.id;
  };
  /** How often each kind of entry stands in the trail of a call. */
  const kinds = async (callId: string): Promise<readonly string[]> =>
    (await first.box.trail({ tenant: "acme", callId, limit: 50 })).map(({ entry }) => entry.kind).sort();
  const close = async (): Promise<void> => {
    const { store } = first.box;
    for (const space of ["parked", "deferral"])
      expect((await store.scan({ space, tenant: "acme", limit: 100 })).map(({ key }) => key)).toEqual([]);
    expect(await store.counters([pendingCounter("acme", "ada"), deferredCounter("acme", "ada")])).toEqual([0, 0]);
    await first.box.close();
    await second.box.close();
  };
  return { first, second, there, sent, ship, agreed, kinds, close };
}

test(
  verifies("OPS-02", "AUTH-15", "of two processes that find the same calls due at the same moment, each is carried out by one"),
  async () => {
    const { first, second, there, sent, ship, kinds, close } = await twoBoxes();
    const later = names.map((name) => `later-free-${name}`);
    const calls = await Promise.all(later.map((order, index) => ship(index % 2 === 0 ? first.turn : there, order)));
    expect(calls.map(({ outcome }) => outcome.kind)).toEqual(later.map(() => "pending"));
    await first.clock.advance(1_000);
    const sweeps = [first, second, first, second].map(({ box }) => box.recover());
    const reports = await whileTimePasses(first, Promise.all(sweeps));
    expect([...sent].sort()).toEqual([...later].sort());
    expect(reports.reduce((sum, { resumed }) => sum + resumed, 0)).toBeGreaterThanOrEqual(callCount);
    for (const { callId } of calls) expect(await kinds(callId)).toEqual(["call-deferred", "call-intended", "call-settled"]);
    await close();
  },
);

test(
  verifies("OPS-02", "AUTH-07", "calls that are approved at one process while the other sweeps run once, and none is denied"),
  async () => {
    const { first, second, sent, ship, kinds, close } = await twoBoxes();
    const calls = await Promise.all(names.map((order) => ship(first.turn, order)));
    const answers = calls.map((call) => second.box.approvals.decide(approvalIdOf(call), { approve: true, by: "eve" }, lead));
    const sweeping = (async () => {
      for (let count = 0; count < 6; count += 1) await first.box.recover();
    })();
    await whileTimePasses(first, Promise.all([...answers, sweeping]));
    expect([...sent].sort()).toEqual([...names].sort());
    for (const { callId } of calls) {
      expect(await kinds(callId)).toEqual(["approval-decided", "call-intended", "call-parked", "call-settled"]);
      expect((await first.box.outcome(callId, libraryCredential("acme"))).outcome.kind).toBe("completed");
    }
    await close();
  },
);

test(
  verifies("OPS-02", "AUTH-09", "a plan whose steps are taken from two processes lets exactly as many calls through as it foresees"),
  async () => {
    const { first, second, there, sent, ship, agreed, kinds, close } = await twoBoxes();
    const later = names.slice(0, 4).map((name) => `later-${name}`);
    const planId = await agreed([...names, ...later], 7);
    const waiting = await Promise.all(later.map((order) => ship(there, order)));
    const made = await whileTimePasses(
      first,
      Promise.all(names.slice(0, 5).map((order, index) => ship(index % 2 === 0 ? first.turn : there, order))),
    );
    expect(made.map(({ outcome }) => outcome.kind)).toEqual(made.map(() => "completed"));
    // Two are left, and in two processes four wake and seven more are made: all at once.
    await first.clock.advance(1_000);
    const more = names.slice(5).map((order, index) => ship(index % 2 === 0 ? there : first.turn, order));
    const [asked] = await whileTimePasses(first, Promise.all([Promise.all(more), first.box.recover(), second.box.recover()]));
    expect(sent).toHaveLength(7);
    expect((await second.box.plans.get(planId, "acme")).used).toMatchObject([{ calls: 7 }]);
    const left = await first.box.approvals.list({ tenant: "acme", state: "pending", limit: 100 });
    expect(left).toHaveLength(asked.length + waiting.length - 2);
    const no = { approve: false, by: "eve" };
    const refusing = left.map(({ id }, index) => (index % 2 === 0 ? first : second).box.approvals.decide(id, no, lead));
    await whileTimePasses(first, Promise.all(refusing));
    expect(sent).toHaveLength(7);
    for (const { callId } of [...asked, ...waiting]) {
      const ran = await kinds(callId);
      expect(ran.includes("call-intended")).toBe(!ran.includes("call-denied"));
    }
    await close();
  },
);
