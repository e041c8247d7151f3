import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { codeOf, shopBox, shopPolicy } from "../../../test/support/box.ts";
import { openPolicy, sleeper, world } from "../../../test/support/shared-world.ts";
import { verifies } from "../../../test/verifies.ts";
import { defaultLimits } from "../../base/limits.ts";
import { createThrottle } from "../../budget/throttle.ts";
import { createToolRates } from "../../budget/tool-rates.ts";
import type { RegisteredTool } from "../../domain/tool.ts";
import { tool } from "../../registry/define.ts";
import { ToolFailure } from "../../resilience/tool-failure.ts";
import type { Trouble } from "./options.ts";

const read = { tool: "order.get", arguments: { orderId: "A-1" } };
/** Both processes have told and heard. */
const seenMs = 2 * defaultLimits.pulseMs;
const refusing = { ...shopPolicy, rules: [{ id: "none", on: "order.*", when: "true", effect: "deny" }] };

test(verifies("EXEC-03", "a principal that used its rate up in one process is refused by the others within a second"), async () => {
  expect(seenMs).toBeLessThan(1_000);
  const shared = { ...world(), limits: { rateCallsPerMinute: 1, rateBurstCalls: 3 } };
  const first = await shopBox(shared);
  const second = await shopBox(shared);
  await shared.clock.advance(seenMs);
  for (let call = 0; call < 3; call += 1) expect((await first.turn.call(read)).outcome.kind).toBe("completed");
  await shared.clock.advance(seenMs);
  const other = await second.box.session({ tenant: "acme", user: "bob", roles: ["support"] });
  expect(codeOf(await second.turn.call(read))).toBe("RATE_LIMITED");
  expect((await other.turn().call(read)).outcome.kind).toBe("completed");
});

test(verifies("EXEC-03", "the rate of a tool is one rate for all processes"), async () => {
  const limited = tool({
    name: "order.count",
    tier: "read",
    ratePerMinute: 20,
    description: "Count the orders. Not for lists.",
    input: z.object({}),
    run: () => 1,
  });
  const shared = { ...world(), tools: [limited] };
  const first = await shopBox(shared);
  const second = await shopBox(shared);
  const call = { tool: "order.count", arguments: {} };
  await first.turn.call(call);
  await first.turn.call(call);
  await shared.clock.advance(seenMs);
  expect(codeOf(await second.turn.call(call))).toBe("RATE_LIMITED");
  await shared.clock.advance(60_000);
  expect((await second.turn.call(call)).outcome.kind).toBe("completed");
});

test(
  verifies(
    "EXEC-03",
    "a tool that one process found down is left alone by the others within a second, and used again when one has probed it",
  ),
  async () => {
    let isDown = true;
    const asked: string[] = [];
    const upstream = (process: string): RegisteredTool =>
      tool({
        name: "order.track",
        tier: "read",
        source: "carrier",
        breaker: { failures: 2, openMs: 10_000, probes: 1 },
        retry: { attempts: 1 },
        description: "Where a parcel is. Not for orders.",
        input: z.object({}),
        run: () => {
          asked.push(process);
          if (isDown) throw new ToolFailure({ kind: "unavailable", message: "it is down", effect: "none" });
          return "here";
        },
      });
    const shared = world();
    const first = await shopBox({ ...shared, tools: [upstream("first")] });
    const second = await shopBox({ ...shared, tools: [upstream("second")] });
    const call = { tool: "order.track", arguments: {} };
    for (let count = 0; count < 2; count += 1) await first.turn.call(call);
    await shared.clock.advance(seenMs);
    expect(codeOf(await second.turn.call(call))).toBe("TOOL_UNAVAILABLE");
    expect(asked).toEqual(["first", "first"]);

    isDown = false;
    await shared.clock.advance(10_000);
    expect((await second.turn.call(call)).outcome.kind).toBe("completed");
    await shared.clock.advance(seenMs);
    expect((await first.turn.call(call)).outcome.kind).toBe("completed");
    expect(asked).toEqual(["first", "first", "second", "first"]);
  },
);

test(verifies("EXEC-03", "processes that tell each other admit no more than burst and refill, and what came between two pulses"), () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ process: fc.nat(2), gapMs: fc.nat(300), calls: fc.nat(3) }), { maxLength: 150 }),
      fc.integer({ min: 1, max: 20 }),
      (steps, everySteps) => {
        const options = { perMinute: 60, burst: 5, keysMax: 10 };
        const throttles = [createThrottle(options), createThrottle(options), createThrottle(options)];
        let nowMs = 0;
        let admitted = 0;
        let between = 0;
        let betweenMost = 0;
        for (const [index, { process, gapMs, calls }] of steps.entries()) {
          nowMs += gapMs;
          for (let call = 0; call < calls; call += 1) {
            if (throttles[process]?.take("k", nowMs) !== 0) continue;
            admitted += 1;
            between += 1;
          }
          betweenMost = Math.max(betweenMost, between);
          if (index % everySteps > 0) continue;
          const told = throttles.map((throttle) => throttle.takenSince().get("k") ?? 0);
          for (const [own, throttle] of throttles.entries())
            for (const [other, count] of told.entries()) if (other !== own && count > 0) throttle.charge("k", count, nowMs);
          between = 0;
        }
        expect(admitted).toBeLessThanOrEqual(5 + Math.floor(nowMs / 1_000) + betweenMost);
      },
    ),
  );
});

test("a bucket is never more than a burst in debt, and a rate that only others used so far counts too", () => {
  const throttle = createThrottle({ perMinute: 60, burst: 2, keysMax: 1 });
  throttle.charge("k", 1_000_000, 0);
  expect(throttle.take("k", 2_000)).toBe(1_000);
  expect(throttle.take("k", 3_000)).toBe(0);
  const rates = createToolRates({ keysMax: 1 });
  rates.charge("60:acme/order.get", 1_000, 0);
  rates.charge("nonsense", 1_000, 0);
  expect(rates.take({ tenant: "acme", tool: "order.get", perMinute: 60, nowMonotonicMs: 0 })).toBeGreaterThan(0);
});

test("a process tells of no more than `pulseKeysMax` keys, and reads no more than `pulseProcessesMax` others", async () => {
  const shared = { ...world(), limits: { pulseKeysMax: 1, pulseProcessesMax: 1 } };
  const { box, turn } = await shopBox(shared);
  const other = await box.session({ tenant: "acme", user: "bob", roles: ["support"] });
  await turn.call(read);
  await other.turn().call(read);
  await shared.clock.advance(defaultLimits.pulseMs);
  const [row] = await shared.store.scan({ space: "pulse", tenant: "", limit: 10 });
  expect(row?.body).toMatchObject({ rates: { principals: { [JSON.stringify(["acme", "bob"])]: 1 }, tools: {} } });
  // The others are read in the order of their names; a process reads itself among them.
  const second = await shopBox(shared);
  await second.turn.call(read);
  await shared.clock.advance(seenMs);
  expect((await turn.call(read)).outcome.kind).toBe("completed");
});

test(verifies("OPS-02", "a policy that one process puts in force is in force in all of them within a second"), async () => {
  const shared = world();
  const first = await shopBox(shared);
  const second = await shopBox(shared);
  await first.box.activatePolicy(refusing, "operator");
  await shared.clock.advance(defaultLimits.pulseMs);
  expect(second.box.health().policyVersion).toBe(first.box.health().policyVersion);
  expect(codeOf(await second.turn.call(read))).toBe("PERMISSION_DENIED");
  expect(await shared.store.entries({ kind: "policy-activated", limit: 10 })).toHaveLength(2);
});

test(verifies("OPS-02", "what was put in force over the API outlives a restart, until the file itself changes"), async () => {
  const shared = world();
  const first = await shopBox(shared);
  await first.box.activatePolicy(refusing, "operator");
  const { policyVersion } = first.box.health();
  const restarted = await shopBox(shared);
  expect(restarted.box.health().policyVersion).toBe(policyVersion);
  const changed = { ...openPolicy, roles: { support: ["order.get"] } };
  const newer = await shopBox({ ...shared, policy: changed });
  expect(newer.box.health().policyVersion).not.toBe(policyVersion);
  await shared.clock.advance(defaultLimits.pulseMs);
  expect(first.box.health().policyVersion).toBe(newer.box.health().policyVersion);
  // The changed file is the one that is known now.
  await newer.box.activatePolicy(refusing, "operator");
  expect((await shopBox({ ...shared, policy: changed })).box.health().policyVersion).toBe(policyVersion);
});

test("a policy in the store that this program cannot read is reported once, and the one in force stays", async () => {
  const shared = world();
  const troubles: Trouble[] = [];
  const { box } = await shopBox({ ...shared, onTrouble: (trouble) => troubles.push(trouble) });
  const { policyVersion } = box.health();
  await shared.store.commit({
    operations: [
      { op: "put", key: { space: "policy", tenant: "", key: "active" }, body: { version: "newer", by: "x" } },
      { op: "put", key: { space: "policy", tenant: "", key: "document" }, body: { version: "newer", document: { wonders: true } } },
    ],
    entries: [],
  });
  await shared.clock.advance(seenMs);
  expect(box.health()).toMatchObject({ policyVersion, ready: true });
  expect(troubles.map(({ where }) => where)).toEqual(["policy"]);
});

test(verifies("OPS-03", "a process whose store is away says that it is not ready, and is ready again when it is back"), async () => {
  const shared = world();
  let isAway = false;
  const away = <Value>(work: () => Promise<Value>): Promise<Value> => (isAway ? Promise.reject(new Error("away")) : work());
  const store = { ...shared.store, scan: (range: Parameters<typeof shared.store.scan>[0]) => away(() => shared.store.scan(range)) };
  const { box } = await shopBox({ ...shared, store });
  expect(box.health()).toMatchObject({ ready: true, problems: [] });
  isAway = true;
  await shared.clock.advance(defaultLimits.storeAwayMs + defaultLimits.pulseMs);
  expect(box.health()).toMatchObject({ ready: false, problems: expect.arrayContaining(["the store cannot be reached"]) as string[] });
  isAway = false;
  await shared.clock.advance(defaultLimits.pulseMs);
  expect(box.health()).toMatchObject({ ready: true });
});

test("a look at the store that gets no answer counts as away too", async () => {
  const shared = world();
  const silent = sleeper(shared.store);
  const { box } = await shopBox({ ...shared, store: silent.store });
  silent.sleep();
  await shared.clock.advance(defaultLimits.storeAwayMs + defaultLimits.pulseMs);
  expect(box.health().ready).toBe(false);
  silent.wake();
  await shared.clock.advance(2 * defaultLimits.pulseMs);
  expect(box.health().ready).toBe(true);
});
