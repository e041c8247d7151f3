import { expect, test } from "vitest";
import { z } from "zod";
import { sessionCounter } from "../../src/budget/holds.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, shopBox } from "../support/box.ts";
import { manualClock, settled, type ManualClock } from "../support/manual-clock.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["*"] } };
const get = { tool: "order.get", arguments: { orderId: "A-1" } };

/** A read that costs money and takes time. */
function dear(clock: ManualClock, tookMs: number, isFailing = (): boolean => false): ReturnType<typeof tool> {
  return tool({
    name: "order.dear",
    tier: "read",
    description: "Costs money.",
    input: z.object({}),
    costMicrosUsd: 300,
    retry: { attempts: 1 },
    run: () => {
      clock.jump(tookMs);
      if (isFailing()) throw new ToolFailure({ kind: "unavailable", message: "it is down", effect: "none" });
      return 1;
    },
  });
}

test(verifies("AUTH-10", "a session makes as many calls as its budget, and no more; another session has its own"), async () => {
  const { box, turn } = await shopBox({ policy, limits: { sessionCallsMax: 3 } });
  for (let count = 0; count < 3; count += 1) expect((await turn.call(get)).outcome.kind).toBe("completed");
  expect((await turn.call(get)).outcome).toMatchObject({
    error: { code: "BUDGET_EXCEEDED", message: expect.stringContaining("3 calls") as string },
  });
  const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
  expect((await other.turn().call(get)).outcome.kind).toBe("completed");
  await box.close();
});

test(verifies("AUTH-10", "a session spends as much money as its budget, and what was not spent is given back"), async () => {
  const clock = manualClock();
  let isDown = true;
  const { box, session, turn } = await shopBox({
    policy,
    clock,
    tools: [dear(clock, 0, () => isDown)],
    limits: { sessionCostMicrosUsdMax: 1_000, breakerFailures: 100 },
  });
  const request = { tool: "order.dear", arguments: {} };
  for (let count = 0; count < 5; count += 1) expect(codeOf(await turn.call(request))).toBe("TOOL_UNAVAILABLE");
  isDown = false;
  const kinds = [];
  for (let count = 0; count < 4; count += 1) kinds.push(codeOf(await turn.call(request)) ?? "completed");
  expect(kinds).toEqual(["completed", "completed", "completed", "BUDGET_EXCEEDED"]);
  expect(await box.store.counters([sessionCounter("acme", session.id, "cost-micros-usd")])).toEqual([900]);
  expect((await turn.call(get)).outcome.kind).toBe("completed");
  await box.close();
});

test(
  verifies("AUTH-10", "a session that has used up its execution time makes no more calls; the one that crosses the line is the last"),
  async () => {
    const clock = manualClock();
    const { box, turn } = await shopBox({ policy, clock, tools: [dear(clock, 400)], limits: { sessionExecutionMsMax: 1_000 } });
    const kinds = [];
    for (let count = 0; count < 4; count += 1) kinds.push(codeOf(await turn.call({ tool: "order.dear", arguments: {} })) ?? "completed");
    expect(kinds).toEqual(["completed", "completed", "completed", "BUDGET_EXCEEDED"]);
    await box.close();
  },
);

test(
  verifies("EXEC-03", "a principal may ask in bursts and then at a steady rate, whatever session it uses; another one is not held up"),
  async () => {
    const { box, turn, clock } = await shopBox({ policy, limits: { rateBurstCalls: 2, rateCallsPerMinute: 60 } });
    expect([codeOf(await turn.call(get)), codeOf(await turn.call(get))]).toEqual([undefined, undefined]);
    expect((await turn.call(get)).outcome).toMatchObject({ error: { code: "RATE_LIMITED", retryAfterMs: 1_000 } });
    const sameUser = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
    expect(codeOf(await sameUser.turn().call(get))).toBe("RATE_LIMITED");
    const otherUser = await box.session({ tenant: "acme", user: "bob", roles: ["support"] });
    expect(codeOf(await otherUser.turn().call(get))).toBeUndefined();
    await clock.advance(1_000);
    expect(codeOf(await turn.call(get))).toBeUndefined();
    await box.close();
  },
);

test(verifies("SAFE-06", "no choice of names lets one tenant use up the rate of another"), async () => {
  const { box } = await shopBox({ policy, limits: { rateBurstCalls: 1, rateCallsPerMinute: 1 } });
  const first = await box.session({ tenant: "a/b", user: "c", roles: ["support"] });
  const second = await box.session({ tenant: "a", user: "b/c", roles: ["support"] });
  expect(codeOf(await first.turn().call(get))).toBeUndefined();
  expect(codeOf(await second.turn().call(get))).toBeUndefined();
  await box.close();
});

test(verifies("EXEC-03", "a tool's own rate holds for all users of a tenant together"), async () => {
  const slow = tool({ name: "order.slow", tier: "read", description: "Takes few.", input: z.object({}), ratePerMinute: 20, run: () => 1 });
  const { box, turn } = await shopBox({ policy, tools: [slow] });
  const bob = await box.session({ tenant: "acme", user: "bob", roles: ["support"] });
  const eve = await box.session({ tenant: "other", user: "eve", roles: ["support"] });
  const request = { tool: "order.slow", arguments: {} };
  expect([codeOf(await turn.call(request)), codeOf(await bob.turn().call(request))]).toEqual([undefined, undefined]);
  expect((await turn.call(request)).outcome).toMatchObject({ error: { code: "RATE_LIMITED", retryAfterMs: 3_000 } });
  expect(codeOf(await eve.turn().call(request))).toBeUndefined();
  await box.close();
});

test("a box forgets the longest unused of its sessions beyond the limit, and finds them again in the store", async () => {
  const { box, session } = await shopBox({ policy, limits: { sessionsLiveMax: 2 } });
  await box.revokeRoles({ tenant: "acme", user: "ada", roles: ["nothing"], by: "operator" });
  for (const user of ["bob", "eve", "joe"]) await box.session({ tenant: "acme", user, roles: ["support"] });
  const credential = {
    id: "library",
    tenant: "acme",
    actsFor: ["*"],
    approves: [],
    administers: false,
    words: "attested",
    authenticatedAtMs: undefined,
  } as const;
  const found = await box.resume(session.id, credential);
  expect(found.principal).toMatchObject({ user: "ada", roles: ["support"] });
  expect((await found.turn().call(get)).outcome.kind).toBe("completed");
  await expect(box.resume(session.id, { ...credential, id: "another" })).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
  await expect(box.resume(session.id, { ...credential, tenant: "other" })).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
  await box.close();
});

test(verifies("AUTH-01", "a session that its process forgot is stopped all the same"), async () => {
  const { box, session, turn } = await shopBox({ policy, limits: { sessionsLiveMax: 1 } });
  await box.session({ tenant: "acme", user: "bob", roles: ["support"] });
  await box.stopSession(session.id, "acme", "the user hung up");
  expect(codeOf(await turn.call(get))).toBe("SESSION_STOPPED");
  await box.close();
});

test(
  verifies("EXEC-07", "a look-up that finds nothing counts only after the last moment at which the lost call could still arrive"),
  async () => {
    let lookUps = 0;
    const find = tool({
      name: "parcel.find",
      tier: "read",
      description: "Find a parcel by key.",
      input: z.object({ key: z.string() }),
      run: () => ((lookUps += 1), null),
    });
    const send = tool({
      name: "parcel.send",
      tier: "reversible",
      idempotency: "lookup",
      lookupTool: "parcel.find",
      description: "Send a parcel.",
      input: z.object({}),
      timeouts: { attemptMs: 1_000, executeMs: 1_000 },
      retry: { attempts: 1 },
      run: () => new Promise(() => undefined),
    });
    const { box, turn, clock } = await shopBox({ policy, tools: [find, send], limits: { reconcileSettleMs: 4_000 } });
    const sent = turn.call({ tool: "parcel.send", arguments: {}, key: "p1" });
    await settled();
    await clock.advance(1_100);
    expect((await sent).outcome).toMatchObject({ kind: "unknown", error: { code: "TOOL_TIMEOUT", effect: "unknown" } });
    clock.jump(3_900);
    await box.recover();
    expect((await turn.call({ tool: "parcel.send", arguments: {}, key: "p1" })).outcome.kind).toBe("unknown");
    expect(lookUps).toBeGreaterThan(0);
    clock.jump(200);
    await box.recover();
    const { outcome } = await box.outcome((await sent).callId, {
      id: "library",
      tenant: "acme",
      actsFor: ["*"],
      approves: [],
      administers: false,
      words: "attested",
      authenticatedAtMs: undefined,
    });
    expect(outcome).toMatchObject({ kind: "failed", error: { effect: "none" } });
    await box.close();
  },
);

test("a registry takes as many tools as its limit, and a box with more does not start", async () => {
  const tools = Array.from({ length: 3 }, (_, index) =>
    tool({ name: `t.n${index}`, tier: "read", description: "Does.", input: z.object({}), run: () => 1 }),
  );
  await (await createSignalbox({ tools, limits: { toolsMax: 3 } })).close();
  await expect(createSignalbox({ tools, limits: { toolsMax: 2 } })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("toolsMax") as string,
  });
});
