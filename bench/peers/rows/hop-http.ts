/**
 * Rows `hop-ratio/…` of the gateways built on the official SDK: one `tools/call` over HTTP through gateways to the same upstream over HTTP, which does next to
 * nothing. The current SDK speaks MCP 2026-07-28 on both sides, and so do we beside it; its first version speaks only the revisions before, and is told without a bar.
 */
import { fileURLToPath } from "node:url";
import { print, type Row } from "../../measure.ts";
import { end, hopRows, measureInTurns, measuringOf, startHop, type Hop, type Measuring } from "../hop/measuring.ts";
import { startGateway, type GatewayProcess } from "../hop/process.ts";
import { openSession } from "../hop/session.ts";

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const callersCount = 16;

function hopsTo(url: string): readonly Hop[] {
  const to = (file: string, rest: readonly string[] = []) => {
    return (port: number): readonly string[] => [pathOf(`../hop/${file}.ts`), String(port), url, ...rest];
  };
  return [
    { name: "signalbox", toolName: "order.refund", revision: "2026-07-28", args: to("signalbox-gateway") },
    { name: "signalbox-session", toolName: "order.refund", revision: "2025-06-18", args: to("signalbox-gateway") },
    { name: "raw-proxy", toolName: "refund", revision: "2026-07-28", args: to("raw-proxy") },
    { name: "sdk-gateway", toolName: "refund", revision: "2026-07-28", args: to("sdk-gateway", ["server"]) },
    { name: "sdk-gateway-mcpserver", toolName: "refund", revision: "2026-07-28", args: to("sdk-gateway", ["mcp-server"]) },
    { name: "sdk-gateway-v1", toolName: "refund", revision: "2025-06-18", args: to("sdk-gateway-v1") },
  ];
}

function rowsOf(all: readonly Measuring[]): Row[] {
  const named = new Map(all.map((measuring) => [measuring.name, measuring]));
  const pick = (name: string): Measuring => named.get(name) as Measuring;
  return [
    ...hopRows(pick("http-direct"), pick("signalbox"), {}),
    ...hopRows(pick("raw-proxy"), pick("signalbox"), {}),
    ...hopRows(pick("sdk-gateway"), pick("signalbox"), { throughputMin: 8 }),
    ...hopRows(pick("sdk-gateway-mcpserver"), pick("signalbox"), {}),
    ...hopRows(pick("sdk-gateway-v1"), pick("signalbox-session"), {}),
  ];
}

const all: Measuring[] = [];
let upstream: GatewayProcess | undefined;
try {
  upstream = await startGateway((port) => [pathOf("../hop/upstream-http.ts"), String(port)]);
  const session = await openSession({ port: upstream.port, toolName: "refund", revision: "2026-07-28" }, callersCount);
  all.push(measuringOf("http-direct", session, undefined));
  for (const hop of hopsTo(`http://127.0.0.1:${upstream.port}/mcp`)) all.push(await startHop(hop));
  await measureInTurns(all);
  print({
    rows: rowsOf(all),
    notMeasured: [
      "hop-ratio over HTTP: streams of events, TLS, cancellation, more than one tool, more than one upstream",
      "hop-ratio/sdk-gateway: no comparison of what the two do; theirs forwards, ours governs and forwards",
      "hop-ratio/raw-proxy is no gateway: its calls a second over those of sdk-gateway are how far any could come on Node's own HTTP server",
    ],
  });
} finally {
  end(all);
  upstream?.end();
}
