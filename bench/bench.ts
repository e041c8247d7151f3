/**
 * The performance budget (`docs/architecture.md`) as rows with bars: every figure is a ratio to a floor of the same run, or an absolute time where
 * the budget says so.
 *
 *     npm run bench [-- --json] [--only in-process,ledger-flat] [--quick]
 */
import { runBenchmark, type RowFile } from "./runner.ts";

const rows = (file: string, ids: readonly string[]): RowFile => ({ file: new URL(`./rows/${file}.ts`, import.meta.url), ids });

await runBenchmark({
  command: "node bench/bench.ts",
  files: [
    rows("in-process", ["in-process"]),
    rows("durable", ["durable-p50-sqlite", "durable-throughput-sqlite", "group-commit-sqlite", "store-stall"]),
    rows("durable-postgres", ["durable-p50-postgres", "durable-throughput-postgres", "group-commit-postgres"]),
    rows("rules-flat", ["rules-flat"]),
    rows("ledger-flat", ["ledger-flat"]),
    rows("added-p95", ["added-p95"]),
    rows("memory-flat", ["memory-flat"]),
    rows("mcp", ["mcp-cpu"]),
    rows("flow", ["flow-index", "flow-index-stall", "flow-trace", "flow-trace-growth"]),
  ],
  notMeasured: [
    "turns, durable steps and MCP hops beside other people's software (`npm run bench:peers`)",
    "a ledger of 10 million entries",
  ],
  versions: {},
  fileMsMax: 600_000,
});
