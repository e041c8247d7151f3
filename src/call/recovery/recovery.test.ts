import { defaultLimits } from "../../base/limits.ts";
import { z } from "zod";
import { expect, test } from "vitest";
import { approvalIdOf, lead, shopBox, shopPolicy } from "../../../test/support/box.ts";
import { manualClock, settled, type ManualClock } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import { systemRandom } from "../../base/random.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Outcome } from "../../domain/outcome.ts";
import type { RegisteredTool } from "../../domain/tool.ts";
import { memoryKeyring, type Keyring } from "../../ledger/keyring.ts";
import { tool } from "../../registry/define.ts";
import { createMemoryStore } from "../../store/memory.ts";
import type { Store } from "../../store/store.ts";
import { libraryCredential } from "../box/signalbox.ts";
import type { CallRequest } from "../box/box-session.ts";

const credential = libraryCredential("acme");

function ship(order: string): CallRequest {
  return { tool: "order.ship", arguments: { order }, key: `key-${order}` };
}

/** A tool of which each effect is held until it is let go. */
function heldTool(name: string): { readonly tool: RegisteredTool; readonly letGo: (order: string) => void; readonly ran: string[] } {
  const ran: string[] = [];
  const gates = new Map<string, () => void>();
  return {
    ran,
    letGo: (order) => gates.get(order)?.(),
    tool: tool({
      name,
      tier: "irreversible",
      idempotency: "key",
      timeouts: { replyMs: 5_000 },
      description: "Ship a paid order. Not for others.",
      input: z.object({ order: z.string() }),
      run: async ({ order }) => {
        ran.push(order);
        await new Promise<void>((resolve) => gates.set(order, resolve));
        return { shipped: order };
      },
    }),
  };
}

/** A tool that never answers, and cannot be sent again. */
function lookedTool(): RegisteredTool {
  return tool({
    name: "order.ship",
    tier: "irreversible",
    idempotency: "lookup",
    lookupTool: "order.find",
    description: "Ship a paid order. Not for others.",
    input: z.object({ order: z.string() }),
    run: () => new Promise(() => undefined),
  });
}

/** It finds nothing. */
const findTool = tool({
  name: "order.find",
  tier: "read",
  description: "Find a shipment by its key.",
  input: z.object({ key: z.string() }),
  run: () => null,
});

async function firstCallId({ store }: World): Promise<string> {
  const [intent] = await store.entries({ tenant: "acme", kind: "call-intended", limit: 1 });
  return intent?.callId as string;
}

const openPolicy = { ...shopPolicy, rules: [{ id: "all", on: "order.*", when: "true", effect: "allow", waives: "tier" }] };

/** What outlives a process, for boxes that follow each other. */
interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly keys: Keyring;
  readonly policy: unknown;
}

function world(): World {
  const clock = manualClock();
  const store = { ...createMemoryStore({ clock, random: systemRandom }), survivesRestart: true };
  return { clock, store, keys: memoryKeyring(systemRandom), policy: openPolicy };
}

/** A box of the world that is killed in the middle of its call: from then on it can neither read nor write what outlives it. */
async function killedDuring(lasting: World, tools: readonly RegisteredTool[], call: CallRequest): Promise<void> {
  const { store } = lasting;
  let isDead = false;
  const alive = async <Value>(work: () => Value | Promise<Value>): Promise<Value> =>
    await (isDead ? new Promise<never>(() => undefined) : work());
  const mortal: Store = {
    ...store,
    read: (keys) => alive(() => store.read(keys)),
    due: (query) => alive(() => store.due(query)),
    commit: (unit) => alive(() => store.commit(unit)),
  };
  const dying = await shopBox({ ...lasting, store: mortal, tools });
  void dying.turn.call(call);
  await settled();
  isDead = true;
}

/** The next box, whether or not its recovery has come to an end. */
async function restarted(lasting: World, options: Parameters<typeof shopBox>[0] = {}): ReturnType<typeof shopBox> {
  const starting = shopBox({ ...lasting, ...options });
  await settled();
  // A start waits for what it found open, but no longer than this.
  await lasting.clock.advance(defaultLimits.recoveryStartMs);
  return await starting;
}

test(
  verifies("EXEC-06", "a replay and a joined call are answered under the id of the call that was made, which can be looked up"),
  async () => {
    const held = heldTool("order.ship");
    const { box, turn } = await shopBox({ tools: [held.tool], policy: openPolicy });
    const call = ship("A-1");
    const running = turn.call(call);
    await settled();
    const joining = turn.call(call);
    await settled();
    held.letGo("A-1");
    const [made, joined] = [await running, await joining];
    const replayed = await turn.call(call);
    expect([joined.callId, replayed.callId]).toEqual([made.callId, made.callId]);
    expect((await box.outcome(replayed.callId, credential)).outcome).toMatchObject({
      kind: "completed",
      result: { value: { shipped: "A-1" } },
    });
    await box.close();
  },
);

test(verifies("CALL-10", "whoever joins a call that takes too long is told under which id it runs"), async () => {
  const held = heldTool("order.ship");
  const { box, turn, clock } = await shopBox({ tools: [held.tool], policy: openPolicy });
  const call = ship("A-1");
  const answers = Promise.all([turn.call(call), settled().then(() => turn.call(call))]);
  await settled();
  await clock.advance(6_000);
  const [made, joined] = await answers;
  expect(joined).toMatchObject({
    callId: made.callId,
    outcome: { kind: "pending", message: expect.stringContaining(made.callId) as string },
  });
  held.letGo("A-1");
  await box.close();
});

test(verifies("AUTH-07", "the same call made twice at the same moment asks one question, and both are told of it"), async () => {
  const { box, turn } = await shopBox();
  const call = { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 }, key: "k1" };
  const [first, second] = await Promise.all([turn.call(call), turn.call(call)]);
  expect(approvalIdOf(second)).toBe(approvalIdOf(first));
  expect(second.callId).toBe(first.callId);
  expect(await box.approvals.list({ tenant: "acme", limit: 10 })).toHaveLength(1);
  await box.close();
});

test(verifies("AUTH-07", "a sweep at the moment of the answer does not wake the call a second time"), async () => {
  for (let ticks = 0; ticks < 40; ticks += 1) {
    const { box, turn, shop: made } = await shopBox();
    const parked = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
    const decided = box.approvals.decide(approvalIdOf(parked), { approve: true, by: "eve" }, lead);
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    await Promise.all([decided, box.recover()]);
    const trail = await box.trail({ tenant: "acme", callId: parked.callId, limit: 20 });
    expect(trail.map(({ entry }) => entry.kind)).toEqual(["call-parked", "approval-decided", "call-intended", "call-settled"]);
    expect(made.refunds).toHaveLength(1);
    expect((await box.outcome(parked.callId, credential)).outcome.kind).toBe("completed");
    await box.close();
  }
});

test(verifies("EXEC-07", "a call that settled while the sweep was busy with another is not carried out again"), async () => {
  const lasting = world();
  await killedDuring(lasting, [heldTool("order.ship").tool], ship("orphan"));
  const held = heldTool("order.ship");
  const { box, turn } = await restarted(lasting, { tools: [held.tool], limits: { recoveryAtOnceMax: 1 } });
  const running = turn.call(ship("fresh"));
  await settled();
  const sweeping = box.recover();
  await settled();
  held.letGo("fresh");
  await running;
  held.letGo("orphan");
  await sweeping;
  expect(held.ran).toEqual(["orphan", "fresh"]);
  await box.close();
});

test(
  verifies("EXEC-07", "an upstream that hangs does not keep a starting process from other calls, and who asks for the open call joins it"),
  async () => {
    const lasting = world();
    await killedDuring(lasting, [heldTool("order.ship").tool], ship("A-1"));
    const held = heldTool("order.ship");
    const { box, turn } = await restarted(lasting, { tools: [held.tool] });
    const other = turn.call(ship("A-2"));
    await settled();
    held.letGo("A-2");
    expect((await other).outcome.kind).toBe("completed");
    const asked = turn.call(ship("A-1"));
    await settled();
    held.letGo("A-1");
    expect(await asked).toMatchObject({ callId: await firstCallId(lasting), outcome: { kind: "completed" } });
    expect(held.ran).toEqual(["A-1", "A-2"]);
    await box.close();
  },
);

test(verifies("EXEC-07", "a call left open whose tool is gone is unknown, and resolved when the tool is back"), async () => {
  const lasting = world();
  await killedDuring(lasting, [heldTool("order.ship").tool], ship("A-1"));
  const without = await restarted(lasting);
  const callId = await firstCallId(lasting);
  expect((await without.box.outcome(callId, credential)).outcome).toMatchObject({
    kind: "unknown",
    error: { code: "OUTCOME_UNKNOWN", message: expect.stringContaining("a person has to look") as string },
  });
  const held = heldTool("order.ship");
  const back = await restarted(lasting, { tools: [held.tool] });
  const again = back.turn.call(ship("A-1"));
  await settled();
  held.letGo("A-1");
  expect(await again).toMatchObject({ callId, outcome: { kind: "completed" } });
  expect(held.ran).toEqual(["A-1"]);
  await back.box.close();
});

test(
  verifies("EXEC-07", "a lost reply is looked up until a no counts: when the old attempt can no longer arrive, and not long after"),
  async () => {
    const lasting = world();
    const tools = [lookedTool(), findTool];
    await killedDuring(lasting, tools, ship("A-1"));
    const { box } = await restarted(lasting, { tools });
    const callId = await firstCallId(lasting);
    const outcome = async (): Promise<Outcome> => (await box.outcome(callId, credential)).outcome;
    expect((await outcome()).kind).toBe("unknown");
    await box.recover();
    await lasting.clock.advance(25_000);
    expect((await outcome()).kind).toBe("unknown");
    await lasting.clock.advance(20_000);
    expect(await outcome()).toMatchObject({ kind: "failed", error: { effect: "none" } });
    await box.close();
  },
);

test(verifies("AUTH-07", "an approval that was voided while the sweep was busy with another leaves the new question alone"), async () => {
  const asking = { id: "ask", on: "order.ship", when: "true", effect: "ask" };
  const lasting = { ...world(), policy: { ...shopPolicy, rules: [asking] } };
  const dead = await shopBox({ ...lasting, tools: [heldTool("order.ship").tool] });
  for (const order of ["A", "B"]) {
    const key = { space: "approval", tenant: "acme", key: approvalIdOf(await dead.turn.call(ship(order))) };
    const [row] = await lasting.store.read([key]);
    const body = { ...(row?.body as JsonObject), state: "approved" };
    await lasting.store.commit({
      operations: [{ op: "put", key, body, dueMs: lasting.clock.now() + (order === "A" ? 0 : 1) }],
      entries: [],
    });
  }
  lasting.clock.jump(1);
  const held = heldTool("order.ship");
  const policy = { ...shopPolicy, rules: [asking, { ...asking, id: "more", when: 'args.order == "B"' }] };
  const { box } = await restarted(lasting, { tools: [held.tool], policy });
  await box.recover();
  const pending = await box.approvals.list({ tenant: "acme", state: "pending", limit: 10 });
  expect(pending.map(({ reasons }) => reasons.some(({ rule }) => rule === "more"))).toEqual([true]);
  held.letGo("A");
  await settled();
  expect(await box.approvals.list({ tenant: "acme", state: "pending", limit: 10 })).toEqual(pending);
  expect(await box.approvals.arguments(pending[0]?.id as string, "acme")).toEqual({ order: "B" });
  await box.close();
});
