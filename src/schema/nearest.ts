import { fixedBounds } from "../base/fixed-bounds.ts";

/**
 * Which known name was probably meant. Two signals: the words a name is made of (`getOrder`, `order.get` and `get_order_v2` share words), and the
 * Damerau-Levenshtein distance of the plain letters (typing slips). A dotted name is also known by its last part, the operation. Cost is bounded: long
 * names are cut, at most `nearestNamesMax` are compared, and letters only where they can still change the answer.
 */

const similarityMin = 0.45;
// A name that is only like the operation is a little less alike than one that is as much like the whole.
const operationWeight = 0.95;

interface Scored {
  readonly candidate: string;
  readonly score: number;
  /** Likeness of the whole names, which tells apart names with the same operation. */
  readonly wholeScore: number;
  readonly index: number;
}

/**
 * The candidates most like a name, best first.
 *
 * @param limit how many at most.
 * @returns only candidates that are similar enough to be worth saying; equally similar ones in the given order.
 */
export function nearest(name: string, candidates: readonly string[], limit: number): readonly string[] {
  const asked = plainName(name);
  const best: Scored[] = [];
  for (let index = 0; index < Math.min(candidates.length, fixedBounds.nearestNamesMax); index += 1) {
    const candidate = candidates[index] as string;
    const scoreMin = best.length < limit ? similarityMin : (best[limit - 1] as Scored).score;
    const whole = plainName(candidate);
    const wholeScore = likeness(asked, whole, scoreMin);
    const dot = candidate.lastIndexOf(".");
    const partScore = dot > 0 ? operationWeight * likeness(asked, plainName(candidate.slice(dot + 1)), scoreMin / operationWeight) : 0;
    const score = Math.max(wholeScore, partScore);
    if (score < scoreMin) continue;
    best.push({ candidate, score, wholeScore, index });
    best.sort((left, right) => right.score - left.score || right.wholeScore - left.wholeScore || left.index - right.index);
    best.length = Math.min(best.length, limit);
  }
  return best.map((row) => row.candidate);
}

/** How alike two names are: 1 for the same letters whatever their case and separators, 0 for nothing in common. Symmetric. */
export function similarity(left: string, right: string): number {
  return likeness(plainName(left), plainName(right), 0);
}

interface PlainName {
  readonly words: readonly string[];
  readonly letters: string;
}

function plainName(name: string): PlainName {
  const list = words(name);
  return { words: list, letters: list.join("") };
}

// Gives 0 instead of a score that cannot reach `scoreMin`, since counting edits is the dear part.
function likeness(left: PlainName, right: PlainName, scoreMin: number): number {
  if (left.letters === right.letters) return left.letters === "" ? 0 : 1;
  const longest = Math.max(left.letters.length, right.letters.length);
  const shared = overlap(left.words, right.words);
  // The words count most: `get_order_info` means `order` although most letters differ. Never 1, which is kept for equality.
  const scoreOf = (same: number) => Math.min(0.99, Math.max(same, 0.75 * shared + 0.24 * same));
  const sameMax = Math.min(left.letters.length, right.letters.length) / longest;
  if (scoreOf(sameMax) < scoreMin) return 0;
  return scoreOf(1 - editDistance(left.letters, right.letters) / longest);
}

/** The words of a name in lower case: split at separators, at changes of case and between letters and digits. At most 80 characters count. */
export function words(name: string): readonly string[] {
  return name
    .slice(0, fixedBounds.comparedCharsMax)
    .normalize("NFKC")
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1 $2")
    .replace(/(\p{L})(\p{N})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

// Overlap coefficient weighted by length, so that one shared `a` says less than one shared `customer`: 1 when one name's words are all in the other's.
function overlap(left: readonly string[], right: readonly string[]): number {
  const rest = [...right];
  let sharedChars = 0;
  for (const word of left) {
    const at = rest.indexOf(word);
    if (at < 0) continue;
    rest.splice(at, 1);
    sharedChars += word.length;
  }
  const smaller = Math.min(chars(left), chars(right));
  return smaller === 0 ? 0 : sharedChars / smaller;
}

function chars(list: readonly string[]): number {
  return list.reduce((sum, word) => sum + word.length, 0);
}

/**
 * Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions and swaps of neighbours, each costing 1.
 *
 * @see "A technique for computer detection and correction of spelling errors", F. J. Damerau, 1964.
 */
export function editDistance(left: string, right: string): number {
  const width = right.length + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: width }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column < width; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (previous[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (previous[column - 1] as number) + (isSame ? 0 : 1),
      );
      const isSwap = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (isSwap) cost = Math.min(cost, (beforePrevious[column - 2] as number) + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length] as number;
}
