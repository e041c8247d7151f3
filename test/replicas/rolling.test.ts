import { systemClock } from "../../src/base/clock.ts";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../verifies.ts";
import { startInstallation, type Installation } from "./installation.ts";

const gatewayCount = 4;
const callsPerSecond = 200;
const sessionCount = 40;
const openMax = 200;

let all: Installation;
beforeAll(async () => {
  all = await startInstallation(gatewayCount);
});
afterAll(async () => {
  await all.close();
});

/** Calls that come at a steady pace, whether or not the ones before were answered, each under a key of its own. Nothing is ever sent again. */
interface SteadyLoad {
  readonly problems: readonly string[];
  readonly latenciesMs: readonly number[];
  readonly count: number;
  stop(): Promise<void>;
}

function startSteadyLoad(sessions: readonly string[]): SteadyLoad {
  const problems: string[] = [];
  const latenciesMs: number[] = [];
  const open = new Set<Promise<void>>();
  const startedAt = systemClock.monotonic();
  let count = 0;
  let skipped = 0;
  let isStopped = false;

  async function one(order: string, session: string): Promise<void> {
    const sentAt = systemClock.monotonic();
    try {
      const body = { session, tool: "effect.keyed", arguments: { order }, key: order };
      const reply = await all.ask(all.address, "agent", "/v1/calls", body);
      const { kind } = (reply.body["outcome"] ?? {}) as { readonly kind?: string };
      if (kind !== "completed") problems.push(`${order}: ${reply.status} ${JSON.stringify(reply.body).slice(0, 300)}`);
    } catch (cause) {
      problems.push(`${order}: ${String((cause as Error).cause ?? cause)}`);
    }
    latenciesMs.push(systemClock.monotonic() - sentAt);
  }

  async function pace(): Promise<void> {
    while (!isStopped) {
      const due = Math.floor(((systemClock.monotonic() - startedAt) / 1_000) * callsPerSecond);
      for (; count + skipped < due; count += 1) {
        // On a machine that is too busy calls would pile up without end; the pace that was kept is told.
        if (open.size >= openMax) {
          skipped = due - count;
          break;
        }
        const call = one(`rolling-${count}`, sessions[count % sessions.length] as string).finally(() => open.delete(call));
        open.add(call);
      }
      await pause(5);
    }
  }

  const pacing = pace();
  return {
    problems,
    latenciesMs,
    get count() {
      return count;
    },
    async stop() {
      isStopped = true;
      await pacing;
      await Promise.all(open);
    },
  };
}

test(
  verifies(
    "OPS-02",
    "EXEC-12",
    `every gateway is restarted in turn under ${callsPerSecond} calls a second: no call fails, and none happens twice`,
  ),
  async () => {
    const sessions = await Promise.all(Array.from({ length: sessionCount }, (_, index) => all.openSession(`user-${index}`)));
    const loadedAt = systemClock.monotonic();
    const load = startSteadyLoad(sessions);
    await pause(2_000);
    const startedAt = systemClock.monotonic();
    for (const slot of all.slots) {
      slot.process?.signal("SIGTERM");
      expect(await slot.process?.exited).toEqual({ code: 0, signal: null });
      await slot.start();
    }
    const tookMs = systemClock.monotonic() - startedAt;
    await pause(1_000);
    await load.stop();

    const effects = Map.groupBy(await all.effects(), ({ order }) => order);
    const latencies = [...load.latenciesMs].sort((left, right) => left - right);
    const rows = {
      "calls, one every 5 ms": `${load.count}, ${Math.round(load.count / ((systemClock.monotonic() - loadedAt) / 1_000))} a second`,
      "restarts, one after the other": `${gatewayCount} in ${Math.round(tookMs)} ms`,
      failed: load.problems.length,
      "effects, twice": `${effects.size}, ${[...effects.values()].filter((each) => each.length > 1).length}`,
      "answered, median / 99 % / last": [0.5, 0.99, 1]
        .map((part) => `${Math.round(latencies[Math.ceil(latencies.length * part) - 1] ?? 0)} ms`)
        .join(" / "),
      "processes that wanted to run, per processor": ((loadavg()[0] ?? 0) / availableParallelism()).toFixed(1),
    };
    process.stdout.write(
      `\nrolling restart\n${Object.entries(rows)
        .map(([name, value]) => `  ${name.padEnd(46)}${String(value)}`)
        .join("\n")}\n`,
    );
    expect(load.problems).toEqual([]);
    expect(effects.size).toBe(load.count);
    expect([...effects.values()].filter((each) => each.length > 1)).toEqual([]);
    const verified = await all.ask(all.address, "operator", "/v1/ledger/verify");
    expect(verified.body).toMatchObject({ ok: true });
  },
);
