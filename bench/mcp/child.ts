import { fork, type ChildProcess } from "node:child_process";

/** A process of this benchmark that listens somewhere and says how much CPU it has used. */
export interface Child {
  readonly port: number;
  cpuMicros(): Promise<number>;
  end(): void;
}

/** Starts one of the files of this folder; `args` are its own. */
export async function startChild(file: string, args: readonly string[] = []): Promise<Child> {
  const child: ChildProcess = fork(new URL(file, import.meta.url).pathname, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const next = (): Promise<number> => new Promise((resolve) => child.once("message", (message) => resolve(Number(message))));
  const port = await next();
  return {
    port,
    async cpuMicros() {
      const used = next();
      child.send("cpu");
      return await used;
    },
    end: () => void child.kill(),
  };
}

/** In a child: says where it listens, and how much CPU it has used whenever it is asked. */
export function report(port: number): void {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.send?.(port);
}
