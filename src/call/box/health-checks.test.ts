import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { z } from "zod";
import { codeOf, shopBox } from "../../../test/support/box.ts";
import { manualClock, type ManualClock } from "../../../test/support/manual-clock.ts";
import { systemRandom } from "../../base/random.ts";
import { verifies } from "../../../test/verifies.ts";
import { defaultLimits } from "../../base/limits.ts";
import { healthCheckProblem, httpHealthCheck } from "../../connectors/http-health-check.ts";
import type { HealthCheck } from "../../domain/health-check.ts";
import { tool } from "../../registry/define.ts";
import { createResilience } from "../../resilience/resilience.ts";
import type { Guards, Protection } from "../../resilience/guards.ts";
import { startHealthChecks, type HealthChecks } from "./health-checks.ts";

type Act = "well" | "ill" | "hang" | "throw";
const url = "https://crm.example/healthz";
const breaker = { failures: 3, openMs: 30_000, probes: 1 };

/** Checks of one source that find what the script says, and `well` when it is at its end. */
function checked(script: Act[]): {
  readonly clock: ManualClock;
  readonly guards: Guards;
  readonly checks: HealthChecks;
  readonly asked: number[];
  readonly faults: unknown[];
} {
  const clock = manualClock();
  const asked: number[] = [];
  const faults: unknown[] = [];
  const sources: Readonly<Record<string, Protection>> = { crm: { breaker, healthCheck: { url } }, other: { breaker } };
  const { guards } = createResilience({ clock, random: systemRandom, limits: defaultLimits, sources });
  const make = (): HealthCheck => ({
    ask(signal) {
      asked.push(clock.monotonic());
      const act = script.shift() ?? "well";
      if (act === "throw") throw new Error("a bug");
      if (act !== "hang") return Promise.resolve(act === "well");
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(undefined));
      });
    },
    close: () => Promise.resolve(),
  });
  const reportFault = (_where: string, cause: unknown): void => void faults.push(cause);
  const checks = startHealthChecks({ clock, limits: defaultLimits, guards, sources, make, reportFault });
  return { clock, guards, checks, asked, faults };
}

const stateOf = (guards: Guards): string | undefined => guards.ofSource("crm")?.breaker.state;

test(
  verifies("REG-06", "a source that nobody calls is marked after so many bad checks, and restored by good ones, both in a stated time"),
  async () => {
    const { clock, guards, checks, asked } = checked(["well", "ill", "hang", "ill"]);
    await clock.advance(defaultLimits.healthCheckMs);
    expect(stateOf(guards)).toBe("closed");
    // A check that is not answered takes `healthCheckTimeoutMs`, and the next one comes so much later.
    await clock.advance(3 * defaultLimits.healthCheckMs + defaultLimits.healthCheckTimeoutMs - 1);
    expect(stateOf(guards)).toBe("closed");
    await clock.advance(1);
    expect(stateOf(guards)).toBe("open");
    expect(guards.ofSource("crm")?.stats.lastFailure?.message).toBe("did not say that it is well");
    expect(asked).toHaveLength(4);
    // Open it is left alone; then the next check is its probe.
    await clock.advance(breaker.openMs - 1);
    expect(asked).toHaveLength(4);
    await clock.advance(defaultLimits.healthCheckMs);
    expect(stateOf(guards)).toBe("closed");
    await checks.stop();
    await clock.advance(600_000);
    expect(asked).toHaveLength(5);
  },
);

test("a bad probe leaves it open, and what a check could not learn counts for nothing", async () => {
  const { clock, guards, checks, asked } = checked(["ill", "ill", "ill", "ill", "hang"]);
  await clock.advance(3 * defaultLimits.healthCheckMs);
  expect(stateOf(guards)).toBe("open");
  await clock.advance(breaker.openMs);
  expect([stateOf(guards), asked.length]).toEqual(["open", 4]);
  await clock.advance(breaker.openMs);
  expect([stateOf(guards), asked.length]).toEqual(["half-open", 5]);
  await checks.stop();
  // Its place among the probes is free again.
  let isFree = false;
  await guards.check("crm", () => Promise.resolve((isFree = true)));
  expect([isFree, stateOf(guards)]).toEqual([true, "closed"]);
});

test("a check that breaks is reported, and the next one comes", async () => {
  const { clock, guards, checks, asked, faults } = checked(["throw", "well"]);
  await clock.advance(2 * defaultLimits.healthCheckMs);
  expect([asked.length, faults.length, stateOf(guards)]).toEqual([2, 1, "closed"]);
  await checks.stop();
});

async function serverOf(answer: (request: IncomingMessage) => number): Promise<{ readonly host: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    response.writeHead(answer(request), { location: "http://127.0.0.1:1/" }).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

test(
  verifies("REG-06", "tools of a source that says it is not well are refused before anything is sent, and run again when it is well"),
  async () => {
    let status = 503;
    let askedCount = 0;
    const server = await serverOf(() => {
      askedCount += 1;
      return status;
    });
    const upstreams = {
      crm: { breaker: { failures: 2, openMs: 1_000 }, healthCheck: { url: `http://${server.host}/`, allowPrivate: [server.host] } },
    };
    let ranCount = 0;
    const find = tool({
      name: "crm.find",
      tier: "read",
      source: "crm",
      description: "Find a customer.",
      input: z.object({}),
      run: () => (ranCount += 1),
    });
    const { box, turn, clock } = await shopBox({ upstreams, tools: [find], policy: { roles: { support: ["crm.*"] } } });
    const source = (): unknown => box.healthReport().sources.find((each) => each.source === "crm");
    const check = async (count: number): Promise<void> => {
      await clock.advance(defaultLimits.healthCheckMs);
      await expect.poll(() => askedCount).toBe(count);
    };
    await check(1);
    await expect.poll(source).toMatchObject({ lastFailure: { message: "did not say that it is well" } });
    expect(source()).toMatchObject({ breaker: "closed" });
    await check(2);
    await expect.poll(source).toMatchObject({ state: "open" });
    expect(codeOf(await turn.call({ tool: "crm.find", arguments: {} }))).toBe("TOOL_UNAVAILABLE");
    expect(ranCount).toBe(0);
    status = 200;
    await check(3);
    await expect.poll(source).toMatchObject({ breaker: "closed" });
    expect((await turn.call({ tool: "crm.find", arguments: {} })).outcome.kind).toBe("completed");
    await box.close();
    await server.close();
    await expect(shopBox({ upstreams: { crm: { healthCheck: { url: "http://crm.example/" } } } })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^`crm` cannot be asked for health: .*without TLS/) as string,
    });
  },
);

test("over HTTP 200 to 399 is well; anything else, nobody, and a redirect that would have to be followed elsewhere are asked once and no further", async () => {
  let status = 204;
  const paths: string[] = [];
  const server = await serverOf((request) => {
    paths.push(`${request.method} ${request.url} ${String(request.headers.authorization)}`);
    return status;
  });
  const { host } = server;
  const check = httpHealthCheck({ url: `http://${host}/healthz`, allowPrivate: [host] }, defaultLimits);
  const found: (boolean | undefined)[] = [];
  for (status of [204, 302, 404, 503]) found.push(await check.ask(new AbortController().signal));
  expect(found).toEqual([true, true, false, false]);
  expect(new Set(paths)).toEqual(new Set(["GET /healthz undefined"]));
  expect(await check.ask(AbortSignal.abort())).toBeUndefined();
  await server.close();
  expect(await check.ask(new AbortController().signal)).toBe(false);
  await check.close();
  expect(healthCheckProblem({ url: `http://${host}/healthz` })).toMatch(/without TLS/);
  expect(healthCheckProblem({ url: "nowhere" })).toBe("it is no URL");
  expect(() => httpHealthCheck({ url: "https://10.0.0.1/" }, defaultLimits)).toThrow(/cannot be asked for health/);
});
