import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { openPostgresReader } from "../../src/store/postgres-reader.ts";
import { startTestServer, type TestServer } from "../../src/store/postgres.fixture.ts";
import { inspect, judgeOrder, waitingLeft, type Ends, type SeenEffect } from "../crash/checks.ts";
import { carryOut, common, rare, type Kill } from "../crash/kills.ts";
import { settledEnd, startLoad, type Load } from "../crash/load.ts";
import { startProcess, type RunningProcess } from "../crash/processes.ts";
import { seeded } from "../crash/seeded.ts";
import { verifies } from "../verifies.ts";
import { createFleet } from "./fleet.ts";

const clientCount = 12;
const databaseKills = 10;
const settleAttemptsMax = 300;
const seed = Number(process.env["CRASH_SEED"] ?? Math.floor(systemRandom.sample() * 1_000_000));

let folder: string;
let counter: RunningProcess;
let counterUrl: string;
let postgres: TestServer;
let store: string;
let fleet: ReturnType<typeof createFleet>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalbox-kills-"));
  counter = startProcess("counter-service.ts", {});
  counterUrl = `http://127.0.0.1:${String((await counter.firstLine)?.["port"])}`;
  postgres = await startTestServer();
  store = await postgres.newDatabase();
  fleet = createFleet({
    STORE_URL: store,
    STORE_PATH: join(folder, "store"),
    ANCHOR_PATH: join(folder, "anchors.jsonl"),
    COUNTER_URL: counterUrl,
    NODE_COMPILE_CACHE: join(folder, "compiled"),
  });
});
afterEach(async () => {
  await fleet.stop();
  counter.signal("SIGKILL");
  await counter.exited;
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

async function arm(pid: number, effects: number): Promise<void> {
  await fetch(`${counterUrl}/arm`, { method: "POST", body: JSON.stringify({ pid, effects }) });
}

/** Every point of the journey once, at an effect, and at random moments, in an order that the seed decides. */
function plan(random: ReturnType<typeof seeded>): readonly Kill[] {
  const kills: Kill[] = [
    ...common.map((point): Kill => ({ kind: "point", point, after: random.below(20) })),
    ...rare.map((point): Kill => ({ kind: "point", point, after: random.below(2) })),
    { kind: "point", point: "after-send", after: 1 + random.below(4) },
    { kind: "effect", effects: 1 + random.below(10) },
    ...Array.from({ length: 3 }, (): Kill => ({ kind: "random", afterMs: 20 + random.below(500) })),
  ];
  return kills
    .map((kill) => ({ kill, rank: random.sample() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ kill }) => kill);
}

/** Asks for every call that any client ever heard of, and says what is wrong with any order. */
async function judge(load: Load): Promise<{ readonly problems: readonly string[]; readonly counts: Readonly<Record<string, unknown>> }> {
  const { effects } = (await (await fetch(`${counterUrl}/report`)).json()) as { readonly effects: readonly SeenEffect[] };
  const left = [...load.orders];
  const problems: string[] = [...load.surprises];
  const ended: Record<string, number> = {};
  const byOrder = Map.groupBy(effects, ({ order }) => order);
  const isFinal = (kind: string) => (told: { readonly outcome: string }) =>
    told.outcome !== "pending" && (told.outcome !== "unknown" || kind === "opaque");
  async function worker(): Promise<void> {
    for (let order = left.shift(); order !== undefined; order = left.shift()) {
      const ends = new Map<string, Ends extends ReadonlyMap<string, infer End> ? End : never>();
      for (const callId of new Set(order.acknowledgements.map((said) => said.callId)))
        ends.set(callId, await settledEnd(fleet, callId, settleAttemptsMax, isFinal(order.kind)));
      for (const end of ends.values()) ended[end?.outcome ?? "lost"] = (ended[end?.outcome ?? "lost"] ?? 0) + 1;
      problems.push(...judgeOrder(order, ends, byOrder.get(order.id) ?? []));
    }
  }
  await Promise.all(Array.from({ length: clientCount }, worker));
  const doubled = [...byOrder.values()].filter((each) => each.length > 1).length;
  return { problems, counts: { orders: load.orders.length, effects: effects.length, doubled, ...ended } };
}

/** Stops everybody in order, and looks at what the store says by itself. */
async function expectWholeStore({ users }: Load, counts: Readonly<Record<string, unknown>>): Promise<void> {
  const exits = await fleet.stop();
  const reader = openPostgresReader({ connectionString: store, clock: systemClock });
  try {
    const { verification, problems, plannedCount } = await inspect(reader, {
      keysPath: join(folder, "store.keys"),
      anchorPath: join(folder, "anchors.jsonl"),
    });
    const rows = { ...counts, "ran under a plan": plannedCount, "ledger entries verified": verification.entries, seed };
    process.stdout.write(
      `\n${Object.entries(rows)
        .map(([name, value]) => `  ${name.padEnd(42)}${String(value)}`)
        .join("\n")}\n`,
    );
    expect.soft(problems).toEqual([]);
    expect.soft(await waitingLeft(reader, users)).toEqual([]);
    expect.soft(plannedCount).toBeGreaterThan(0);
    expect.soft(verification).toMatchObject({ ok: true, problems: [] });
    expect.soft(exits.every((code) => code === 0)).toBe(true);
  } finally {
    await reader.close();
  }
}

test(
  verifies(
    "OPS-02",
    "RUN-01",
    "EXEC-07",
    `one of three gateways on PostgreSQL is killed again and again under load: no answer is lost, no effect repeated (seed ${seed})`,
  ),
  async () => {
    const random = seeded(seed);
    await fleet.start({});
    await fleet.start({});
    const load = startLoad(fleet, random, clientCount);
    const kills = plan(random);
    const { deaths } = await carryOut(kills, fleet, arm);
    await load.finish();
    const { problems, counts } = await judge(load);
    const died = [...deaths.values()].reduce((sum, each) => sum + each, 0);
    await expectWholeStore(load, { "gateways killed": died, "at points": deaths.size, ...counts });
    expect(problems).toEqual([]);
    expect(died).toBeGreaterThanOrEqual(15);
  },
);

test(
  verifies(
    "OPS-02",
    "RUN-01",
    "EXEC-07",
    `PostgreSQL itself is killed ${databaseKills} times under load: nothing that was acknowledged is lost (seed ${seed})`,
  ),
  async () => {
    const random = seeded(seed);
    for (let count = 0; count < 3; count += 1) await fleet.start({});
    const load = startLoad(fleet, random, clientCount);
    for (let kill = 0; kill < databaseKills; kill += 1) {
      const before = load.orders.length;
      await expect.poll(() => load.orders.length, { timeout: 60_000, interval: 5 }).toBeGreaterThan(before + 10);
      await pause(random.below(300));
      await postgres.killAndStart();
    }
    await load.finish();
    const { problems, counts } = await judge(load);
    await expectWholeStore(load, { "times the database was killed": databaseKills, ...counts });
    expect(problems).toEqual([]);
  },
);
