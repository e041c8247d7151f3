import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, codeOf, lead, shop, shopBox, shopPolicy } from "../../test/support/box.ts";
import { settled } from "../../test/support/manual-clock.ts";
import { sleeper, world, type World } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { tool } from "../registry/define.ts";
import type { Store } from "../store/store.ts";
import { libraryCredential } from "./box/signalbox.ts";
import type { CallRequest } from "./box/box-session.ts";

const credential = libraryCredential("acme");

/** A tool whose effects are held until they are let go; the process is named in what it did. */
function held(idempotency: "key" | "none", ran: string[], process: string): { readonly tool: RegisteredTool; letGo(): void } {
  const gates: (() => void)[] = [];
  return {
    letGo: () => gates.shift()?.(),
    tool: tool({
      name: "order.ship",
      tier: "irreversible",
      idempotency,
      retry: { attempts: 1 },
      description: "Ship a paid order. Not for others.",
      input: z.object({ order: z.string() }),
      run: async ({ order }) => {
        ran.push(process);
        await new Promise<void>((resolve) => gates.push(resolve));
        return { shipped: order };
      },
    }),
  };
}

const ship: CallRequest = { tool: "order.ship", arguments: { order: "A-1" }, key: "k" };

async function kinds(store: Store, callId: string): Promise<readonly string[]> {
  return (await store.entries({ callId, limit: 50 })).map((entry) => entry.kind);
}

test(
  verifies("OPS-02", "EXEC-06", "a key that runs in one process is joined in another, which answers when the call has settled"),
  async () => {
    const shared = world();
    const ran: string[] = [];
    const [a, b] = [held("key", ran, "a"), held("key", ran, "b")];
    const first = await shopBox({ ...shared, tools: [a.tool] });
    const second = await shopBox({ ...shared, tools: [b.tool] });
    const running = first.turn.call(ship);
    await settled();
    const joined = second.turn.call(ship);
    await shared.clock.advance(defaultLimits.joinPollMs * 3);
    a.letGo();
    const made = await running;
    await shared.clock.advance(defaultLimits.joinPollMs);
    expect(await joined).toMatchObject({ callId: made.callId, outcome: { kind: "completed", result: { value: { shipped: "A-1" } } } });
    expect(ran).toEqual(["a"]);
  },
);

test(
  verifies("OPS-02", "CALL-10", "whoever joins a call of another process is answered at the reply deadline though that one goes on"),
  async () => {
    const shared = world();
    const ran: string[] = [];
    const a = held("key", ran, "a");
    const first = await shopBox({ ...shared, tools: [a.tool], limits: { executeDeadlineMs: 100_000, attemptTimeoutMs: 100_000 } });
    const second = await shopBox({ ...shared, tools: [held("key", ran, "b").tool] });
    const running = first.turn.call(ship);
    await settled();
    const joined = second.turn.call(ship);
    await settled();
    await shared.clock.advance(defaultLimits.replyDeadlineMs);
    expect((await joined).outcome).toMatchObject({ kind: "pending", waiting: { kind: "execution" } });
    expect((await running).outcome.kind).toBe("pending");
  },
);

test("no more callers than `joinsWaitingMax` wait for calls of other processes", async () => {
  const shared = world();
  const ran: string[] = [];
  const first = await shopBox({ ...shared, tools: [held("key", ran, "a").tool] });
  const second = await shopBox({ ...shared, tools: [held("key", ran, "b").tool], limits: { joinsWaitingMax: 1 } });
  void first.turn.call(ship);
  await settled();
  void second.turn.call(ship);
  await settled();
  expect((await second.turn.call(ship)).outcome).toMatchObject({ kind: "pending", waiting: { kind: "execution" } });
});

test(verifies("OPS-02", "EXEC-07", "of two processes that find the same orphan, one carries it out"), async () => {
  const shared = world();
  const ran: string[] = [];
  const dead = sleeper(shared.store);
  const dying = await shopBox({ ...shared, store: dead.store, tools: [held("key", ran, "dead").tool] });
  void dying.turn.call(ship);
  await settled();
  dead.sleep();
  const [a, b] = [held("key", ran, "a"), held("key", ran, "b")];
  const first = await shopBox({ ...shared, tools: [a.tool] });
  const second = await shopBox({ ...shared, tools: [b.tool] });
  shared.clock.jump(defaultLimits.executeDeadlineMs);
  const sweeps = Promise.all([first.box.recover(), second.box.recover()]);
  await settled();
  expect(ran).toHaveLength(2);
  a.letGo();
  b.letGo();
  const reports = await sweeps;
  expect(reports.reduce((sum, { resumed }) => sum + resumed, 0)).toBe(1);
  const [intent] = await shared.store.entries({ kind: "call-intended", limit: 1 });
  expect(await kinds(shared.store, intent?.callId as string)).toEqual(["call-intended", "call-settled"]);
});

test(
  verifies("OPS-02", "EXEC-07", "a process that slept through its claim does not settle over the one that took the call over"),
  async () => {
    const shared = world();
    const ran: string[] = [];
    const zombie = sleeper(shared.store);
    const asleep = held("key", ran, "zombie");
    const first = await shopBox({ ...shared, store: zombie.store, tools: [asleep.tool], limits: { replyDeadlineMs: 300_000 } });
    const answer = first.turn.call(ship);
    await settled();
    zombie.sleep();
    asleep.letGo();
    await settled();
    const b = held("key", ran, "b");
    const second = await shopBox({ ...shared, tools: [b.tool] });
    shared.clock.jump(defaultLimits.executeDeadlineMs);
    const sweep = second.box.recover();
    await settled();
    zombie.wake();
    await settled();
    b.letGo();
    expect(await sweep).toMatchObject({ resumed: 1 });
    await shared.clock.advance(defaultLimits.joinPollMs);
    const told = await answer;
    expect(told.outcome).toMatchObject({ kind: "completed" });
    expect(await kinds(shared.store, told.callId)).toEqual(["call-intended", "call-settled"]);
  },
);

/** A call of an opaque tool whose process falls silent with the result in hand, while another settles it as unknown. */
async function slept(): Promise<{
  readonly shared: World;
  readonly answer: ReturnType<typeof first.turn.call>;
  readonly second: Awaited<ReturnType<typeof shopBox>>;
  readonly callId: string;
  wake(): void;
}> {
  const shared = world();
  const ran: string[] = [];
  const zombie = sleeper(shared.store);
  const asleep = held("none", ran, "zombie");
  const first = await shopBox({ ...shared, store: zombie.store, tools: [asleep.tool] });
  const answer = first.turn.call(ship);
  await settled();
  zombie.sleep();
  asleep.letGo();
  await settled();
  const second = await shopBox({ ...shared, tools: [held("none", ran, "b").tool] });
  shared.clock.jump(defaultLimits.executeDeadlineMs);
  expect(await second.box.recover()).toMatchObject({ unknown: 1 });
  const [intent] = await shared.store.entries({ kind: "call-intended", limit: 1 });
  return { shared, answer, second, callId: intent?.callId as string, wake: () => zombie.wake() };
}

test(verifies("OPS-02", "EXEC-07", "what a sleeping process knew is written where the others could only say unknown"), async () => {
  const { shared, answer, second, callId, wake } = await slept();
  expect((await second.box.outcome(callId, credential)).outcome.kind).toBe("unknown");
  wake();
  expect((await answer).outcome.kind).toBe("completed");
  expect(await kinds(shared.store, callId)).toEqual(["call-intended", "call-settled", "call-settled"]);
  expect((await second.box.outcome(callId, credential)).outcome.kind).toBe("completed");
});

test.each([true, false])("what a person found out is never overwritten by a process that wakes (happened: %s)", async (happened) => {
  const { shared, answer, second, callId, wake } = await slept();
  shared.clock.jump(defaultLimits.executeDeadlineMs + defaultLimits.reconcileSettleMs);
  await second.box.deadLetters.resolve(callId, { tenant: "acme", by: "eve", happened, note: "looked" });
  // The key is free where nothing happened, and another call takes it: its claim must not be mistaken for the sleeper's.
  if (!happened) void second.session.turn().call(ship);
  await settled();
  wake();
  const told = (await answer).outcome;
  expect(told).toMatchObject(happened ? { kind: "completed", result: { value: null } } : { kind: "failed", error: { effect: "none" } });
  expect(await kinds(shared.store, callId)).toEqual(["call-intended", "call-settled", "call-settled"]);
  const claims = await shared.store.due({ space: "key", untilMs: Number.MAX_SAFE_INTEGER, limit: 10 });
  expect(claims.map(({ body }) => (body as { readonly state: string }).state)).toEqual([happened ? "completed" : "running"]);
});

test(verifies("OPS-02", "AUTH-07", "an answered call that two processes wake at once runs once, and neither denies it"), async () => {
  for (let ticks = 0; ticks < 40; ticks += 1) {
    const shared = world(shopPolicy);
    const made = shop();
    const first = await shopBox({ ...shared, shop: made });
    const second = await shopBox({ ...shared, shop: made });
    const parked = await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
    const decided = second.box.approvals.decide(approvalIdOf(parked), { approve: true, by: "eve" }, lead);
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    const swept = first.box.recover();
    await settled();
    await shared.clock.advance(defaultLimits.joinPollMs);
    await Promise.all([decided, swept]);
    expect(await kinds(shared.store, parked.callId)).toEqual(["call-parked", "approval-decided", "call-intended", "call-settled"]);
    expect(made.refunds).toHaveLength(1);
    expect((await first.box.outcome(parked.callId, credential)).outcome.kind).toBe("completed");
  }
});

test(
  verifies("OPS-02", "AUTH-01", "a session that one process stopped is given no old answer by another that has it in memory"),
  async () => {
    const shared = world(shopPolicy);
    const made = shop();
    const first = await shopBox({ ...shared, shop: made });
    const second = await shopBox({ ...shared, shop: made });
    const call = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 }, key: "k" };
    expect((await first.turn.call(call)).outcome.kind).toBe("completed");
    await second.box.stopSession(first.session.id, "acme", "over");
    expect(codeOf(await first.turn.call(call))).toBe("SESSION_STOPPED");
  },
);

test("a call whose gate took longer than its claim lasts sends nothing", async () => {
  const shared = world();
  const ran: string[] = [];
  const slow = sleeper(shared.store);
  const first = await shopBox({
    ...shared,
    store: { ...slow.store, read: (keys) => shared.store.read(keys) },
    tools: [held("none", ran, "a").tool],
  });
  slow.sleep();
  const answer = first.turn.call(ship);
  await settled();
  shared.clock.jump(defaultLimits.executeDeadlineMs);
  slow.wake();
  expect((await answer).outcome).toMatchObject({ kind: "failed", error: { effect: "none" } });
  expect(ran).toEqual([]);
});

test("a box sweeps by itself every `upkeepIntervalMs`", async () => {
  const shared = world();
  const ran: string[] = [];
  const dead = sleeper(shared.store);
  const dying = await shopBox({ ...shared, store: dead.store, tools: [held("key", ran, "dead").tool] });
  void dying.turn.call(ship);
  await settled();
  dead.sleep();
  await shopBox({ ...shared, tools: [held("key", ran, "b").tool], limits: { upkeepIntervalMs: 40_000 } });
  await shared.clock.advance(39_999);
  expect(ran).toEqual(["dead"]);
  await shared.clock.advance(1);
  expect(ran).toEqual(["dead", "b"]);
});

test(verifies("OPS-02", "EXEC-07", "a store that was away for a moment does not leave the outcome of a call open"), async () => {
  const shared = world();
  const ran: string[] = [];
  let failures = 0;
  const store: Store = {
    ...shared.store,
    commit(unit) {
      const isSettling = unit.entries.some(({ kind }) => kind === "call-settled");
      if (!isSettling || failures === 2) return shared.store.commit(unit);
      failures += 1;
      return Promise.reject(new Error("away"));
    },
  };
  const a = held("none", ran, "a");
  const first = await shopBox({ ...shared, store, tools: [a.tool] });
  const answer = first.turn.call(ship);
  await settled();
  a.letGo();
  const { callId, outcome } = await answer;
  expect([outcome.kind, failures]).toEqual(["completed", 2]);
  expect(await kinds(shared.store, callId)).toEqual(["call-intended", "call-settled"]);
});
