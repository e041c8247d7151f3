import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of this test. */
export interface RunningProcess {
  readonly pid: number;
  /** First line that it printed, as JSON; undefined where it died before. */
  readonly firstLine: Promise<Readonly<Record<string, unknown>> | undefined>;
  readonly exited: Promise<Exit>;
  /** What it said on standard error so far. */
  readonly complaints: () => string;
  signal(signal: "SIGKILL" | "SIGTERM"): void;
}

/** Starts a program of this folder with the Node.js that runs the test. Its standard input closes when this process dies, and it dies of that. */
export function startProcess(program: string, environment: Readonly<Record<string, string>>): RunningProcess {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url))], {
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaints += chunk.toString("utf8");
  });
  const exited = new Promise<Exit>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  return {
    pid: child.pid as number,
    firstLine: firstLineOf(child),
    exited,
    complaints: () => complaints,
    signal: (signal) => void child.kill(signal),
  };
}

function firstLineOf(child: ChildProcess): Promise<Readonly<Record<string, unknown>> | undefined> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      const end = text.indexOf("\n");
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)) as Record<string, unknown>);
    });
    child.on("close", () => resolve(undefined));
  });
}
