import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../verifies.ts";
import { patientLimits, startInstallation, type Installation } from "./installation.ts";
import { effectsOf, openSessions, printRows, replaceInTurn, startSteadyLoad } from "./steady-load.ts";

const gatewayCount = 4;
const callsPerSecond = 200;
const sessionCount = 40;

let all: Installation;
beforeAll(async () => {
  all = await startInstallation(gatewayCount, { limits: patientLimits });
});
afterAll(async () => {
  await all.close();
});

test(
  verifies(
    "OPS-02",
    "EXEC-12",
    `every gateway is restarted in turn under ${callsPerSecond} calls a second: no call fails, and none happens twice`,
  ),
  async () => {
    const sessions = await openSessions(all, sessionCount);
    const load = startSteadyLoad(all, { prefix: "rolling", callsPerSecond, sessions, tools: ["effect.keyed"] });
    await pause(2_000);
    const tookMs = await replaceInTurn(all);
    await pause(1_000);
    await load.stop();

    const effects = await effectsOf(all, "rolling");
    printRows("rolling restart", {
      ...load.rows(),
      "restarts, one after the other": `${gatewayCount} in ${Math.round(tookMs)} ms`,
      "effects, twice": `${effects.count}, ${effects.twice.length}`,
    });
    expect(load.problems).toEqual([]);
    expect(effects).toEqual({ count: load.count, twice: [] });
    const verified = await all.ask(all.address, "operator", "/v1/ledger/verify");
    expect(verified.body).toMatchObject({ ok: true });
  },
);
