import { spawn } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { Measured, Row } from "./measure.ts";
import { dataHash } from "./standard-call.ts";

/** A file that measures rows, and which. It runs in a process of its own, so that one does not warm or spoil the other. */
export interface RowFile {
  readonly file: URL;
  readonly ids: readonly string[];
}

/** What a benchmark consists of. */
export interface Benchmark {
  /** How it is started, for `meta.command`. */
  readonly command: string;
  readonly files: readonly RowFile[];
  /** What none of its rows says. */
  readonly notMeasured: readonly string[];
  /** Versions beside those of Node. */
  readonly versions: Readonly<Record<string, string>>;
  /** Longest time of one file in milliseconds. */
  readonly fileMsMax: number;
}

/** Measures all rows, or those that `--only` names by id or beginning, prints them, and sets the exit code: 1 when a bar is missed. */
export async function runBenchmark(benchmark: Benchmark): Promise<void> {
  const args = process.argv.slice(2);
  const isJson = args.includes("--json");
  const onlyIndex = args.indexOf("--only");
  const only = onlyIndex === -1 ? undefined : (args[onlyIndex + 1] ?? "").split(",");
  const isWithin = (id: string, name: string): boolean => id === name || id.startsWith(`${name}/`);
  const isWanted = (id: string): boolean => only === undefined || only.some((name) => isWithin(id, name));
  // A row's name may go on behind the one that the list of files knows.
  const isAsked = (id: string): boolean => isWanted(id) || only?.some((name) => isWithin(name, id)) === true;
  const rows: Row[] = [];
  const notMeasured: string[] = [...benchmark.notMeasured];
  for (const { file, ids } of benchmark.files) {
    if (!ids.some(isAsked)) {
      notMeasured.push(...ids.map((id) => `${id} (left out of this run)`));
      continue;
    }
    const measured = await measure(file, { fileMsMax: benchmark.fileMsMax, isQuick: args.includes("--quick") });
    const wanted = measured.rows.filter((row) => isWanted(row.id));
    rows.push(...wanted);
    notMeasured.push(...measured.notMeasured);
    if (!isJson) for (const row of wanted) process.stdout.write(line(row));
  }
  const [cpu] = cpus();
  const meta = {
    command: `${benchmark.command} ${args.join(" ")}`.trim(),
    measuredAt: new Date().toISOString(),
    versions: {
      node: process.version,
      v8: process.versions.v8,
      sqlite: process.versions["sqlite"],
      openssl: process.versions.openssl,
      ...benchmark.versions,
    },
    machine: { cpu: cpu?.model, cores: cpus().length, memoryBytes: totalmem(), system: `${process.platform} ${release()}` },
    dataHash,
    notMeasured,
  };
  if (isJson) process.stdout.write(`${JSON.stringify({ meta, rows })}\n`);
  else process.stdout.write(`\n${footer(meta)}\n`);
  process.exitCode = rows.every((row) => row.ok) ? 0 : 1;
}

function measure(file: URL, { fileMsMax, isQuick }: { readonly fileMsMax: number; readonly isQuick: boolean }): Promise<Measured> {
  const path = fileURLToPath(file);
  const child = spawn(process.execPath, ["--expose-gc", path, ...(isQuick ? ["--quick"] : [])], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: fileMsMax,
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Measured);
      else reject(new Error(`${path} ended with ${code ?? "a signal"}`));
    });
  });
}

function line(row: Row): string {
  const bar = row.bar === null ? "no bar   " : `bar ${String(row.bar).padEnd(5)}`;
  return `${row.ok ? "ok  " : "FAIL"}  ${row.id.padEnd(30)} ${String(row.value).padStart(9)} ${row.unit.padEnd(18)} ${bar} ${row.about}\n`;
}

function footer(meta: {
  readonly machine: { readonly cores: number; readonly cpu: string | undefined };
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly dataHash: string;
  readonly notMeasured: readonly string[];
}): string {
  const versions = Object.entries(meta.versions).map(([name, version]) => `${name} ${version}`);
  return `${meta.machine.cores} × ${meta.machine.cpu}, ${versions.join(", ")}, data ${meta.dataHash}\nnot measured: ${meta.notMeasured.join("; ")}`;
}
