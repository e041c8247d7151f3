/**
 * Rows `turn-ratio/…`: what one call of a tool adds to a turn, in frameworks and here: a turn with a call less a turn without, against the same scripted
 * model in the same process, with the same tool, arguments and result. Each framework has a process of its own; they take turns, round by round.
 */
import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atLeast, isQuick, median, print, told, type Row } from "../../measure.ts";
import type { TurnsTaken, TurnsWanted } from "../turn/child.ts";

const roundsCount = isQuick ? 3 : 9;
const folder = mkdtempSync(join(tmpdir(), "signalbox-peers-"));

interface Framework {
  readonly name: string;
  readonly file: string;
  readonly args?: readonly string[];
  /** Turns of a round: about as long a round for each. */
  readonly turnsCount: number;
}

const ours: Framework = { name: "signalbox", file: "signalbox", turnsCount: 2_000 };
const durable: Framework = { name: "signalbox-sqlite", file: "signalbox", args: [join(folder, "store.db")], turnsCount: 300 };
const peers: readonly Framework[] = [
  { name: "ai-sdk", file: "ai-sdk", turnsCount: 600 },
  { name: "openai-agents", file: "openai-agents", turnsCount: 300 },
  { name: "langchain", file: "langchain", turnsCount: 100 },
  { name: "mastra", file: "mastra", turnsCount: 60 },
];

interface Running {
  readonly framework: Framework;
  readonly child: ChildProcess;
  readonly wall: number[];
  readonly cpu: number[];
  madeCount: number;
}

async function start(framework: Framework): Promise<Running> {
  const file = new URL(`../turn/${framework.file}.ts`, import.meta.url).pathname;
  const child = fork(file, [...(framework.args ?? [])], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [],
    env: { PATH: process.env["PATH"], NODE_ENV: "production", MASTRA_TELEMETRY_DISABLED: "1", OPENAI_AGENTS_DISABLE_TRACING: "1" },
  });
  await answerOf(child);
  return { framework, child, wall: [], cpu: [], madeCount: 0 };
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the child ended with ${code ?? "a signal"}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });
}

async function turns(running: Running, hasCall: boolean): Promise<TurnsTaken> {
  const { child, framework } = running;
  const wanted: TurnsWanted = { from: running.madeCount, count: framework.turnsCount, hasCall };
  running.madeCount += framework.turnsCount;
  const answer = answerOf(child);
  child.send(wanted);
  return (await answer) as TurnsTaken;
}

async function round(running: Running, isKept: boolean): Promise<void> {
  const without = await turns(running, false);
  const withCall = await turns(running, true);
  if (!isKept) return;
  running.wall.push(withCall.wallMicros - without.wallMicros);
  running.cpu.push(withCall.cpuMicros - without.cpuMicros);
}

function ratioRow(peer: Running, our: Running, id: string, fastest: string): Row {
  const ratio = median(peer.cpu.map((used, index) => used / (our.cpu[index] as number)));
  const micros = (values: readonly number[]): string => `${median(values).toFixed(0)} µs`;
  const aim = peer.framework.name === fastest ? `the fastest peer, aim 3 (${(ratio / 3).toFixed(2)} of it); ` : "";
  const about = `${our.framework === ours ? aim : ""}CPU ${micros(peer.cpu)}, ours ${micros(our.cpu)}; wall ${micros(peer.wall)}, ours ${micros(our.wall)}`;
  return our.framework === ours ? atLeast(id, ratio, "× our CPU", 1, about) : told(id, ratio, "× our CPU", about);
}

const all: Running[] = [];
try {
  for (const framework of [ours, durable, ...peers]) all.push(await start(framework));
  // The first two rounds load and compile what is used.
  for (let index = 0; index < roundsCount + 2; index += 1) for (const running of all) await round(running, index >= 2);
  const [our, ourDurable, ...others] = all as [Running, Running, ...Running[]];
  const fastest = others.reduce((least, other) => (median(other.cpu) < median(least.cpu) ? other : least)).framework.name;
  const rows = others.flatMap((peer) => [
    ratioRow(peer, our, `turn-ratio/${peer.framework.name}`, fastest),
    ratioRow(peer, ourDurable, `turn-ratio-durable/${peer.framework.name}`, fastest),
  ]);
  print({
    rows,
    notMeasured: [
      "turn-ratio: streaming, several calls of one turn, a model behind a network, memory; the frameworks check arguments but have no rules, labels, ledger or limits",
      "turn-ratio-durable: the frameworks keep nothing on disk there, ours commits intent and outcome",
    ],
  });
} finally {
  for (const { child } of all) child.kill();
  rmSync(folder, { recursive: true, force: true });
}
