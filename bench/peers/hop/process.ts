import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";

/** A gateway that listens, as a process of its own. */
export interface GatewayProcess {
  readonly port: number;
  /** User and system time so far of this process, without those of its children, in microseconds; exact to 10 ms. Linux only. */
  cpuMicros(): number;
  end(): void;
}

const startMsMax = 60_000;

/** Starts a program of Node with arguments that know the port, and waits until it listens. */
export async function startGateway(args: (port: number) => readonly string[]): Promise<GatewayProcess> {
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [...args(port)], {
    stdio: ["pipe", "ignore", "inherit"],
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_ENV: "production" },
  });
  const startedMs = performance.now();
  while (!(await listens(port))) {
    if (child.exitCode !== null || performance.now() - startedMs > startMsMax) {
      child.kill();
      throw new Error(`it does not listen: node ${args(port).join(" ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    cpuMicros() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return (Number(fields[11]) + Number(fields[12])) * 10_000;
    },
    end: () => void child.kill(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
