import { fixedBounds } from "../base/fixed-bounds.ts";

/** One thing wrong with the configuration, with its place in a file. */
export interface ConfigProblem {
  /** File as given, or `environment` for a variable that overrides it. */
  readonly file: string;
  /** From 1; 0 where no line is to blame. */
  readonly line: number;
  /** From 1; 0 where no line is to blame. */
  readonly column: number;
  /** JSON pointer (RFC 6901) to the member, or the variable's name. */
  readonly path: string;
  /** What is wrong, on one line. */
  readonly message: string;
  /** What would be right; empty where the message says it already. */
  readonly mend: string;
}

/** A problem before its place in the text is known. */
export interface Finding {
  readonly path: string;
  readonly message: string;
  readonly mend: string;
  /** The name is to blame, not its value. Default false. */
  readonly isAtName?: boolean;
}

/** Collects findings under a path, so that all are reported at once. */
export interface Report {
  add(message: string, mend?: string): void;
  /** The same, where the member's name is to blame. */
  addAtName(message: string, mend: string): void;
  /** The same report one member or index deeper. */
  at(member: string | number): Report;
  /** JSON pointer of this place. */
  readonly path: string;
}

/** A report that writes into `findings`. */
export function reportInto(findings: Finding[], path = ""): Report {
  return {
    path,
    add: (message, mend = "") => {
      findings.push({ path, message, mend });
    },
    addAtName: (message, mend) => {
      findings.push({ path, message, mend, isAtName: true });
    },
    at: (member) => reportInto(findings, `${path}/${String(member).replaceAll("~", "~0").replaceAll("/", "~1")}`),
  };
}

/**
 * Problems for people: place, the line with a caret under the column, what is wrong and the mend. `texts` holds the content of each file; a file
 * that is not among them is shown without its line.
 */
export function renderProblems(problems: readonly ConfigProblem[], texts: Readonly<Record<string, string>>): string {
  return problems
    .map((problem) => renderProblem(problem, Object.hasOwn(texts, problem.file) ? texts[problem.file] : undefined))
    .join("\n\n");
}

function renderProblem(problem: ConfigProblem, text: string | undefined): string {
  const place =
    problem.line > 0
      ? `${problem.file}:${problem.line}:${problem.column}`
      : problem.path === ""
        ? problem.file
        : `${problem.file}: ${problem.path}`;
  const lines = [`${place}: ${problem.message}`];
  const quoted = problem.line > 0 ? text?.split(/\r\n|[\r\n]/)[problem.line - 1] : undefined;
  if (quoted !== undefined) lines.push(...quoteLine(quoted, problem));
  if (problem.mend !== "") lines.push(`  mend: ${problem.mend}`);
  return lines.join("\n");
}

// A caret is of use only where the column is still shown; secrets given by value must not be, so a line with `secret:` and a value is masked.
function quoteLine(line: string, problem: ConfigProblem): readonly string[] {
  const shown = maskSecrets(line).replace(/[^\x20-\x7e\u{a0}-\u{ffff}]/gu, " ");
  const gutter = `  ${problem.line} | `;
  if (problem.column > fixedBounds.configQuoteCharsMax || shown.length === 0) return [];
  const cut = shown.length > fixedBounds.configQuoteCharsMax ? `${shown.slice(0, fixedBounds.configQuoteCharsMax)}…` : shown;
  return [gutter + cut, `${" ".repeat(gutter.length - 2)}| ${" ".repeat(problem.column - 1)}^`];
}

function maskSecrets(line: string): string {
  return line.replace(
    /((?:secret|auth|password|token|key)["']?\s*:\s*)(?!\s*["']?secret:\/\/|\s*\{)([^,}\s][^,}]*)/gi,
    (_, name: string, value: string) => name + "*".repeat(value.length),
  );
}
