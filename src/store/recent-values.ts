/**
 * A bounded memory of numbers by id. When the younger half is full the older half is forgotten at once, because taking single items from the front
 * of a map gets slower with every one. What is asked for counts as young again.
 */
export class RecentValues {
  readonly #halfMax: number;
  #younger = new Map<string, number>();
  #older = new Map<string, number>();

  /** @param valuesMax about how many values are kept; at least half of them. */
  constructor(valuesMax: number) {
    this.#halfMax = Math.ceil(valuesMax / 2);
  }

  get(id: string): number | undefined {
    const young = this.#younger.get(id);
    if (young !== undefined) return young;
    const old = this.#older.get(id);
    if (old !== undefined) this.set(id, old);
    return old;
  }

  set(id: string, value: number): void {
    this.#younger.set(id, value);
    if (this.#younger.size < this.#halfMax) return;
    this.#older = this.#younger;
    this.#younger = new Map();
  }

  delete(id: string): void {
    this.#younger.delete(id);
    this.#older.delete(id);
  }

  clear(): void {
    this.#younger.clear();
    this.#older.clear();
  }
}
