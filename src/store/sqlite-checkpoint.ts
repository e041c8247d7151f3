import type { DatabaseSync } from "node:sqlite";
import type { Offload } from "./sqlite-offload.ts";

/** Keeps the write-ahead log short without stopping those who write. */
export interface Checkpointer {
  /** A group of so many units was written. */
  written(unitCount: number): void;
  /** Resolves when no checkpoint is under way. */
  idle(): Promise<void>;
}

// A group touches about this many pages however small it is, and each unit about this many more; measured with the standard call.
const pagesPerGroup = 4;
const pagesPerUnit = 2;
const passesMax = 6;

/**
 * Moves the log into the file on the worker thread once about `pagesMax` pages were written. The log can start over only when nothing is left in
 * it, and the writer goes on meanwhile; so the worker repeats until little is left and the writer itself moves the last `restPagesMax` pages.
 */
export function createCheckpointer(db: DatabaseSync, offload: Offload, pagesMax: number, restPagesMax: number): Checkpointer {
  const moveRest = db.prepare("pragma wal_checkpoint(passive)");
  let pages = 0;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (let pass = 0; pass < passesMax; pass += 1) {
      pages = 0;
      const { pagesInLog, pagesMoved } = await offload.run({ kind: "checkpoint" });
      // Pages that were written while the worker moved are counted from the groups.
      const left = pagesInLog - pagesMoved + pages;
      if (left <= restPagesMax) {
        moveRest.get();
        return;
      }
    }
  }

  return {
    written(unitCount) {
      pages += pagesPerGroup + pagesPerUnit * unitCount;
      if (pages < pagesMax || running !== undefined) return;
      running = run()
        // A checkpoint that failed loses nothing: the log only stays longer, and SQLite's own checkpoint is the backstop.
        .catch(() => undefined)
        .finally(() => {
          running = undefined;
        });
    },
    async idle() {
      await running;
    },
  };
}
