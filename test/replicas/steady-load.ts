import { availableParallelism, loadavg } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import type { Installation } from "./installation.ts";

const openMax = 60;

/** What a load is made of. */
export interface SteadyLoadOptions {
  /** Names of orders begin so. */
  readonly prefix: string;
  readonly callsPerSecond: number;
  readonly sessions: readonly string[];
  /** Called in turn. */
  readonly tools: readonly string[];
}

/** Calls that come at a steady pace, whether or not the ones before were answered, each under a key of its own. Nothing is ever sent again. */
export interface SteadyLoad {
  readonly problems: readonly string[];
  readonly count: number;
  /** For the eye: how many were made and how long they took, in rows. */
  rows(): Readonly<Record<string, string | number>>;
  stop(): Promise<void>;
}

/** Starts it; clients ask the balancer. */
export function startSteadyLoad(all: Installation, { prefix, callsPerSecond, sessions, tools }: SteadyLoadOptions): SteadyLoad {
  const problems: string[] = [];
  const latenciesMs: number[] = [];
  const open = new Set<Promise<void>>();
  const startedAt = systemClock.monotonic();
  let count = 0;
  let skipped = 0;
  let isStopped = false;

  async function one(order: string, session: string, tool: string): Promise<void> {
    const sentAt = systemClock.monotonic();
    try {
      const reply = await all.ask(all.address, "agent", "/v1/calls", { session, tool, arguments: { order }, key: order });
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
        const session = sessions[count % sessions.length] as string;
        const call = one(`${prefix}-${count}`, session, tools[count % tools.length] as string).finally(() => open.delete(call));
        open.add(call);
      }
      await pause(5);
    }
  }

  const pacing = pace();
  return {
    problems,
    get count() {
      return count;
    },
    rows() {
      const latencies = [...latenciesMs].sort((left, right) => left - right);
      return {
        [`calls, one every ${1_000 / callsPerSecond} ms`]: `${count}, ${Math.round(count / ((systemClock.monotonic() - startedAt) / 1_000))} a second`,
        failed: problems.length,
        "answered, median / 99 % / last": [0.5, 0.99, 1]
          .map((part) => `${Math.round(latencies[Math.ceil(latencies.length * part) - 1] ?? 0)} ms`)
          .join(" / "),
        "processes that wanted to run, per processor": ((loadavg()[0] ?? 0) / availableParallelism()).toFixed(1),
      };
    },
    async stop() {
      isStopped = true;
      await pacing;
      await Promise.all(open);
    },
  };
}

/** Sessions of as many users. */
export async function openSessions(all: Installation, count: number): Promise<readonly string[]> {
  return await Promise.all(Array.from({ length: count }, (_, index) => all.openSession(`user-${index}`)));
}

/** How many orders with this beginning had an effect, and those that had more than one. */
export async function effectsOf(all: Installation, prefix: string): Promise<{ readonly count: number; readonly twice: readonly string[] }> {
  const seen = (await all.effects()).filter(({ order }) => order.startsWith(prefix));
  const orders = Map.groupBy(seen, ({ order }) => order);
  return { count: orders.size, twice: [...orders].filter(([, each]) => each.length > 1).map(([order]) => order) };
}

/** Ends the gateways in turn as an operator would, each replaced by a gateway of `program` before the next one; says how long it took. */
export async function replaceInTurn(all: Installation, program?: string, after?: (index: number) => Promise<void>): Promise<number> {
  const startedAt = systemClock.monotonic();
  for (const [index, slot] of all.slots.entries()) {
    slot.process?.signal("SIGTERM");
    const exit = await slot.process?.exited;
    if (exit?.code !== 0)
      throw new Error(`gateway ${index} ended with ${JSON.stringify(exit)}: ${slot.process?.said().slice(-2_000) ?? ""}`);
    await slot.start(program);
    await after?.(index);
  }
  return systemClock.monotonic() - startedAt;
}

/** Prints rows under a heading. */
export function printRows(heading: string, rows: Readonly<Record<string, string | number>>): void {
  const lines = Object.entries(rows).map(([name, value]) => `  ${name.padEnd(46)}${String(value)}`);
  process.stdout.write(`\n${heading}\n${lines.join("\n")}\n`);
}
