import type { Clock } from "../base/clock.ts";
import type { Store } from "../store/store.ts";
import { lastCheckpoint, writeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import type { Keyring } from "./keyring.ts";
import { restored } from "./own-entries.ts";

/**
 * Records that the store was restored from a backup: an entry in the new epoch, and a checkpoint that says after which one the history goes on.
 * With it, anchored checkpoints of the lost time are reported as left behind; without it they are a truncation. The store itself has done the
 * file work and opened the epoch. To be called at every start after which the store says that it was restored, before anything else is written;
 * does what is still missing, and answers `undefined` when nothing is.
 */
export async function recordRestore(
  parts: { readonly store: Store; readonly keyring: Keyring; readonly clock: Clock },
  restore: { readonly epoch: number; readonly by: string; readonly reason: string },
): Promise<Checkpoint | undefined> {
  const { store, keyring, clock } = parts;
  const { epoch, by, reason } = restore;
  const last = await lastCheckpoint(store);
  const checkpointNumber = last?.number ?? 0;
  const [recorded] = await store.entries({ epoch, kind: "ledger-restored", limit: 1 });
  const isCovered =
    recorded !== undefined &&
    last?.heads.some((head) => head.writer === recorded.writer && head.epoch === epoch && head.seq >= recorded.seq);
  if (isCovered === true) return undefined;
  const atMs = clock.now();
  if (recorded === undefined) await store.commit({ operations: [], entries: [restored({ atMs, by, reason, checkpointNumber })] });
  return writeCheckpoint({ store, keyring, atMs, restoredAfter: checkpointNumber });
}
