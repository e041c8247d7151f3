import type { Clock, Timer } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { Store } from "../store/store.ts";
import { anchorCheckpoint, type Anchor } from "./anchor.ts";
import { writeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import type { Keyring } from "./keyring.ts";

/**
 * Makes checkpoints while entries arrive: after `checkpointEntriesMax` of them, or `checkpointIntervalMs` after the first that has none, and at
 * close. Never on a call's path: what it does happens after the entries are written, and its trouble is reported, not thrown at a call.
 */
export interface Checkpointer {
  /** Says that entries were appended. Costs a comparison. */
  note(entriesCount: number): void;
  /** Makes a checkpoint if entries arrived since the last one; `undefined` when none did. Rejects when the store refuses. */
  tick(): Promise<Checkpoint | undefined>;
  /** What is wrong at the moment, in words for people; empty when all is well. */
  problems(): readonly string[];
  /** Makes the last checkpoint and stops. Idempotent. Rejects when the store refuses. */
  close(): Promise<void>;
}

/** What a checkpointer needs. */
export interface CheckpointerParts {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "checkpointEntriesMax" | "checkpointIntervalMs">;
  /** Default none: then a store that was cut off or taken back verifies. */
  readonly anchors?: readonly Anchor[];
}

/** A checkpointer over a store. */
export function createCheckpointer(parts: CheckpointerParts): Checkpointer {
  const { store, keyring, clock, limits, anchors = [] } = parts;
  let pendingCount = 0;
  let timer: Timer | undefined;
  let running: Promise<Checkpoint | undefined> = Promise.resolve(undefined);
  let isClosed = false;
  let storeProblem: string | undefined;
  const keeper = createAnchorKeeper(anchors);

  async function make(): Promise<Checkpoint | undefined> {
    timer?.cancel();
    timer = undefined;
    if (pendingCount === 0) return undefined;
    const coveredCount = pendingCount;
    try {
      const checkpoint = await writeCheckpoint({ store, keyring, atMs: clock.now() });
      pendingCount -= coveredCount;
      storeProblem = undefined;
      await keeper.keep(checkpoint);
      return checkpoint;
    } catch (cause) {
      storeProblem = "the last checkpoint could not be written; entries since the one before are not signed";
      throw cause;
    } finally {
      if (pendingCount > 0) schedule();
    }
  }

  /** One at a time: two at once would only compete for the same number. */
  function enqueue(): Promise<Checkpoint | undefined> {
    running = running.then(make, make);
    return running;
  }

  function schedule(): void {
    if (timer !== undefined || isClosed) return;
    timer = clock.after(limits.checkpointIntervalMs, runQuietly);
  }

  function runQuietly(): void {
    // The failure is kept in `problems` and tried again at the next interval; here nobody waits for it.
    enqueue().catch(() => undefined);
  }

  return {
    note(entriesCount) {
      const before = pendingCount;
      pendingCount += entriesCount;
      if (before < limits.checkpointEntriesMax && pendingCount >= limits.checkpointEntriesMax) runQuietly();
      else if (timer === undefined) schedule();
    },
    tick: enqueue,
    problems: () => [...(storeProblem === undefined ? [] : [storeProblem]), ...keeper.problems()],
    async close() {
      if (isClosed) return;
      isClosed = true;
      await enqueue();
      timer?.cancel();
    },
  };
}

/** Hands checkpoints to every anchor and remembers which of them are away. */
function createAnchorKeeper(anchors: readonly Anchor[]): { keep(checkpoint: Checkpoint): Promise<void>; problems(): readonly string[] } {
  const problems = new Map<string, string>();
  const keepAt = async (anchor: Anchor, checkpoint: Checkpoint): Promise<void> => {
    const name = anchor.kind === "file" ? `file \`${anchor.path}\`` : `\`${anchor.name}\``;
    try {
      await anchorCheckpoint(anchor, checkpoint);
      problems.delete(name);
    } catch {
      // An anchor that is away must not stop the ledger; the next checkpoint chains over the one it missed.
      problems.set(name, `checkpoint ${checkpoint.number} could not be kept at the anchor ${name}`);
    }
  };
  return {
    async keep(checkpoint) {
      await Promise.all(anchors.map((anchor) => keepAt(anchor, checkpoint)));
    },
    problems: () => [...problems.values()],
  };
}
