/**
 * Text that only certain readers may have, apart for each circle of readers: whether content may go to somebody depends on all the texts that it repeats.
 * Bounded; circles beyond the bound share one that nobody belongs to.
 */
import { ShingleIndex } from "./shingles.ts";

/** The text of one circle of readers. */
export interface Guarded {
  /** Who may have it, by the names that labels use; empty: nobody. */
  readonly readers: readonly string[];
  /** Whether a folded phrase was read as such text. */
  readonly holds: (phrase: string) => boolean;
}

/** Bounds of what is kept. */
export interface GuardedBounds {
  /** Words and pairs of words per circle; a power of two. */
  readonly slotsMax: number;
  /** Circles with tables of their own, beside that of nobody. */
  readonly circlesMax: number;
}

const nobody: readonly string[] = [];

/** What was read in one period, by who may have it. */
export class GuardedText {
  readonly #seed: number;
  readonly #bounds: GuardedBounds;
  readonly #circles = new Map<string, { readonly readers: readonly string[]; readonly table: ShingleIndex }>();

  constructor(seed: number, bounds: GuardedBounds) {
    this.#seed = seed;
    this.#bounds = bounds;
  }

  /** Bytes of all tables. */
  get bytes(): number {
    return [...this.#circles.values()].reduce((sum, { table }) => sum + table.bytes, 0);
  }

  /** The table for text of these readers, made when the first is read. */
  tableFor(readers: readonly string[]): ShingleIndex {
    const name = JSON.stringify([...new Set(readers)].sort());
    const known = this.#circles.get(name);
    if (known !== undefined) return known.table;
    if (readers.length > 0 && this.#circles.size >= this.#bounds.circlesMax) return this.tableFor(nobody);
    const table = new ShingleIndex({ seed: this.#seed, slotsMax: this.#bounds.slotsMax });
    this.#circles.set(name, { readers, table });
    return table;
  }

  /** The texts of all circles. */
  all(): readonly Guarded[] {
    return [...this.#circles.values()].map(({ readers, table }) => ({ readers, holds: (phrase) => table.find(phrase) !== undefined }));
  }
}
