/** One change of the source that takes a safety mechanism out. */
export interface Patch {
  /** Path from the root of the repo. */
  readonly file: string;
  /** Text that stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** A mechanism, how to take it out, and the tests that must notice. */
export interface Mutant {
  /** Number of the invariant in `docs/architecture.md`. */
  readonly invariant: number;
  /** What was taken out, in a few words. */
  readonly name: string;
  readonly patches: readonly Patch[];
  /** Test files, as vitest filters. */
  readonly tests: readonly string[];
}

/** Text after a patch. Throws when `find` does not stand there exactly once: a patch that fits nothing would pass as a test that notices nothing. */
export function applyPatch(text: string, patch: Patch): string {
  const parts = text.split(patch.find);
  if (parts.length !== 2)
    throw new Error(`\`${patch.find.split("\n")[0]}\` stands ${parts.length - 1} times in ${patch.file}; it must stand there exactly once`);
  return parts.join(patch.replace);
}

interface AssertionReport {
  readonly status: string;
  readonly fullName: string;
}

/** What vitest's JSON report says, as far as it matters here. */
export interface TestReport {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly AssertionReport[];
  }[];
}

/** How the tests took a change. `broken`: they could not run, which proves nothing. */
export type Verdict =
  | { readonly kind: "green"; readonly count: number }
  | { readonly kind: "red"; readonly failed: readonly string[] }
  | { readonly kind: "broken"; readonly why: string };

/** Reads a report: red only when tests ran and failed, since a file that no longer loads would fail whatever the tests assert. */
export function verdictOf(report: TestReport | undefined, output: string): Verdict {
  if (report === undefined) return { kind: "broken", why: `no report: ${lastLine(output)}` };
  const unloaded = report.testResults.find((file) => file.status === "failed" && file.assertionResults.length === 0);
  if (unloaded !== undefined) return { kind: "broken", why: `${unloaded.name} does not load` };
  const failed = report.testResults.flatMap((file) =>
    file.assertionResults.filter((each) => each.status === "failed").map((each) => each.fullName.trim()),
  );
  if (failed.length > 0) return { kind: "red", failed };
  if (report.numPassedTests === 0) return { kind: "broken", why: "no test ran" };
  return { kind: "green", count: report.numPassedTests };
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "";
}
