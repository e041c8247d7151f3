/**
 * The performance budget (`docs/architecture.md`) as rows with bars: every figure is a ratio to a floor of the same run, or an absolute time where
 * the budget says so. Each file of rows runs in a process of its own, so that one does not warm or spoil the other.
 *
 *     npm run bench [-- --json] [--only in-process,ledger-flat] [--quick]
 */
import { spawn } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import type { Measured, Row } from "./measure.ts";
import { dataHash } from "./standard-call.ts";

interface RowFile {
  readonly file: string;
  readonly ids: readonly string[];
}

const rowFiles: readonly RowFile[] = [
  { file: "in-process", ids: ["in-process"] },
  { file: "durable", ids: ["durable-p50-sqlite", "durable-throughput-sqlite", "group-commit-sqlite", "store-stall"] },
  { file: "durable-postgres", ids: ["durable-p50-postgres", "durable-throughput-postgres", "group-commit-postgres"] },
  { file: "rules-flat", ids: ["rules-flat"] },
  { file: "ledger-flat", ids: ["ledger-flat"] },
  { file: "added-p95", ids: ["added-p95"] },
  { file: "memory-flat", ids: ["memory-flat"] },
  { file: "mcp", ids: ["mcp-cpu"] },
];
const runMsMax = 600_000;

/** Rows of the budget that need parts which are not measured here. */
const notHere: readonly string[] = [
  "indexing a result for flow",
  "one-tool turn, durable steps and MCP hops beside other people's software (`npm run bench:peers`)",
  "a ledger of 10 million entries",
];

const args = process.argv.slice(2);
const isJson = args.includes("--json");
const isQuick = args.includes("--quick");
const onlyIndex = args.indexOf("--only");
const only = onlyIndex === -1 ? undefined : new Set((args[onlyIndex + 1] ?? "").split(","));

function measure(file: string): Promise<Measured> {
  const path = new URL(`./rows/${file}.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, ["--expose-gc", path, ...(isQuick ? ["--quick"] : [])], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: runMsMax,
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Measured);
      else reject(new Error(`bench/rows/${file}.ts ended with ${code ?? "a signal"}`));
    });
  });
}

function line(row: Row): string {
  return `${row.ok ? "ok  " : "FAIL"}  ${row.id.padEnd(26)} ${String(row.value).padStart(9)} ${row.unit.padEnd(18)} bar ${String(row.bar).padEnd(5)} ${row.about}\n`;
}

const rows: Row[] = [];
const notMeasured: string[] = [...notHere];
for (const { file, ids } of rowFiles) {
  if (only !== undefined && !ids.some((id) => only.has(id))) {
    notMeasured.push(...ids.map((id) => `${id} (left out of this run)`));
    continue;
  }
  const measured = await measure(file);
  const wanted = measured.rows.filter((row) => only === undefined || only.has(row.id));
  rows.push(...wanted);
  notMeasured.push(...measured.notMeasured);
  if (!isJson) for (const row of wanted) process.stdout.write(line(row));
}

const [cpu] = cpus();
const meta = {
  command: `node bench/bench.ts ${args.join(" ")}`.trim(),
  measuredAt: new Date().toISOString(),
  versions: { node: process.version, v8: process.versions.v8, sqlite: process.versions["sqlite"], openssl: process.versions.openssl },
  machine: { cpu: cpu?.model, cores: cpus().length, memoryBytes: totalmem(), system: `${process.platform} ${release()}` },
  dataHash,
  notMeasured,
};
if (isJson) process.stdout.write(`${JSON.stringify({ meta, rows })}\n`);
else
  process.stdout.write(
    `\n${meta.machine.cores} × ${meta.machine.cpu}, Node ${meta.versions.node}, data ${dataHash}\nnot measured: ${notMeasured.join("; ")}\n`,
  );
process.exitCode = rows.every((row) => row.ok) ? 0 : 1;
