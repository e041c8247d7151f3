import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { Batch, Store, WriterHead } from "../store/store.ts";
import { checkpointOf, lastCheckpoint, writeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import type { Keyring } from "./keyring.ts";
import { tombstone, type DroppedSegment } from "./own-entries.ts";
import { tombstoneText } from "./tombstones.ts";

/** What retention needs. */
export interface RetentionParts {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "verifyPageEntries">;
}

/** One dropped segment and how many entries went with it. */
export interface Retained {
  readonly segment: DroppedSegment;
  readonly entries: number;
}

/**
 * Drops the sealed past: for every writer, all entries through the last checkpoint that was signed before `olderThanMs` (wall time). A signed
 * tombstone is written, and covered by a checkpoint, before anything goes; the checkpoints stay, so the ledger goes on verifying. Entries
 * between that checkpoint and `olderThanMs` stay until a later run.
 */
export async function retainSince(
  parts: RetentionParts,
  retention: { readonly olderThanMs: number; readonly by: string },
): Promise<readonly Retained[]> {
  const checkpoint = await lastBefore(parts.store, retention.olderThanMs);
  if (checkpoint === undefined) return [];
  const segments: DroppedSegment[] = [];
  for (const head of checkpoint.heads) {
    const first = await firstBatch(parts.store, head);
    if (first === undefined || first.firstSeq > head.seq) continue;
    const { writer, epoch, seq } = head;
    segments.push({ writer, epoch, fromSeq: first.firstSeq, throughSeq: seq, head: head.head, checkpointNumber: checkpoint.number });
  }
  if (segments.length === 0) return [];
  const atMs = parts.clock.now();
  const entries = segments.map((segment) =>
    tombstone({ atMs, by: retention.by, segment, signature: parts.keyring.sign(tombstoneText(segment)) }),
  );
  await parts.store.commit({ operations: [], entries });
  await writeCheckpoint({ store: parts.store, keyring: parts.keyring, atMs });
  const retained: Retained[] = [];
  for (const segment of segments) retained.push({ segment, entries: await parts.store.dropEntries(segment) });
  return retained;
}

/** The newest checkpoint signed before a time, by bisection over their numbers. */
async function lastBefore(store: Store, beforeMs: number): Promise<Checkpoint | undefined> {
  const last = await lastCheckpoint(store);
  let found = last !== undefined && last.atMs < beforeMs ? last : undefined;
  let low = found?.number ?? 0;
  let high = last === undefined || found !== undefined ? low : last.number;
  while (high - low > 1) {
    const middle = await checkpointOf(store, Math.floor((low + high) / 2));
    if (middle === undefined) return found;
    if (middle.atMs < beforeMs) {
      found = middle;
      low = middle.number;
    } else high = middle.number;
  }
  return found;
}

async function firstBatch(store: Store, head: WriterHead): Promise<Batch | undefined> {
  const [batch] = await store.batches({ writer: head.writer, epoch: head.epoch, limit: 1 });
  return batch;
}
