/**
 * Rows `hop-ratio/…` of the peers that stand in front of stdio: one `tools/call` of MCP 2025-06-18 over HTTP through gateways to the same upstream on stdio.
 * Ours governs fully, theirs do not. Median time with one caller, calls a second with 16, and CPU of the gateway's process meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { print } from "../../measure.ts";
import { openDirect } from "../hop/direct.ts";
import { end, hopRows, measureInTurns, measuringOf, startHop, type Bars, type Hop, type Measuring } from "../hop/measuring.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-peers-"));
const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const upstream = pathOf("../hop/upstream.ts");
const mcpProxy = pathOf("../node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs");
const supergateway = pathOf("../node_modules/supergateway/dist/index.js");
const our = pathOf("../hop/signalbox-gateway.ts");
const revision = "2025-06-18";

const hops: readonly Hop[] = [
  { name: "signalbox", toolName: "order.refund", revision, args: (port) => [our, String(port), upstream] },
  { name: "signalbox-sqlite", toolName: "order.refund", revision, args: (port) => [our, String(port), upstream, join(folder, "store.db")] },
  {
    name: "mcp-proxy",
    toolName: "refund",
    revision,
    args: (port) => [
      mcpProxy,
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--server",
      "stream",
      "--no-eventStore",
      "--",
      process.execPath,
      upstream,
    ],
  },
  {
    name: "supergateway",
    toolName: "refund",
    revision,
    args: (port) => [
      supergateway,
      "--stdio",
      `${process.execPath} ${upstream}`,
      "--outputTransport",
      "streamableHttp",
      "--stateful",
      "--port",
      String(port),
      "--logLevel",
      "none",
    ],
  },
];
const bars: Readonly<Record<string, Bars>> = { "mcp-proxy": { p50Max: 1.3 }, supergateway: { p50Max: 1.3 } };

const all: Measuring[] = [];
try {
  for (const hop of hops) all.push(await startHop(hop));
  all.push(measuringOf("direct", await openDirect(upstream), undefined));
  await measureInTurns(all);
  const [ours, ...peers] = all as [Measuring, ...Measuring[]];
  print({
    rows: peers.flatMap((peer) => hopRows(peer, ours, bars[peer.name] ?? {})),
    notMeasured: [
      "hop-ratio over stdio: the revision 2026-07-28 (of which the npm proxies speak only part), TLS, notifications",
      "hop-ratio: the peers have no keys, rules, labels, ledger or checks of arguments switched on or at all",
    ],
  });
} finally {
  end(all);
  rmSync(folder, { recursive: true, force: true });
}
