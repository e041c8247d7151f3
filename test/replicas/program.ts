import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { searchPath } from "./programs.ts";

/** A program that runs beside the test. */
export interface Program {
  readonly pid: number;
  /** Everything that it wrote on both outputs. */
  readonly said: () => string;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Whether it has ended. */
  readonly isOver: () => boolean;
  signal(signal: NodeJS.Signals): void;
  /** Kills it, and waits until it is gone. */
  end(): Promise<void>;
}

/** Starts a program. */
export function startProgram(command: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const child: ChildProcess = spawn(command, words, {
    env: { ...process.env, PATH: searchPath(), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
    });
  let isOver = false;
  const exited = new Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      isOver = true;
      resolve({ code, signal });
    });
  });
  const end = async (): Promise<void> => {
    if (!isOver) child.kill("SIGKILL");
    await exited;
  };
  return { pid: child.pid as number, said: () => said, exited, isOver: () => isOver, signal: (signal) => void child.kill(signal), end };
}

/** Ports that nobody listens on at the moment. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
