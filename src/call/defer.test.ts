import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shop, shopBox, shopPolicy } from "../../test/support/box.ts";
import { manualClock, settled } from "../../test/support/manual-clock.ts";
import { world } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Outcome } from "../domain/outcome.ts";
import { tool } from "../registry/define.ts";
import type { Signalbox } from "./box/box.ts";
import { libraryCredential } from "./box/signalbox.ts";

const small = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };
const credential = libraryCredential("acme");
const { upkeepIntervalMs, deferralCheckMs } = defaultLimits;

function withRules(...rules: readonly object[]): object {
  return { ...shopPolicy, rules: [...shopPolicy.rules, ...rules.map((rule) => ({ on: "order.refund", effect: "defer", ...rule }))] };
}

async function outcomeOf(box: Signalbox, callId: string): Promise<Outcome> {
  return (await box.outcome(callId, credential)).outcome;
}

test(verifies("AUTH-15", "a call that is put off wakes by itself at its time, runs once, and its answer can be asked for"), async () => {
  const { box, turn, shop: made, clock } = await shopBox({ policy: withRules({ id: "cool", for: "10m" }) });
  const { callId, outcome } = await turn.call({ ...small, key: "k" });
  const wakeAtMs = clock.now() + 600_000;
  expect(outcome).toMatchObject({ kind: "pending", waiting: { kind: "time", wakeAtMs, expiresAtMs: clock.now() + 86_400_000 } });
  expect(await outcomeOf(box, callId)).toEqual(outcome);
  await clock.advance(600_000 - 1);
  expect(made.refunds).toEqual([]);
  await clock.advance(upkeepIntervalMs + 1);
  await clock.advance(upkeepIntervalMs);
  expect(made.refunds).toMatchObject([{ amount: 20 }]);
  expect(await outcomeOf(box, callId)).toMatchObject({ kind: "completed" });
  expect((await turn.call({ ...small, key: "k" })).outcome).toMatchObject({ kind: "completed", isReplay: true });
  const kinds = (await box.trail({ tenant: "acme", callId, limit: 20 })).map(({ entry }) => entry.kind);
  expect(kinds).toEqual(["call-deferred", "call-intended", "call-settled"]);
  await box.close();
});

test(verifies("AUTH-15", "the same call asked for meanwhile joins the one that waits, under its key and under its meaning"), async () => {
  const { box, turn, clock } = await shopBox({ policy: withRules({ id: "cool", for: "10m" }) });
  const first = await turn.call({ ...small, key: "k" });
  for (const again of [await turn.call({ ...small, key: "k" }), await turn.call(small)])
    expect(again).toMatchObject({ callId: first.callId, outcome: { kind: "pending", waiting: { kind: "time" } } });
  expect(codeOf(await turn.call({ ...small, key: "k", arguments: { orderId: "A-1", amount: 21 } }))).toBe("KEY_REUSED");
  expect(clock.now()).toBeGreaterThan(0);
  await box.close();
});

test(
  verifies("AUTH-15", "a call waits for a fact, is judged again when it wakes, and is refused if what it needs is gone by then"),
  async () => {
    const made = shop();
    const policy = withRules({ id: "paid", until: "has(facts.order.owner) && facts.order.owner == 'ada'" });
    const { box, turn, clock } = await shopBox({ shop: made, policy });
    made.orders.set("A-1", { region: "eu", owner: "" });
    made.orders.set("A-2", { region: "eu", owner: "" });
    const one = await turn.call(small);
    const other = await turn.call({ ...small, arguments: { orderId: "A-2", amount: 20 } });
    await clock.advance(deferralCheckMs + upkeepIntervalMs);
    expect([(await outcomeOf(box, one.callId)).kind, made.refunds.length]).toEqual(["pending", 0]);
    made.orders.set("A-1", { region: "eu", owner: "ada" });
    made.orders.set("A-2", { region: "us", owner: "ada" });
    await clock.advance(2 * (deferralCheckMs + upkeepIntervalMs));
    expect(made.refunds).toMatchObject([{ orderId: "A-1" }]);
    expect(await outcomeOf(box, other.callId)).toMatchObject({ kind: "denied", error: { code: "PERMISSION_DENIED" } });
    // Looked at many times, said once.
    expect(
      (await box.trail({ tenant: "acme", callId: one.callId, limit: 20 })).filter(({ entry }) => entry.kind === "call-deferred"),
    ).toHaveLength(1);
    await box.close();
  },
);

test(verifies("AUTH-15", "a call whose user lost its role, or whose session stopped, does not run when its time comes"), async () => {
  const { box, session, shop: made, clock } = await shopBox({ policy: withRules({ id: "cool", for: "10m" }) });
  const { callId } = await session.turn().call(small);
  await box.stopSession(session.id, "acme", "done");
  const bob = await box.session({ tenant: "acme", user: "bob", roles: ["support"], attributes: { region: "eu" } });
  const revoked = await bob.turn().call(small);
  await box.revokeRoles({ tenant: "acme", user: "bob", roles: ["support"], by: "operator" });
  await clock.advance(600_000 + 2 * upkeepIntervalMs);
  expect(await outcomeOf(box, callId)).toMatchObject({ kind: "denied", error: { code: "SESSION_STOPPED" } });
  expect((await outcomeOf(box, revoked.callId)).kind).toBe("denied");
  expect(made.refunds).toEqual([]);
  await box.close();
});

test.each([
  ["its rule allows", { expires: "5m" }],
  ["the installation allows", {}],
] as const)(verifies("AUTH-15", "a call that waits for longer than %s is denied, says so, and may be made anew"), async (_what, more) => {
  const {
    box,
    turn,
    shop: made,
    clock,
  } = await shopBox({
    policy: withRules({ id: "never", until: "false", ...more }),
    limits: { deferralExpiryMs: 300_000 },
  });
  const { callId } = await turn.call({ ...small, key: "k" });
  await clock.advance(300_000 + 2 * upkeepIntervalMs);
  expect(await outcomeOf(box, callId)).toMatchObject({
    kind: "denied",
    error: { code: "DEFERRAL_EXPIRED", effect: "none", retry: "later" },
  });
  expect((await turn.call({ ...small, key: "k" })).outcome.kind).toBe("pending");
  expect(made.refunds).toEqual([]);
  await box.close();
});

test(verifies("AUTH-15", "a person is asked when the time has come, not before; the time already waited counts"), async () => {
  const { box, turn, shop: made, clock } = await shopBox({ policy: withRules({ id: "cool", for: "10m" }) });
  const { callId } = await turn.call({ ...small, arguments: { orderId: "A-1", amount: 80 } });
  expect(await box.approvals.list({ tenant: "acme", limit: 10 })).toEqual([]);
  await clock.advance(600_000 + 2 * upkeepIntervalMs);
  const id = approvalIdOf({ ...(await box.outcome(callId, credential)) });
  const { answer } = await box.approvals.decide(id, { approve: true, by: "lead" }, lead);
  expect([answer?.outcome.kind, made.refunds.length]).toEqual(["completed", 1]);
  await box.close();
});

test(verifies("AUTH-15", "an approved call that a rule puts off again keeps its approval while that lasts"), async () => {
  const { box, turn, shop: made, clock } = await shopBox({ policy: shopPolicy });
  const id = approvalIdOf(await turn.call({ ...small, arguments: { orderId: "A-1", amount: 80 } }));
  const until = new Date(clock.now() + 120_000).toISOString();
  await box.activatePolicy(withRules({ id: "later", until: `date('${until}')` }), "operator");
  const { answer } = await box.approvals.decide(id, { approve: true, by: "lead" }, lead);
  expect([answer?.outcome.kind, made.refunds.length]).toEqual(["pending", 0]);
  await clock.advance(120_000 + 2 * upkeepIntervalMs);
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test(
  verifies("AUTH-15", "of two processes one carries the call out when its time comes, also where the one that took it is gone"),
  async () => {
    const shared = world();
    const made = shop();
    const options = { ...shared, shop: made, policy: withRules({ id: "cool", for: "10m" }) };
    const first = await shopBox(options);
    const second = await shopBox(options);
    const { callId } = await first.turn.call(small);
    await shared.clock.advance(600_000 + 2 * upkeepIntervalMs);
    expect(made.refunds).toHaveLength(1);
    expect(await outcomeOf(second.box, callId)).toMatchObject({ kind: "completed" });
    const again = await first.turn.call({ ...small, arguments: { orderId: "A-2", amount: 20 } });
    await first.box.close();
    await shared.clock.advance(600_000 + 2 * upkeepIntervalMs);
    expect(made.refunds).toHaveLength(2);
    expect(await outcomeOf(second.box, again.callId)).toMatchObject({ kind: "completed" });
    await second.box.close();
  },
);

test(verifies("AUTH-15", "a call that two processes wake at the same moment, or a few steps apart, runs once"), async () => {
  for (let ticks = 0; ticks < 30; ticks += 1) {
    const shared = world();
    const ran: string[] = [];
    const ship = tool({
      name: "order.ship",
      tier: "irreversible",
      description: "Ship a paid order. Not for others.",
      input: { type: "object", properties: {} },
      run: () => ran.push("shipped"),
    });
    const rules = [
      { id: "cool", on: "order.ship", effect: "defer", for: "10m" },
      { id: "free", on: "order.ship", effect: "allow", waives: "tier" },
    ];
    const options = { ...shared, tools: [ship], policy: { ...shopPolicy, rules }, limits: { upkeepIntervalMs: 3_600_000 } };
    const first = await shopBox(options);
    const second = await shopBox(options);
    const { callId } = await first.turn.call({ tool: "order.ship", arguments: {} });
    shared.clock.jump(600_000);
    const sweeps = [first.box.recover()];
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    sweeps.push(second.box.recover());
    await settled();
    await shared.clock.advance(defaultLimits.joinPollMs);
    await Promise.all(sweeps);
    expect(ran).toHaveLength(1);
    const kinds = (await first.box.trail({ tenant: "acme", callId, limit: 20 })).map(({ entry }) => entry.kind);
    expect(kinds).toEqual(["call-deferred", "call-intended", "call-settled"]);
  }
});

test(verifies("AUTH-15", "a read is put off like anything else, and leaves nothing behind"), async () => {
  let reads = 0;
  const look = tool({
    name: "order.look",
    tier: "read",
    description: "Look at the orders. Not for one of them.",
    input: { type: "object", properties: {} },
    run: () => {
      reads += 1;
      return { seen: reads };
    },
  });
  const { box, turn, clock } = await shopBox({ tools: [look], policy: withRules({ id: "cool", on: "order.look", for: "10m" }) });
  const { callId } = await turn.call({ tool: "order.look", arguments: {} });
  await clock.advance(600_000 + 2 * upkeepIntervalMs);
  expect(await outcomeOf(box, callId)).toMatchObject({ kind: "completed" });
  for (const space of ["deferral", "parked", "key"]) expect(await box.store.scan({ space, tenant: "acme", limit: 10 })).toEqual([]);
  expect(await box.store.counters([{ space: "deferrals-pending", tenant: "acme", key: "ada" }])).toEqual([0]);
  await box.close();
});

test("one user can have so many calls put off, and then no more", async () => {
  const { box, turn } = await shopBox({ policy: withRules({ id: "cool", for: "10m" }), limits: { deferralsPendingMax: 2 } });
  const refund = (amount: number): ReturnType<typeof turn.call> => turn.call({ ...small, arguments: { orderId: "A-1", amount } });
  await refund(1);
  await refund(2);
  expect(codeOf(await refund(3))).toBe("RATE_LIMITED");
  await settled();
  await box.close();
});

test(verifies("AUTH-15", "a call that is put off is there after a restart, and runs when its time comes"), async () => {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-defer-"));
  const made = shop();
  const options = {
    shop: made,
    clock: manualClock(),
    store: `sqlite:${join(folder, "box.db")}` as const,
    policy: withRules({ id: "cool", for: "10m" }),
  };
  const first = await shopBox(options);
  const { callId } = await first.turn.call(small);
  await first.box.close();
  options.clock.jump(600_000);
  const second = await shopBox(options);
  expect(made.refunds).toHaveLength(1);
  expect(await outcomeOf(second.box, callId)).toMatchObject({ kind: "completed" });
  await second.box.close();
  rmSync(folder, { recursive: true, force: true });
});

test(verifies("AUTH-15", "a call that is put off can be listed and cancelled by those who may, and then never runs"), async () => {
  const { box, turn, shop: made, clock } = await shopBox({ policy: withRules({ id: "cool", for: "10m" }), limits: { pageRowsMax: 2 } });
  const calls: string[] = [];
  for (const amount of [10, 11, 12])
    calls.push((await turn.call({ ...small, key: `k${amount}`, arguments: { orderId: "A-1", amount } })).callId);
  const first = await box.deferrals.list({ tenant: "acme", limit: 2 });
  expect(first.deferrals).toMatchObject([{ callId: calls[0], rules: ["cool"], user: "ada", tool: "order.refund" }, { callId: calls[1] }]);
  const rest = await box.deferrals.list({ tenant: "acme", limit: 2, after: first.next as string });
  expect([rest.deferrals.map(({ callId }) => callId), rest.next]).toEqual([[calls[2]], undefined]);
  expect((await box.deferrals.list({ tenant: "acme", credentialId: "other", limit: 10 })).deferrals).toEqual([]);
  expect((await box.deferrals.list({ tenant: "other", limit: 10 })).deferrals).toEqual([]);
  const by = { tenant: "acme", by: "eve", reason: "no longer wanted" };
  await expect(box.deferrals.cancel(calls[0] as string, { ...by, credentialId: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(box.deferrals.cancel(calls[0] as string, { ...by, tenant: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await box.deferrals.cancel(calls[0] as string, by);
  await expect(box.deferrals.cancel(calls[0] as string, by)).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await outcomeOf(box, calls[0] as string)).toMatchObject({
    kind: "failed",
    error: { code: "CANCELLED", message: expect.stringContaining("no longer wanted") as string },
  });
  await clock.advance(600_000 + 2 * upkeepIntervalMs);
  expect(made.refunds.map(({ amount }) => amount)).toEqual([11, 12]);
  await expect(box.deferrals.cancel(calls[1] as string, by)).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await turn.call({ ...small, key: "k10", arguments: { orderId: "A-1", amount: 10 } })).outcome.kind).toBe("pending");
  await box.close();
});

test(verifies("AUTH-15", "a call whose facts cannot be looked up when it wakes goes on waiting"), async () => {
  const made = shop();
  const { box, turn, clock } = await shopBox({ shop: made, policy: withRules({ id: "cool", for: "10m", expires: "1h" }) });
  const { callId } = await turn.call(small);
  const { get } = made.orders;
  made.orders.get = () => {
    throw new Error("the shop is closed");
  };
  await clock.advance(600_000 + 2 * upkeepIntervalMs);
  expect([(await outcomeOf(box, callId)).kind, made.refunds.length]).toEqual(["pending", 0]);
  made.orders.get = get;
  await clock.advance(120_000 + 2 * upkeepIntervalMs);
  expect([(await outcomeOf(box, callId)).kind, made.refunds.length]).toEqual(["completed", 1]);
  await box.close();
});
