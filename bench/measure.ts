/** One measured row. `bar` is what ships, from the performance budget, `null` where none is set; `ok` whether the row holds it. */
export interface Row {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
  readonly ok: boolean;
  /** Absolute figures behind the ratio, for people. */
  readonly about: string;
}

/** What a child process prints. */
export interface Measured {
  readonly rows: readonly Row[];
  readonly notMeasured: readonly string[];
}

/** A row that is good while `value` is at most the bar. */
export function atMost(id: string, value: number, unit: string, bar: number, about: string): Row {
  return { id, value: round(value), unit, bar, ok: value <= bar, about };
}

/** A row that is good while `value` is at least the bar. */
export function atLeast(id: string, value: number, unit: string, bar: number, about: string): Row {
  return { id, value: round(value), unit, bar, ok: value >= bar, about };
}

/** A row that only tells a figure. */
export function told(id: string, value: number, unit: string, about: string): Row {
  return { id, value: round(value), unit, bar: null, ok: true, about };
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** Hands the rows to the benchmark, which started this process. */
export function print(measured: Measured): void {
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

/** User and system time of `run` in microseconds per operation. */
export async function cpuMicros(runsCount: number, run: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / runsCount;
}

/** The value at a share of the sorted samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The middle of several rounds. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Whether a quick run was asked for. */
export const isQuick = process.argv.includes("--quick");
