import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyPatch, verdictOf, type Mutant, type TestReport, type Verdict } from "./invariant.ts";

/** What a copy of the repo needs to run its tests. */
const copied = [
  "src",
  "test",
  "bench",
  "scripts",
  "examples",
  "bin",
  "docs",
  "layers.json",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
];
const runMsMax = 180_000;

/** A mutant with what came of it. */
export interface Trial {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
}

/** Copies the repo into a temporary folder, hands it over, and removes it. Dependencies are linked, not copied. */
export async function withCopy<Value>(from: string, use: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-mutant-"));
  try {
    for (const name of copied) {
      if (existsSync(join(from, name)))
        cpSync(join(from, name), join(folder, name), { recursive: true, filter: (path) => !path.endsWith("node_modules") });
    }
    symlinkSync(join(from, "node_modules"), join(folder, "node_modules"));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a mutant in a copy of its own. A patch that does not fit is `broken`. */
export async function tryMutant(from: string, mutant: Mutant): Promise<Trial> {
  return withCopy(from, async (folder) => {
    try {
      if (mutant.patches.length === 0) throw new Error("it patches nothing");
      for (const patch of mutant.patches) {
        const path = join(folder, patch.file);
        writeFileSync(path, applyPatch(readFileSync(path, "utf8"), patch));
      }
    } catch (error) {
      return { mutant, verdict: { kind: "broken", why: error instanceof Error ? error.message : String(error) } };
    }
    return { mutant, verdict: await runTests(folder, mutant.tests) };
  });
}

/** Runs the named tests of a copy. */
export function runTests(folder: string, tests: readonly string[]): Promise<Verdict> {
  const reportPath = join(folder, "report.json");
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const child = spawn(
      join(folder, "node_modules/.bin/vitest"),
      ["run", "--root", folder, "--reporter=json", `--outputFile=${reportPath}`, "--maxWorkers=1", ...tests],
      { cwd: folder, timeout: runMsMax, stdio: ["ignore", "pipe", "pipe"] },
    );
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", (error) => resolve({ kind: "broken", why: error.message }));
    child.on("close", () => {
      const report = existsSync(reportPath) ? (JSON.parse(readFileSync(reportPath, "utf8")) as TestReport) : undefined;
      resolve(verdictOf(report, Buffer.concat(chunks).toString("utf8")));
    });
  });
}
