import { medianMs, perSecond } from "../../load.ts";
import { atLeast, atMost, isQuick, median, told, type Row } from "../../measure.ts";
import { startGateway, type GatewayProcess } from "./process.ts";
import { openSession, type McpSession, type Spoken } from "./session.ts";

/** A gateway to measure: how it is started, and how it is spoken to. */
export interface Hop {
  readonly name: string;
  readonly toolName: string;
  readonly revision: Spoken["revision"];
  readonly args: (port: number) => readonly string[];
}

/** A hop that runs, and what was measured of it so far. */
export interface Measuring {
  readonly name: string;
  readonly session: McpSession;
  readonly gateway: GatewayProcess | undefined;
  readonly p50: number[];
  readonly rate: number[];
  readonly cpu: number[];
  callsCount: number;
}

/** Bars of a peer's rows; a row without one only tells its figure. */
export interface Bars {
  /** Our median time over theirs, at most. */
  readonly p50Max?: number;
  /** Our calls a second over theirs, at least. */
  readonly throughputMin?: number;
}

const roundsCount = isQuick ? 3 : 9;
const loneCallsCount = isQuick ? 100 : 300;
const sharedCallsCount = isQuick ? 1_000 : 3_000;
const callersCount = 16;

/** Starts a hop and opens the client's connections. */
export async function startHop({ name, toolName, revision, args }: Hop): Promise<Measuring> {
  const gateway = await startGateway(args);
  try {
    return measuringOf(name, await openSession({ port: gateway.port, toolName, revision }, callersCount), gateway);
  } catch (thrown) {
    gateway.end();
    throw thrown;
  }
}

/** A hop over a session that is open already. */
export function measuringOf(name: string, session: McpSession, gateway: GatewayProcess | undefined): Measuring {
  return { name, session, gateway, p50: [], rate: [], cpu: [], callsCount: 0 };
}

/** Measures all of them in rounds that take turns. The first round warms and does not count. */
export async function measureInTurns(all: readonly Measuring[]): Promise<void> {
  for (let index = 0; index <= roundsCount; index += 1) for (const measuring of all) await round(measuring, index > 0);
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

/** Ends what was started. */
export function end(all: readonly Measuring[]): void {
  for (const { session, gateway } of all) {
    session.close();
    gateway?.end();
  }
}

/** The rows of one peer beside ours, each the median of the ratios of the rounds. */
export function hopRows(peer: Measuring, our: Measuring, { p50Max, throughputMin }: Bars): Row[] {
  const ratio = (over: readonly number[], under: readonly number[]): number =>
    median(over.map((value, index) => value / (under[index] as number)));
  const id = (figure: string): string => `hop-ratio/${peer.name}/${figure}`;
  const [p50, rate, cpu] = [ratio(our.p50, peer.p50), ratio(our.rate, peer.rate), ratio(peer.cpu, our.cpu)];
  const ms = ({ p50: values }: Measuring): string => `${median(values).toFixed(3)} ms`;
  const perS = ({ rate: values }: Measuring): string => `${median(values).toFixed(0)}/s`;
  const micros = ({ cpu: values }: Measuring): string => `${median(values).toFixed(0)} µs`;
  const [times, rates] = [`ours ${ms(our)}, theirs ${ms(peer)}`, `ours ${perS(our)}, theirs ${perS(peer)}`];
  return [
    p50Max === undefined ? told(id("p50"), p50, "× theirs", times) : atMost(id("p50"), p50, "× theirs", p50Max, times),
    throughputMin === undefined
      ? told(id("throughput"), rate, "× theirs", rates)
      : atLeast(id("throughput"), rate, "× theirs", throughputMin, rates),
    ...(peer.gateway === undefined ? [] : [told(id("cpu"), cpu, "× our CPU", `ours ${micros(our)} a call, theirs ${micros(peer)}`)]),
  ];
}
