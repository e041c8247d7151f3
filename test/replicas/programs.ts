import { spawnSync } from "node:child_process";

/** Programs that the suite needs beside Node.js, with the packages of Debian that bring them. */
const needed: Readonly<Record<string, string>> = { haproxy: "haproxy", "redis-server": "redis-server" };

/**
 * Makes sure that the load balancer and the cache are there, for `globalSetup`. As root on Debian in CI they are installed; anywhere else a missing one
 * ends the suite with what to do.
 */
export function setup(): void {
  const missing = Object.keys(needed).filter((program) => !isThere(program));
  if (missing.length === 0) return;
  const packages = missing.map((program) => needed[program] as string);
  const mayInstall = process.env["CI"] !== undefined && process.getuid?.() === 0 && isThere("apt-get");
  if (mayInstall) {
    run("apt-get", ["update", "-qq"]);
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  }
  const left = missing.filter((program) => !isThere(program));
  if (left.length > 0)
    throw new Error(
      `this suite needs ${left.join(" and ")}; on Debian and Ubuntu: apt-get install --no-install-recommends ${packages.join(" ")}`,
    );
}

function isThere(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore", env: { ...process.env, PATH: searchPath() } }).status === 0;
}

/** Debian keeps servers where the path of a plain user does not lead. */
export function searchPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
}

function run(program: string, words: readonly string[]): void {
  spawnSync(program, words, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
}
