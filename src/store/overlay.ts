import type { ChangedCounter, ChangedRow, Frame } from "./log-frame.ts";
import { rowId } from "./row-key.ts";

/** What changes leave behind, by row id. */
export interface Changes {
  readonly rows: ReadonlyMap<string, ChangedRow>;
  readonly counters: ReadonlyMap<string, ChangedCounter>;
}

interface Layer extends Changes {
  readonly rows: Map<string, ChangedRow>;
  readonly counters: Map<string, ChangedCounter>;
}

const emptyLayer = (): Layer => ({ rows: new Map(), counters: new Map() });

/**
 * What is in the commit log and not yet in the tables, laid over them: the latest of each row and counter. It has two layers, so that what was brought
 * in goes at once: the older one is on its way into the tables, the newer one takes what is committed meanwhile.
 */
export class Overlay {
  #newer = emptyLayer();
  #older = emptyLayer();

  row(id: string): ChangedRow | undefined {
    return this.#newer.rows.get(id) ?? this.#older.rows.get(id);
  }

  counter(id: string): ChangedCounter | undefined {
    return this.#newer.counters.get(id) ?? this.#older.counters.get(id);
  }

  /** Every changed row. Made anew for each question. */
  get rows(): ReadonlyMap<string, ChangedRow> {
    const { rows } = this.#newer;
    return this.#older.rows.size === 0 ? rows : new Map([...this.#older.rows, ...rows]);
  }

  /** A group is on disk. */
  add(changes: Changes): void {
    addTo(this.#newer, changes);
  }

  /** Everything so far is about to be brought in. */
  turnOver(): void {
    if (this.#older.rows.size === 0 && this.#older.counters.size === 0) this.#older = this.#newer;
    else addTo(this.#older, this.#newer);
    this.#newer = emptyLayer();
  }

  /** What there was at the last `turnOver` is in the tables. */
  broughtIn(): void {
    this.#older = emptyLayer();
  }
}

function addTo(layer: Layer, changes: Changes): void {
  for (const [id, row] of changes.rows) layer.rows.set(id, row);
  for (const [id, counter] of changes.counters) layer.counters.set(id, counter);
}

/** The changes of several frames in their order, the latest of each row and counter. */
export function latestOf(frames: readonly Pick<Frame, "rows" | "counters">[]): Changes {
  const { rows, counters } = emptyLayer();
  for (const frame of frames) {
    for (const row of frame.rows) rows.set(rowId(row.key), row);
    for (const counter of frame.counters) {
      const id = rowId(counter.key);
      counters.set(id, { ...counter, dueMs: counter.dueMs ?? counters.get(id)?.dueMs });
    }
  }
  return { rows, counters };
}
