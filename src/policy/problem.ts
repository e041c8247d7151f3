import { fixedBounds } from "../base/fixed-bounds.ts";

/** One thing wrong with a policy. Whoever read the file maps the pointer to a line. */
export interface Problem {
  /** JSON pointer (RFC 6901) into the policy, `""` for the whole. */
  readonly path: string;
  /** What is wrong and what would be right, on one line. */
  readonly message: string;
  /** The name of a tool, or of several with stars, that none of the tools has. Whoever knows that more tools come later overlooks it. */
  readonly missing?: string;
}

/** Collects problems under a path, so that all are reported at once. */
export interface Report {
  /** Adds a problem at this path; `missing` is the name that no tool has, where that is the problem. */
  add(message: string, missing?: string): void;
  /** The same report one member or index deeper. */
  at(member: string | number): Report;
}

/** A report that writes into `problems`. */
export function reportInto(problems: Problem[], path = ""): Report {
  return {
    add: (message, missing) => {
      problems.push({ path, message, ...(missing !== undefined && { missing }) });
    },
    at: (member) => reportInto(problems, `${path}/${String(member).replaceAll("~", "~0").replaceAll("/", "~1")}`),
  };
}

/** ` (nearest: \`x\`)` for a mistyped name, or nothing where no known name is close. At most `hintNamesMax` names of `comparedCharsMax` characters are compared. */
export function nearestHint(name: string, known: Iterable<string>): string {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  let compared = 0;
  for (const candidate of known) {
    compared += 1;
    if (compared > fixedBounds.hintNamesMax) break;
    const distance = editDistance(
      name.slice(0, fixedBounds.comparedCharsMax).toLowerCase(),
      candidate.slice(0, fixedBounds.comparedCharsMax).toLowerCase(),
    );
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined ? "" : ` (nearest: \`${best}\`)`;
}

/** Levenshtein distance with one row kept. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitute = (previous[column - 1] as number) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(substitute, (previous[column] as number) + 1, (current[column - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[right.length] as number;
}
