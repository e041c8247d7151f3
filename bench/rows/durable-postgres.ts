/** Rows of the durable call on PostgreSQL, a server of its own on loopback: one caller, and 64 callers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { startTestServer } from "../../src/store/postgres.fixture.ts";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { bytesOf, callName, captureRows, openDurableBoxOn, type DurableBox } from "../durable-call.ts";
import { openRawPostgres, type RawPostgres } from "../floors/postgres.ts";
import type { RawCall } from "../floors/sqlite.ts";
import { medianMs, perSecond } from "../load.ts";
import { atLeast, atMost, cpuMicros, isQuick, median, print, type Row } from "../measure.ts";

const callersCount = 64;
const roundsCount = isQuick ? 4 : 10;
const loneCallsCount = isQuick ? 150 : 400;
const sharedCallsCount = isQuick ? 2_000 : 6_000;
const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-"));
let numbersCount = 0;

/** The number of the first of so many calls, none of which was made before. */
function numbers(count: number): number {
  numbersCount += count;
  return numbersCount - count;
}

async function oneCaller(product: DurableBox, raw: RawPostgres, rows: RawCall): Promise<Row> {
  const [gate, settle] = [bytesOf(rows.gate), bytesOf(rows.settle)];
  const [floors, calls, ratios]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < roundsCount * 2; round += 1) {
    const floorMs = await medianMs(loneCallsCount, async () => {
      await raw.bytes(gate);
      await raw.bytes(settle);
    });
    const from = numbers(loneCallsCount);
    const callMs = await medianMs(loneCallsCount, (index) => product.call(from + index, 0));
    // The first rounds warm code, plans and caches up.
    if (round < 2) continue;
    floors.push(floorMs);
    calls.push(callMs);
    ratios.push(callMs / floorMs);
  }
  const about = `${median(calls).toFixed(3)} ms, floor ${median(floors).toFixed(3)} ms; rounds ${each(ratios)}`;
  return atMost("durable-p50-postgres", median(ratios), "× floor", 1.3, `${aim(median(ratios), 1.1)}${about}`);
}

async function manyCallers(product: DurableBox, raw: RawPostgres, rows: RawCall): Promise<Row[]> {
  const floor = (commit: RawPostgres["batched"], base: number) => async (index: number, callerIndex: number) => {
    const names = { call: callName(base + index), session: callName(callerIndex) };
    await commit(rows.gate, names);
    await commit(rows.settle, names);
  };
  const [batched, single, calls, cpus]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < roundsCount; round += 1) {
    const batchedRate = await perSecond(callersCount, sharedCallsCount, floor(raw.batched, numbers(sharedCallsCount)));
    const from = numbers(sharedCallsCount);
    let rate = 0;
    const cpu = await cpuMicros(sharedCallsCount, async () => {
      rate = await perSecond(callersCount, sharedCallsCount, (index, callerIndex) => product.call(from + index, callerIndex));
    });
    const singlesCount = sharedCallsCount / 4;
    const singleRate = await perSecond(callersCount, singlesCount, floor(raw.single, numbers(singlesCount)));
    if (round === 0) continue;
    batched.push(batchedRate);
    calls.push(rate);
    single.push(singleRate);
    cpus.push(cpu);
  }
  const over = (floors: readonly number[]): number[] => calls.map((rate, index) => rate / (floors[index] as number));
  const [toBatched, toSingle] = [over(batched), over(single)];
  return [
    atLeast(
      "durable-throughput-postgres",
      median(toBatched),
      "× floor",
      0.5,
      `${aim(median(toBatched), 0.75)}${median(calls).toFixed(0)}/s at ${median(cpus).toFixed(0)} µs CPU, raw batches ${median(batched).toFixed(0)}/s; rounds ${each(toBatched)}`,
    ),
    atLeast(
      "group-commit-postgres",
      median(toSingle),
      "× floor",
      4,
      `${aim(median(toSingle), 6)}own transactions ${median(single).toFixed(0)}/s; rounds ${each(toSingle)}`,
    ),
  ];
}

/** How far a figure is from what it should become, where that is more than the bar. */
function aim(value: number, wanted: number): string {
  return `aim ${wanted} (${(value / wanted).toFixed(2)} of it); `;
}

function each(values: readonly number[]): string {
  return values.map((value) => value.toFixed(2)).join(" ");
}

const server = await startTestServer();
try {
  const rows = await captureRows(join(folder, "capture.db"));
  const connectionString = await server.newDatabase();
  const raw = await openRawPostgres(connectionString);
  const store = await openPostgresStore({ connectionString, clock: systemClock, random: systemRandom });
  const product = await openDurableBoxOn(store, join(folder, "keys"), callersCount);
  const measured = [await oneCaller(product, raw, rows), ...(await manyCallers(product, raw, rows))];
  await product.box.close();
  print({
    rows: measured,
    notMeasured: ["durable on PostgreSQL: a server behind a network, several processes at once, the server's own CPU, a pooler between"],
  });
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
// The floor's connections are left open.
process.exit(0);
