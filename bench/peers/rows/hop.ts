/**
 * Rows `hop-ratio/…`: one `tools/call` of MCP 2025-06-18 over HTTP through gateways to the same upstream on stdio. Ours governs fully, theirs do not.
 * Median time with one caller, calls a second with 16, and CPU of the gateway's process meanwhile. The rounds take turns.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { medianMs, perSecond } from "../../load.ts";
import { atLeast, atMost, isQuick, median, print, told, type Row } from "../../measure.ts";
import { openDirect } from "../hop/direct.ts";
import { startGateway, type GatewayProcess } from "../hop/process.ts";
import { openSession, type McpSession } from "../hop/session.ts";

const roundsCount = isQuick ? 3 : 9;
const loneCallsCount = isQuick ? 100 : 300;
const sharedCallsCount = isQuick ? 1_000 : 3_000;
const callersCount = 16;
const folder = mkdtempSync(join(tmpdir(), "signalbox-peers-"));
const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const upstream = pathOf("../hop/upstream.ts");
const mcpProxy = pathOf("../node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs");
const supergateway = pathOf("../node_modules/supergateway/dist/index.js");

interface Kind {
  readonly name: string;
  readonly toolName: string;
  readonly args: (port: number) => readonly string[];
}

const kinds: readonly Kind[] = [
  { name: "signalbox", toolName: "order.refund", args: (port) => [pathOf("../hop/signalbox-gateway.ts"), String(port), upstream] },
  {
    name: "signalbox-sqlite",
    toolName: "order.refund",
    args: (port) => [pathOf("../hop/signalbox-gateway.ts"), String(port), upstream, join(folder, "store.db")],
  },
  { name: "sdk-gateway", toolName: "refund", args: (port) => [pathOf("../hop/sdk-gateway.ts"), String(port), upstream] },
  {
    name: "mcp-proxy",
    toolName: "refund",
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

interface Measuring {
  readonly name: string;
  readonly session: McpSession;
  readonly gateway: GatewayProcess | undefined;
  readonly p50: number[];
  readonly rate: number[];
  readonly cpu: number[];
  callsCount: number;
}

async function start({ name, toolName, args }: Kind): Promise<Measuring> {
  const gateway = await startGateway(args);
  running.push(gateway);
  const session = await openSession({ port: gateway.port, toolName }, callersCount);
  sessions.push(session);
  return { name, session, gateway, p50: [], rate: [], cpu: [], callsCount: 0 };
}

async function round(measuring: Measuring, isKept: boolean): Promise<void> {
  const { session, gateway } = measuring;
  let from = measuring.callsCount;
  const p50 = await medianMs(loneCallsCount, (index) => session.call(from + index, 0));
  from += loneCallsCount;
  const before = gateway?.cpuMicros() ?? 0;
  const rate = await perSecond(callersCount, sharedCallsCount, (index, callerIndex) => session.call(from + index, callerIndex));
  const cpu = ((gateway?.cpuMicros() ?? 0) - before) / sharedCallsCount;
  measuring.callsCount = from + sharedCallsCount;
  if (!isKept) return;
  measuring.p50.push(p50);
  measuring.rate.push(rate);
  measuring.cpu.push(cpu);
}

function rowsFor(peer: Measuring, our: Measuring): Row[] {
  const ratio = (over: readonly number[], under: readonly number[]): number =>
    median(over.map((value, index) => value / (under[index] as number)));
  const id = (figure: string): string => `hop-ratio/${peer.name}/${figure}`;
  const [p50, rate, cpu] = [ratio(our.p50, peer.p50), ratio(our.rate, peer.rate), ratio(peer.cpu, our.cpu)];
  const ms = ({ p50: values }: Measuring): string => `${median(values).toFixed(3)} ms`;
  const perS = ({ rate: values }: Measuring): string => `${median(values).toFixed(0)}/s`;
  const micros = ({ cpu: values }: Measuring): string => `${median(values).toFixed(0)} µs`;
  const isSdk = peer.name === "sdk-gateway";
  return [
    isSdk || peer.name === "direct" || peer.name === "signalbox-sqlite"
      ? told(id("p50"), p50, "× theirs", `ours ${ms(our)}, theirs ${ms(peer)}`)
      : atMost(id("p50"), p50, "× theirs", 1.3, `ours ${ms(our)}, theirs ${ms(peer)}`),
    isSdk
      ? atLeast(id("throughput"), rate, "× theirs", 8, `ours ${perS(our)}, theirs ${perS(peer)}`)
      : told(id("throughput"), rate, "× theirs", `ours ${perS(our)}, theirs ${perS(peer)}`),
    ...(peer.gateway === undefined ? [] : [told(id("cpu"), cpu, "× our CPU", `ours ${micros(our)} a call, theirs ${micros(peer)}`)]),
  ];
}

const running: GatewayProcess[] = [];
const sessions: McpSession[] = [];
try {
  const base = await openDirect(upstream);
  sessions.push(base);
  const direct: Measuring = {
    name: "direct",
    session: base,
    gateway: undefined,
    p50: [],
    rate: [],
    cpu: [],
    callsCount: 0,
  };
  const all: Measuring[] = [direct];
  for (const kind of kinds) all.push(await start(kind));
  for (let index = 0; index <= roundsCount; index += 1) for (const measuring of all) await round(measuring, index > 0);
  const our = all[1] as Measuring;
  print({
    rows: all.filter((one) => one !== our).flatMap((peer) => rowsFor(peer, our)),
    notMeasured: [
      "hop-ratio: TLS, upstreams over HTTP (the npm proxies stand in front of stdio only), the revision 2026-07-28 (of which they speak only part), notifications",
      "hop-ratio: the peers have no keys, rules, labels, ledger or checks of arguments switched on or at all",
    ],
  });
} finally {
  for (const session of sessions) session.close();
  for (const gateway of running) gateway.end();
  rmSync(folder, { recursive: true, force: true });
}
