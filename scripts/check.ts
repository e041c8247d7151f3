import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "./source.ts";

/** One check: a name, and the program of a dependency that does it. */
interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

interface Result {
  readonly check: Check;
  readonly isGood: boolean;
  readonly output: string;
  readonly tookMs: number;
}

/** The slow ones first, so that the short ones fill the gaps. */
const checks: readonly Check[] = [
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings", "src", "test", "scripts", "bin", "bench", "examples"] },
  { name: "types", command: ["tsc", "-p", "tsconfig.json"] },
  { name: "dead code", command: ["knip", "--no-progress"] },
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "layers", command: ["node", "scripts/check-layers.ts"] },
  { name: "tidy", command: ["node", "scripts/tidy.ts"] },
  { name: "generated docs", command: ["node", "scripts/gen-docs.ts", "--check"] },
  { name: "requirements", command: ["node", "scripts/check-requirements.ts"] },
];

const checksAtOnce = 2;
const checkMsMax = 180_000;
/** Lines shown of a check that failed; the command itself prints the rest. */
const linesShownMax = 60;

function run(check: Check): Promise<Result> {
  const startMs = performance.now();
  const [program, ...rest] = check.command;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const child = spawn(join(root, "node_modules/.bin", program), rest, {
      cwd: root,
      timeout: checkMsMax,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const end = (isGood: boolean, extra = ""): void => {
      resolve({ check, isGood, output: Buffer.concat(chunks).toString("utf8") + extra, tookMs: performance.now() - startMs });
    };
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", (error) => end(false, `${error.message}\n`));
    child.on("close", (code, signal) => end(code === 0, signal === null ? "" : `stopped by ${signal} after ${checkMsMax / 1000} s\n`));
  });
}

function print({ check, isGood, output, tookMs }: Result): void {
  process.stdout.write(`${isGood ? "✓" : "✗"} ${check.name.padEnd(16)}${(tookMs / 1000).toFixed(1).padStart(5)} s\n`);
  if (isGood) return;
  const lines = output.trimEnd().split("\n");
  for (const line of lines.slice(0, linesShownMax)) process.stdout.write(`    ${line}\n`);
  if (lines.length > linesShownMax) process.stdout.write(`    … ${lines.length - linesShownMax} more lines\n`);
  process.stdout.write(`    again alone: npx ${check.command.join(" ")}\n`);
}

async function runAll(): Promise<boolean> {
  const waiting = [...checks];
  const failed: string[] = [];
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const result = await run(check);
      print(result);
      if (!result.isGood) failed.push(check.name);
    }
  };
  await Promise.all(Array.from({ length: checksAtOnce }, worker));
  if (failed.length > 0) process.stdout.write(`failed: ${failed.join(", ")}\n`);
  return failed.length === 0;
}

process.exitCode = (await runAll()) ? 0 : 1;
