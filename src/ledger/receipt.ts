import type { Limits } from "../base/limits.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { batchHead, inclusionPath, leafHash, rootFromPath } from "../store/seal.ts";
import type { Batch, Entry, EntryPosition, Store, WriterHead } from "../store/store.ts";
import { checkpointOf, isCheckpointSigned, lastCheckpoint, readCheckpoint, type Checkpoint } from "./checkpoint.ts";
import type { PublicKey } from "./keyring.ts";

/**
 * Proof that one entry stands in the ledger, which verifies alone with the installation's public key: the entry's text, its path to its batch's
 * root, the batches from there to a checkpoint's head, and the signed checkpoint. Agent (credential) and user are inside the text, so a receipt
 * cannot be passed off as another's.
 */
export interface Receipt {
  readonly version: 1;
  /** The entry, exactly as hashed. */
  readonly text: string;
  /** Place of its leaf in the batch, from 0. */
  readonly index: number;
  /** Hashes from the leaf to the root, lowest first. */
  readonly path: readonly string[];
  /** The entry's batch. */
  readonly batch: Batch;
  /** The batches that follow up to the checkpoint's head. */
  readonly following: readonly { readonly firstSeq: number; readonly count: number; readonly root: string }[];
  readonly checkpoint: Checkpoint;
}

/** What checking a receipt says. `entry` is the text as data: the position, tenant, kind, call and body that are proven. */
export type ReceiptVerdict =
  | { readonly kind: "valid"; readonly entry: Readonly<Record<string, unknown>>; readonly checkpoint: number; readonly signedAtMs: number }
  | { readonly kind: "invalid"; readonly reason: string };

type ReceiptStore = Pick<Store, "read" | "scan" | "entries" | "batches">;

/** What making a receipt may be told. */
export interface ReceiptParts {
  readonly store: ReceiptStore;
  readonly limits: Pick<Limits, "verifyPageEntries" | "groupUnitsMax">;
}

/**
 * Makes the receipt of the entry at a position. `NOT_FOUND` when there is no such entry or it was dropped; `LEDGER_UNAVAILABLE` while no
 * checkpoint covers it yet (ask again after the next one).
 */
export async function makeReceipt(parts: ReceiptParts, position: EntryPosition): Promise<Receipt> {
  const { writer, epoch, seq } = position;
  const checkpoint = await firstCovering(parts.store, position);
  if (checkpoint === undefined)
    throw toolCallError("LEDGER_UNAVAILABLE", `no checkpoint covers entry ${seq} of \`${writer}\` yet; ask again after the next one`);
  const head = headFor(checkpoint, position) as WriterHead;
  const batches = await batchesBetween(parts, { writer, epoch, seq, throughSeq: head.seq });
  const batch = batches[0];
  if (batch === undefined) throw notFound(position);
  const entries = await parts.store.entries({ writer, epoch, afterSeq: batch.firstSeq - 1, limit: batch.count });
  const index = seq - batch.firstSeq;
  const entry = entries[index];
  if (entry === undefined || entry.seq !== seq || entries.length !== batch.count) throw notFound(position);
  const following = batches.slice(1).map(({ firstSeq, count, root }) => ({ firstSeq, count, root }));
  const path = inclusionPath(
    entries.map((one) => leafHash(one.text)),
    index,
  );
  return { version: 1, text: entry.text, index, path, batch, following, checkpoint };
}

/** Makes the receipt of a call: of its last entry, which says how it ended, or of the newest of `kind`. */
export async function makeCallReceipt(
  parts: ReceiptParts,
  call: { readonly tenant: string; readonly callId: string; readonly kind?: string },
): Promise<Receipt> {
  const entries: readonly Entry[] = await parts.store.entries({ ...call, newestFirst: true, limit: 1 });
  const entry = entries[0];
  if (entry === undefined) throw toolCallError("NOT_FOUND", `no entry of a call \`${call.callId}\` is in the ledger`);
  return makeReceipt(parts, entry);
}

/** Checks a receipt with nothing but public keys. Never throws, whatever it is given. */
export function verifyReceipt(receipt: unknown, publicKeys: readonly PublicKey[]): ReceiptVerdict {
  try {
    return checkReceipt(receipt as Receipt, publicKeys);
  } catch {
    // A receipt comes from outside; whatever its parts fail with, they are not those of a receipt.
    return invalid("it has not the form of a receipt");
  }
}

function checkReceipt(receipt: Receipt, publicKeys: readonly PublicKey[]): ReceiptVerdict {
  if (receipt.version !== 1) return invalid("its version is not 1");
  const checkpoint = readCheckpoint(receipt.checkpoint);
  if (checkpoint === undefined || !isCheckpointSigned(checkpoint, publicKeys))
    return invalid("its checkpoint is not signed by a known key");
  const entry = JSON.parse(receipt.text) as Readonly<Record<string, unknown>>;
  const { writer, epoch, firstSeq, count } = receipt.batch;
  if (entry["writer"] !== writer || entry["epoch"] !== epoch || entry["seq"] !== firstSeq + receipt.index)
    return invalid("its entry belongs to another place");
  const root = rootFromPath(leafHash(receipt.text), receipt.index, count, receipt.path);
  if (root === undefined || root !== receipt.batch.root) return invalid("its entry is not in its batch");
  const end = followChain(receipt);
  if (end === undefined) return invalid("its batches do not follow from each other");
  const head = checkpoint.heads.find((one) => one.writer === writer && one.epoch === epoch);
  if (head === undefined || head.seq !== end.seq || head.head !== end.head) return invalid("its batches do not lead to its checkpoint");
  return { kind: "valid", entry, checkpoint: checkpoint.number, signedAtMs: checkpoint.atMs };
}

/** The end of the chain that a receipt's batches make. */
function followChain(receipt: Receipt): { readonly seq: number; readonly head: string } | undefined {
  const { writer, epoch } = receipt.batch;
  let head = batchHead(receipt.batch);
  if (head !== receipt.batch.head) return undefined;
  let seq = receipt.batch.firstSeq + receipt.batch.count - 1;
  // That the numbers run on needs no check of its own: they are hashed into the head that is signed.
  for (const { firstSeq, count, root } of receipt.following) {
    head = batchHead({ writer, epoch, firstSeq, count, root, previous: head });
    seq = firstSeq + count - 1;
  }
  return { seq, head };
}

/** The first checkpoint that covers a position, by bisection: what a checkpoint covers never shrinks. */
async function firstCovering(store: ReceiptStore, position: EntryPosition): Promise<Checkpoint | undefined> {
  const last = await lastCheckpoint(store);
  if (last === undefined || headFor(last, position) === undefined) return undefined;
  let covering = last;
  let below = 0;
  while (covering.number - below > 1) {
    const middle = await checkpointOf(store, Math.floor((below + covering.number) / 2));
    if (middle === undefined) break;
    if (headFor(middle, position) === undefined) below = middle.number;
    else covering = middle;
  }
  return covering;
}

function headFor(checkpoint: Checkpoint, position: EntryPosition): WriterHead | undefined {
  return checkpoint.heads.find((head) => head.writer === position.writer && head.epoch === position.epoch && head.seq >= position.seq);
}

/** The batch that holds `seq` and those after it through `throughSeq`. */
async function batchesBetween(
  parts: ReceiptParts,
  range: { readonly writer: string; readonly epoch: number; readonly seq: number; readonly throughSeq: number },
): Promise<readonly Batch[]> {
  const { writer, epoch, seq, throughSeq } = range;
  const found: Batch[] = [];
  let afterSeq = await beforeBatch(parts, range);
  for (;;) {
    const page = await parts.store.batches({ writer, epoch, afterSeq, limit: parts.limits.verifyPageEntries });
    for (const batch of page) {
      if (batch.firstSeq > throughSeq) return found;
      if (batch.firstSeq + batch.count - 1 >= seq) found.push(batch);
    }
    if (page.length < parts.limits.verifyPageEntries) return found;
    afterSeq = page.at(-1)?.firstSeq ?? afterSeq;
  }
}

/** A sequence number before the start of the batch that holds `seq`: batches are asked for by their start, which is not known. */
async function beforeBatch(
  parts: ReceiptParts,
  range: { readonly writer: string; readonly epoch: number; readonly seq: number },
): Promise<number> {
  const { writer, epoch, seq } = range;
  for (let span = parts.limits.groupUnitsMax; span < seq; span *= 4) {
    const [batch] = await parts.store.batches({ writer, epoch, afterSeq: seq - span, limit: 1 });
    if (batch !== undefined && batch.firstSeq <= seq) return seq - span;
  }
  return 0;
}

function invalid(reason: string): ReceiptVerdict {
  return { kind: "invalid", reason };
}

function notFound(position: EntryPosition) {
  return toolCallError(
    "NOT_FOUND",
    `entry ${position.seq} of \`${position.writer}\` is not in the ledger, or was dropped with its segment`,
  );
}
