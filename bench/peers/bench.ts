/**
 * The same work beside other people's software, in one run on one machine: see `bench/peers/README.md`. The peers are installed first when they are
 * not there, which takes about a minute.
 *
 *     npm run bench:peers [-- --json] [--only turn-ratio,hop-ratio/mcp-proxy] [--quick]
 */
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { runBenchmark, type RowFile } from "../runner.ts";

const installMsMax = 900_000;
const here = new URL("./", import.meta.url);

function modifiedMs(file: string): number {
  return statSync(new URL(file, here), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Installs what the lock file names. Scripts of packages do not run: none is needed. */
function installPeers(): void {
  // npm writes this file last, so it is also older than the lock file after an installation that was cut off.
  if (modifiedMs("node_modules/.package-lock.json") >= modifiedMs("package-lock.json")) return;
  process.stderr.write("installing the peers\n");
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: here,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: installMsMax,
  });
  if (status !== 0) throw new Error("the peers could not be installed; `npm ci --ignore-scripts` in `bench/peers` says why");
}

function peerVersions(): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", here), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return { ...dependencies };
}

const rows = (file: string, ids: readonly string[]): RowFile => ({ file: new URL(`rows/${file}.ts`, here), ids });
const each = (row: string, peers: readonly string[]): string[] => peers.map((peer) => `${row}/${peer}`);
const frameworks = ["ai-sdk", "openai-agents", "langchain", "mastra"];

installPeers();
await runBenchmark({
  command: "node bench/peers/bench.ts",
  files: [
    rows("turn", [...each("turn-ratio", frameworks), ...each("turn-ratio-durable", frameworks)]),
    rows("durable", ["durable-ratio/dbos", "durable-ratio/restate"]),
    rows("hop", each("hop-ratio", ["direct", "signalbox-sqlite", "mcp-proxy", "supergateway"])),
    rows("hop-http", each("hop-ratio", ["http-direct", "raw-proxy", "sdk-gateway", "sdk-gateway-mcpserver", "sdk-gateway-v1"])),
  ],
  notMeasured: ["what the peers do besides; other machines; anything over a network"],
  versions: peerVersions(),
  fileMsMax: 900_000,
});
