import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { configProblem } from "./sqlite-schema.ts";

/** The right to write one store file. */
export interface WriterLock {
  release(): void;
}

/**
 * Takes the right to write, or refuses at once and names the process that holds it. The lock is a held transaction on a side file: the operating
 * system drops it when the process dies in whatever way, and readers of the store itself are not hindered.
 */
export function takeWriterLock(path: string): WriterLock {
  const pidPath = `${path}-lock.pid`;
  const lock = new DatabaseSync(`${path}-lock`, { timeout: 0 });
  try {
    lock.exec("begin exclusive");
  } catch (cause) {
    lock.close();
    throw configProblem(
      `\`${path}\` is already written by ${holderOf(pidPath)}; stop that process, or use \`postgres://\` for several processes`,
      cause,
    );
  }
  writeFileSync(pidPath, String(process.pid));
  return {
    release() {
      rmSync(pidPath, { force: true });
      lock.close();
    },
  };
}

function holderOf(pidPath: string): string {
  try {
    return `process \`${Number.parseInt(readFileSync(pidPath, "utf8"), 10)}\``;
  } catch {
    // The holder is between taking the lock and writing its number: there is nothing to name yet.
    return "another process";
  }
}
