import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { verifies } from "../verifies.ts";
import { frailOpenMs, startInstallation, type Installation, type Reply } from "./installation.ts";
import { freePorts, startProgram, type Program } from "./program.ts";

const gatewayCount = 3;
/** Told every 100 ms, and heard at once. */
const toldMs = 200;
const rounds = 6;
/** The store is looked at so seldom that only what came over Redis is known in time. */
const pulseMs = 5_000;
/** One tool's failures are not to close the whole source. */
const patientSource = "upstreams: { effect: { breaker: { failures: 1000 } } }\n";

let all: Installation;
let redis: Program;
let redisPort: string;
beforeAll(async () => {
  redisPort = String((await freePorts(1))[0]);
  redis = startRedis();
  all = await startInstallation(gatewayCount, {
    limits: { pulseMs },
    settings: `${patientSource}sharedLimits: redis://127.0.0.1:${redisPort}\n`,
  });
});
afterAll(async () => {
  await all.close();
  await redis.end();
});

function startRedis(): Program {
  return startProgram("redis-server", ["--bind", "127.0.0.1", "--port", redisPort, "--save", "", "--appendonly", "no"]);
}

let names = 0;
function call(index: number, session: string, tool: string, kind = "redis"): Promise<Reply> {
  names += 1;
  const order = `${kind}-${names}`;
  return all.ask(all.slots[index]?.address as string, "agent", "/v1/calls", { session, tool, arguments: { order }, key: order });
}

function ending({ body }: Reply): string {
  const outcome = (body["outcome"] ?? body) as { readonly kind?: string; readonly error?: { readonly code: string } };
  return outcome.error?.code ?? outcome.kind ?? "";
}

function complaints(index: number): number {
  return (all.slots[index]?.process?.said() ?? "").split('"sharedLimits"').length - 1;
}

async function problems(index: number): Promise<unknown> {
  return (await all.ask(all.slots[index]?.address as string, "operator", "/v1/health")).body["problems"];
}

test(
  verifies("OPS-02", "EXEC-03", "over Redis what uses a tool's rate up at one gateway is refused at the others within 200 ms"),
  async () => {
    const session = await all.openSession("ada");
    for (let round = 0; round < rounds; round += 1) {
      const tool = `effect.once${round}`;
      expect(ending(await call(0, session, tool))).toBe("completed");
      await pause(toldMs);
      expect(await Promise.all([1, 2].map(async (index) => ending(await call(index, session, tool))))).toEqual([
        "RATE_LIMITED",
        "RATE_LIMITED",
      ]);
    }
  },
);

/** Lets a tool fail at one gateway until it is left alone there. */
async function breakDown(index: number, session: string, tool: string): Promise<void> {
  const endings: string[] = [];
  while (endings.at(-1) !== "TOOL_UNAVAILABLE" && endings.length < 5) endings.push(ending(await call(index, session, tool, "down")));
  expect(endings).toContain("TOOL_FAILED");
  expect(endings.at(-1)).toBe("TOOL_UNAVAILABLE");
}

test(
  verifies("OPS-02", "EXEC-03", "over Redis a breaker that opens or closes at one gateway does so at the others within 200 ms"),
  async () => {
    const session = await all.openSession("ada");
    for (const [round, openMs] of frailOpenMs.slice(0, 2).entries()) {
      const tool = `effect.frail${round}`;
      await breakDown(0, session, tool);
      const openedAt = systemClock.monotonic();
      await pause(toldMs);
      const refused = await Promise.all([1, 2].map(async (index) => ending(await call(index, session, tool))));
      expect(refused).toEqual(["TOOL_UNAVAILABLE", "TOOL_UNAVAILABLE"]);
      // Only who heard that the probe of another went well lets calls through.
      await pause(openedAt + openMs + 100 - systemClock.monotonic());
      expect(ending(await call(1, session, tool))).toBe("completed");
      await pause(toldMs);
      expect(await Promise.all([0, 2].map(async (index) => ending(await call(index, session, tool))))).toEqual(["completed", "completed"]);
    }
  },
);

test(
  verifies("OPS-02", "EXEC-03", "a Redis that is killed fails no call, is named by health, and is used again when it is back"),
  async () => {
    const session = await all.openSession("ada");
    const saidBefore = [0, 1, 2].map(complaints);
    await redis.end();
    const untilMs = systemClock.monotonic() + 6_000;
    let count = 0;
    while (systemClock.monotonic() < untilMs) {
      const endings = await Promise.all([0, 1, 2].map(async (index) => ending(await call(index, session, "effect.keyed"))));
      expect(endings).toEqual(["completed", "completed", "completed"]);
      count += 3;
    }
    for (const index of [0, 1, 2]) {
      expect(JSON.stringify(await problems(index))).toContain("limits are told through the store");
      expect(complaints(index)).toBe((saidBefore[index] ?? 0) + 1);
    }
    expect(count).toBeGreaterThan(0);

    // What is told meanwhile is told through the store.
    expect(ending(await call(0, session, "effect.once6"))).toBe("completed");
    await breakDown(0, session, "effect.frail2");
    await pause(2 * pulseMs + 1_000);
    expect(ending(await call(1, session, "effect.once6"))).toBe("RATE_LIMITED");
    const left = await Promise.all([1, 2].map(async (index) => ending(await call(index, session, "effect.frail2"))));
    expect(left).toEqual(["TOOL_UNAVAILABLE", "TOOL_UNAVAILABLE"]);

    redis = startRedis();
    for (const index of [0, 1, 2]) await expect.poll(() => problems(index), { timeout: 15_000 }).toEqual([]);
    expect(ending(await call(0, session, "effect.once7"))).toBe("completed");
    await pause(toldMs);
    expect(ending(await call(1, session, "effect.once7"))).toBe("RATE_LIMITED");
  },
);
