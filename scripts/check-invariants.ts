import { mutants } from "./invariants/all.ts";
import type { Mutant, Verdict } from "./invariant.ts";
import { runTests, tryMutant, withCopy, type Trial } from "./mutation.ts";
import { root } from "./source.ts";

/** Takes each safety mechanism out of a copy of the source and expects tests to fail. Exits 1 when they do not. */
const trialsAtOnce = 2;

function line({ mutant, verdict }: Trial): string {
  return `${verdict.kind === "red" ? "✓" : "✗"} invariant ${mutant.invariant}  ${mutant.name}: ${inWords(verdict)}\n`;
}

function inWords(verdict: Verdict): string {
  switch (verdict.kind) {
    case "red":
      return `noticed by ${verdict.failed.length} ${verdict.failed.length === 1 ? "test" : "tests"}, such as "${verdict.failed[0]}"`;
    case "green":
      return `NOT NOTICED by ${verdict.count} tests`;
    case "broken":
      return `BROKEN: ${verdict.why}`;
  }
}

async function tryAll(all: readonly Mutant[]): Promise<readonly Trial[]> {
  const waiting = [...all];
  const trials: Trial[] = [];
  const worker = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const trial = await tryMutant(root, mutant);
      process.stdout.write(line(trial));
      trials.push(trial);
    }
  };
  await Promise.all(Array.from({ length: trialsAtOnce }, worker));
  return trials;
}

const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))];
const unchanged = await withCopy(root, (folder) => runTests(folder, tests));
if (unchanged.kind === "green") {
  const trials = await tryAll(mutants);
  const survivors = trials.filter((trial) => trial.verdict.kind !== "red");
  process.stdout.write(`invariants: ${trials.length} mechanisms taken out, ${trials.length - survivors.length} noticed\n`);
  process.exitCode = survivors.length === 0 ? 0 : 1;
} else {
  process.stdout.write(
    `invariants: tests fail without any change; mend them first: ${unchanged.kind === "red" ? unchanged.failed.join("; ") : unchanged.why}\n`,
  );
  process.exitCode = 1;
}
