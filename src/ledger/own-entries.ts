import { sha256Hex } from "../base/hash.ts";
import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { Signature } from "./keyring.ts";

/** What the ledger says of itself: destroyed keys, restores, and segments that retention dropped. */

/** Data keys were destroyed: the values under them are gone. A person appears as a digest only. */
export function keyDestroyed(facts: {
  readonly tenant: string;
  readonly atMs: number;
  readonly by: string;
  readonly keyIds: readonly string[];
  readonly subject?: string | undefined;
}): EntryDraft {
  const subjectDigest = facts.subject === undefined ? undefined : sha256Hex(`${facts.tenant}\u0000${facts.subject}`);
  return entry("key-destroyed", { tenant: facts.tenant, atMs: facts.atMs }, { by: facts.by, keyIds: facts.keyIds, subjectDigest });
}

/** The store was restored from a backup: what came after the backup's last checkpoint is not in this ledger. */
export function restored(facts: {
  readonly atMs: number;
  readonly by: string;
  readonly checkpointNumber: number;
  readonly reason: string;
}): EntryDraft {
  return entry(
    "ledger-restored",
    { tenant: "", atMs: facts.atMs },
    { by: facts.by, checkpointNumber: facts.checkpointNumber, reason: facts.reason },
  );
}

/** What a tombstone says: which sealed part of a writer's chain was dropped by retention. */
export interface DroppedSegment {
  readonly writer: string;
  readonly epoch: number;
  /** First and last sequence number that were dropped. */
  readonly fromSeq: number;
  readonly throughSeq: number;
  /** Head of the chain after the last dropped batch; the first remaining batch continues from it. */
  readonly head: string;
  /** The signed checkpoint that covers the segment. */
  readonly checkpointNumber: number;
}

/** A sealed part of the chain was dropped. Signed, so that nobody who can only write to the store can excuse a removal. */
export function tombstone(facts: {
  readonly atMs: number;
  readonly by: string;
  readonly segment: DroppedSegment;
  readonly signature: Signature;
}): EntryDraft {
  const { writer, epoch, fromSeq, throughSeq, head, checkpointNumber } = facts.segment;
  const { algorithm, keyId, signature } = facts.signature;
  return entry(
    "segment-dropped",
    { tenant: "", atMs: facts.atMs },
    { by: facts.by, segment: { checkpointNumber, epoch, fromSeq, head, throughSeq, writer }, signature: { algorithm, keyId, signature } },
  );
}
