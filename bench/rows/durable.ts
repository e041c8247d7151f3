/** Rows of the durable call on SQLite: one caller, 64 callers, and how long the store holds the event loop meanwhile. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GroupWriter } from "../../src/store/sqlite-group.ts";
import { bytesOf, callName, captureRows, openDurableBox } from "../durable-call.ts";
import { openRawBytes, openRawRows, type RawCall } from "../floors/sqlite.ts";
import { atLeast, atMost, cpuMicros, isQuick, median, print, quantile, type Row } from "../measure.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-"));
const callersCount = 64;
const roundsCount = isQuick ? 4 : 10;
const loneCallsCount = 250;
const sharedCallsCount = 4_000;
let fileCount = 0;
const file = (name: string): string => join(folder, `${name}-${(fileCount += 1)}.db`);

async function lone(run: (index: number) => unknown, from: number): Promise<number> {
  const samples: number[] = [];
  for (let index = 0; index < loneCallsCount; index += 1) {
    const startedMs = performance.now();
    await run(from + index);
    samples.push(performance.now() - startedMs);
  }
  return median(samples);
}

async function oneCaller(rows: RawCall): Promise<Row> {
  const gate = bytesOf(rows.gate);
  const settle = bytesOf(rows.settle);
  const raw = openRawBytes(file("bytes"));
  const product = await openDurableBox(file("lone"), 1);
  const floors: number[] = [];
  const calls: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < roundsCount * 2; round += 1) {
    const floorMs = await lone(() => {
      raw.gate(gate);
      raw.gate(settle);
    }, 0);
    const callMs = await lone((index) => product.call(index, 0), round * loneCallsCount);
    if (round === 0) continue;
    floors.push(floorMs);
    calls.push(callMs);
    ratios.push(callMs / floorMs);
  }
  raw.close();
  await product.box.close();
  const about = `${median(calls).toFixed(3)} ms, floor ${median(floors).toFixed(3)} ms; rounds ${ratios.map((ratio) => ratio.toFixed(2)).join(" ")}`;
  return atMost("durable-p50-sqlite", median(ratios), "× floor", 1.3, about);
}

async function perSecond(callsCount: number, run: (index: number, callerIndex: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const startedMs = performance.now();
  const one = async (callerIndex: number): Promise<void> => {
    while (next < callsCount) await run(next++, callerIndex);
  };
  await Promise.all(Array.from({ length: callersCount }, (_, index) => one(index)));
  return (callsCount / (performance.now() - startedMs)) * 1_000;
}

async function manyCallers(rows: RawCall): Promise<Row[]> {
  const batched = openRawRows(file("batched"), true);
  const single = openRawRows(file("single"), false);
  const product = await openDurableBox(file("shared"), callersCount);
  const raw = (target: typeof batched, base: number) => async (index: number, callerIndex: number) => {
    const names = { call: callName(base + index), session: callName(callerIndex) };
    await target.commit(rows.gate, names);
    await target.commit(rows.settle, names);
  };
  const stalls = watchFlushes();
  const figures = {
    batched: [] as number[],
    single: [] as number[],
    product: [] as number[],
    cpu: [] as number[],
    toBatched: [] as number[],
    toSingle: [] as number[],
  };
  for (let round = 0; round < roundsCount; round += 1) {
    const base = round * sharedCallsCount;
    const batchedRate = await perSecond(sharedCallsCount, raw(batched, base));
    let productRate = 0;
    const cpu = await cpuMicros(sharedCallsCount, async () => {
      productRate = await perSecond(sharedCallsCount, (index, callerIndex) => product.call(base + index, callerIndex));
    });
    const singleRate = await perSecond(sharedCallsCount / 8, raw(single, base));
    // The first round warms code, caches and files up.
    if (round === 0) {
      stalls.length = 0;
      continue;
    }
    figures.batched.push(batchedRate);
    figures.product.push(productRate);
    figures.single.push(singleRate);
    figures.cpu.push(cpu);
    figures.toBatched.push(productRate / batchedRate);
    figures.toSingle.push(productRate / singleRate);
  }
  batched.close();
  single.close();
  await product.box.close();
  const rate = (values: readonly number[]): string => `${median(values).toFixed(0)}/s`;
  const each = (values: readonly number[]): string => values.map((value) => value.toFixed(2)).join(" ");
  return [
    atLeast(
      "durable-throughput-sqlite",
      median(figures.toBatched),
      "× floor",
      0.5,
      `${rate(figures.product)} at ${median(figures.cpu).toFixed(0)} µs CPU, raw batches ${rate(figures.batched)}; rounds ${each(figures.toBatched)}`,
    ),
    atLeast(
      "group-commit-sqlite",
      median(figures.toSingle),
      "× floor",
      4,
      `own transactions ${rate(figures.single)}; rounds ${each(figures.toSingle)}`,
    ),
    atMost(
      "store-stall",
      quantile(stalls, 0.99),
      "ms p99",
      10,
      `${stalls.length} flushes, p50 ${quantile(stalls, 0.5).toFixed(2)} ms, longest ${quantile(stalls, 1).toFixed(2)} ms`,
    ),
  ];
}

/** Times every flush: it is the one place where the store holds the event loop for long, and it runs once per turn of the loop. */
function watchFlushes(): number[] {
  const samples: number[] = [];
  const flush = GroupWriter.prototype.flush;
  GroupWriter.prototype.flush = function timed(this: GroupWriter): void {
    const startedMs = performance.now();
    flush.call(this);
    const tookMs = performance.now() - startedMs;
    // A flush with nothing to write returns at once and says nothing.
    if (tookMs > 0.02) samples.push(tookMs);
  };
  return samples;
}

try {
  const rows = await captureRows(file("capture"));
  const measured = [await oneCaller(rows), ...(await manyCallers(rows))];
  print({
    rows: measured,
    notMeasured: [
      "durable: other disks and file systems; calls that wait for a person; a store that another program reads meanwhile",
      "store-stall: deciding a unit on arrival (microseconds), checkpoints of the worker thread except where they hold a flush",
    ],
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
