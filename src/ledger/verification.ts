import type { Checkpoint } from "./checkpoint.ts";

/** What can be wrong with a ledger. */
export type ProblemKind =
  /** The content of an entry, batch or checkpoint is not what was sealed. */
  | "edited"
  /** Something in the middle is gone. */
  | "removed"
  /** An entry stands where another was. */
  | "reordered"
  /** An entry that no batch covers. */
  | "inserted"
  /** The chain has a second continuation: a batch or checkpoint that does not follow from what is before it. */
  | "forked"
  /** The end is gone, or the store is an older copy. */
  | "truncated"
  /** A checkpoint or tombstone is not signed by a known key. */
  | "unsigned"
  /** Private values do not open, or are not those that the entry committed to. */
  | "values-altered";

/** One thing that is wrong, and where. */
export interface LedgerProblem {
  readonly kind: ProblemKind;
  readonly writer?: string;
  readonly epoch?: number;
  /** The entry; with `throughSeq`, the first of several. */
  readonly seq?: number;
  readonly throughSeq?: number;
  /** The checkpoint. */
  readonly checkpoint?: number;
  /** One line for people. */
  readonly message: string;
}

/** How far a writer's chain is covered by something. */
export interface CoveredThrough {
  readonly writer: string;
  readonly epoch: number;
  readonly seq: number;
}

/** What verifying a ledger found. */
export interface Verification {
  /** No problem was found. Says nothing about the unprotected tail. */
  readonly ok: boolean;
  readonly entries: number;
  readonly batches: number;
  readonly checkpoints: number;
  /** At most `ledgerProblemsMax`. */
  readonly problems: readonly LedgerProblem[];
  /** Problems beyond that bound. */
  readonly problemsOmitted: number;
  /** What is not wrong but should be known: retention, restores. */
  readonly notices: readonly string[];
  /** Up to here an edit needs the signing key: the last checkpoint in the store. */
  readonly signedThrough: readonly CoveredThrough[];
  /** Entries after that. */
  readonly unsignedTail: number;
  /** Up to here nothing can have been changed or cut off without showing: the last anchored checkpoint that was given. */
  readonly protectedThrough: readonly CoveredThrough[];
  /** Entries after that; all of them when no anchor was given. */
  readonly unprotectedTail: number;
}

/** Collects problems up to a bound. */
export interface ProblemList {
  add(problem: LedgerProblem): void;
  readonly problems: readonly LedgerProblem[];
  readonly omitted: number;
}

/** A list that keeps the first `problemsMax` problems and counts the others. */
export function createProblemList(problemsMax: number): ProblemList {
  const problems: LedgerProblem[] = [];
  let omitted = 0;
  return {
    add(problem) {
      if (problems.length < problemsMax) problems.push(problem);
      else omitted += 1;
    },
    problems,
    get omitted() {
      return omitted;
    },
  };
}

/** How far a checkpoint covers each writer. */
export function coveredBy(checkpoint: Checkpoint | undefined): readonly CoveredThrough[] {
  return (checkpoint?.heads ?? []).map(({ writer, epoch, seq }) => ({ writer, epoch, seq }));
}

/** A verification in words for people, one fact a line. */
export function renderVerification(verification: Verification): string {
  const { ok, entries, batches, checkpoints, problems, problemsOmitted, notices } = verification;
  const lines = [
    ok
      ? `ledger intact: ${counted(entries, "entry", "entries")}, ${counted(batches, "batch", "batches")}, ${counted(checkpoints, "checkpoint", "checkpoints")}`
      : "LEDGER NOT INTACT",
    ...problems.map((problem) => `  ${problem.kind}: ${problem.message}`),
    ...(problemsOmitted > 0 ? [`  and ${counted(problemsOmitted, "more problem", "more problems")}`] : []),
    ...notices.map((notice) => `note: ${notice}`),
    tailLine(verification.signedThrough, verification.unsignedTail, "signed through", "not yet signed by a checkpoint"),
    tailLine(
      verification.protectedThrough,
      verification.unprotectedTail,
      "anchored through",
      "not covered by an anchor: cutting them off would not show",
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function tailLine(covered: readonly CoveredThrough[], tail: number, what: string, about: string): string {
  const places = covered.map(({ writer, epoch, seq }) => `\`${writer}\` epoch ${epoch} entry ${seq}`).join(", ");
  const through = covered.length === 0 ? `${what}: nothing` : `${what} ${places}`;
  return tail === 0 ? through : `${through}; ${counted(tail, "entry is", "entries are")} ${about}`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
