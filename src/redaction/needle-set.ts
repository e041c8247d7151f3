const tableSize = 16_384;

/**
 * Searches one text for many fixed strings at once. Looking at two characters at a time, a table says how far the search may jump, so most
 * characters of a text without a match are never looked at.
 *
 * @see "A fast algorithm for multi-pattern searching", S. Wu and U. Manber, University of Arizona TR-94-17, 1994.
 */
export class NeedleSet {
  readonly #shifts = new Uint8Array(tableSize);
  readonly #buckets: (string[] | undefined)[] = Array.from({ length: tableSize }, () => undefined);
  readonly #charsMin: number;
  readonly #isEmpty: boolean;

  /** @param needles strings of at least 2 characters. */
  constructor(needles: readonly string[]) {
    this.#isEmpty = needles.length === 0;
    this.#charsMin = Math.min(255, ...needles.map((needle) => needle.length));
    this.#shifts.fill(this.#charsMin - 1);
    for (const needle of needles) this.#add(needle);
    // The longest first, since a shorter one may be its beginning.
    for (const bucket of this.#buckets) bucket?.sort((left, right) => right.length - left.length);
  }

  #add(needle: string): void {
    const lastBlock = this.#charsMin - 2;
    for (let offset = 0; offset <= lastBlock; offset += 1) {
      const block = blockOf(needle.charCodeAt(offset), needle.charCodeAt(offset + 1));
      this.#shifts[block] = Math.min(this.#shifts[block] as number, lastBlock - offset);
      if (offset < lastBlock) continue;
      (this.#buckets[block] ??= []).push(needle);
    }
  }

  /** Whether any needle is in the text. */
  isIn(text: string): boolean {
    return this.find(text, 0) !== undefined;
  }

  /** The text with every needle replaced, and how many there were. */
  replace(text: string, replacement: string): { readonly text: string; readonly count: number } {
    let result = "";
    let from = 0;
    let count = 0;
    for (let found = this.find(text, 0); found !== undefined; found = this.find(text, from)) {
      result += text.slice(from, found.index) + replacement;
      from = found.index + found.length;
      count += 1;
    }
    return { text: count === 0 ? text : result + text.slice(from), count };
  }

  /** The first needle at or behind a place, the longest of those that begin there. */
  find(text: string, from: number): { readonly index: number; readonly length: number } | undefined {
    if (this.#isEmpty) return undefined;
    const shifts = this.#shifts;
    const charsMin = this.#charsMin;
    let end = from + charsMin - 1;
    while (end < text.length) {
      const block = blockOf(text.charCodeAt(end - 1), text.charCodeAt(end));
      const shift = shifts[block] as number;
      if (shift > 0) {
        end += shift;
        continue;
      }
      const index = end - charsMin + 1;
      const bucket = this.#buckets[block] as string[];
      for (let nth = 0; nth < bucket.length; nth += 1) {
        const needle = bucket[nth] as string;
        if (text.startsWith(needle, index)) return { index, length: needle.length };
      }
      end += 1;
    }
    return undefined;
  }
}

// A few bits of each character tell enough.
function blockOf(first: number, second: number): number {
  return ((first & 0x5f) << 7) | (second & 0x5f);
}
