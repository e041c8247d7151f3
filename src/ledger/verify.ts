import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import { checkpointHash, checkpointKey, checkpointOf, checkpointsOf, isCheckpointSigned, type Checkpoint } from "./checkpoint.ts";
import type { PublicKey } from "./keyring.ts";
import type { Inspection, LedgerReader, VerifyOptions, WriterEpochs } from "./inspection.ts";
import { findTombstones, tombstoneText, type Tombstones } from "./tombstones.ts";
import { coveredBy, createProblemList, type ProblemList, type Verification } from "./verification.ts";
import { walkWriter } from "./walk.ts";

/**
 * Proves the ledger's integrity: every entry's text against its row, its leaf hash in its batch's tree, batches against the chain, the chain
 * against signed checkpoints, and those against anchors. Reads page by page; memory does not grow with the ledger. Never throws for a
 * ledger that is wrong; that is what the answer says.
 *
 * What retention drops meanwhile is no damage: where problems were found and new tombstones stand in the ledger since, all is read again.
 */
export async function verifyLedger(store: LedgerReader, options: VerifyOptions): Promise<Verification> {
  for (let left = fixedBounds.verifyReadingsMax - 1; ; left -= 1) {
    const { verification, tombstones } = await verifyOnce(store, options);
    if (verification.ok || left === 0) return verification;
    const pageEntries = (options.limits ?? defaultLimits).verifyPageEntries;
    const since = await findTombstones(store, options.publicKeys, pageEntries, createProblemList(0));
    if (namesOf(since) === namesOf(tombstones) && !isDropUnderWay(verification, since)) return verification;
  }
}

function namesOf(tombstones: Tombstones): string {
  return [...tombstones.values()].flat().map(tombstoneText).join();
}

/** A tombstone is written before its entries go, so one that was known from the start may be at work all the same. */
function isDropUnderWay({ problems }: Verification, tombstones: Tombstones): boolean {
  return problems.some(({ kind, writer = "", seq }) => {
    const throughSeq = tombstones.get(writer)?.at(-1)?.throughSeq;
    return kind === "removed" && seq !== undefined && throughSeq !== undefined && seq <= throughSeq;
  });
}

async function verifyOnce(
  store: LedgerReader,
  options: VerifyOptions,
): Promise<{ readonly verification: Verification; readonly tombstones: Tombstones }> {
  const limits = options.limits ?? defaultLimits;
  const found = createProblemList(limits.ledgerProblemsMax);
  const notices: string[] = [];
  const anchors = soundAnchors(options.anchors ?? [], options.publicKeys, found);
  const chain = await inspectCheckpoints({ store, publicKeys: options.publicKeys, pageRows: limits.verifyPageEntries, found, notices });
  const lastAnchor = await inspectAnchors(store, { anchors, restores: chain.restores, found, notices });
  const tombstones = await findTombstones(store, options.publicKeys, limits.verifyPageEntries, found);
  const totals = { entries: 0, batches: 0, unsigned: 0, unprotected: 0 };
  const inspection: Inspection = { ...options, store, anchors, limits, found, notices, tombstones, last: chain.last, lastAnchor, totals };
  for (const heads of await writersOf(store, chain.last, lastAnchor)) await walkWriter(inspection, heads);
  const verification = {
    ok: found.problems.length === 0,
    entries: totals.entries,
    batches: totals.batches,
    checkpoints: chain.count,
    problems: found.problems,
    problemsOmitted: found.omitted,
    notices,
    signedThrough: coveredBy(chain.last),
    unsignedTail: totals.unsigned,
    protectedThrough: coveredBy(lastAnchor),
    unprotectedTail: totals.unprotected,
  };
  return { verification, tombstones };
}

/** Writers of the store and of the last checkpoints: one that vanished from the store must be missed. */
async function writersOf(store: LedgerReader, ...checkpoints: readonly (Checkpoint | undefined)[]): Promise<readonly WriterEpochs[]> {
  const writers = new Map<string, Map<number, { readonly seq: number; readonly head: string } | undefined>>();
  const epochsOf = (writer: string) => {
    const known = writers.get(writer) ?? new Map<number, { readonly seq: number; readonly head: string } | undefined>();
    writers.set(writer, known);
    return known;
  };
  for (const { writer, epoch, seq, head } of await store.writers()) epochsOf(writer).set(epoch, { seq, head });
  for (const checkpoint of checkpoints)
    for (const { writer, epoch } of checkpoint?.heads ?? []) if (!epochsOf(writer).has(epoch)) epochsOf(writer).set(epoch, undefined);
  return [...writers].map(([writer, epochs]) => ({
    writer,
    epochs: [...epochs].sort(([left], [right]) => left - right).map(([epoch, head]) => ({ epoch, head })),
  }));
}

/** A restore that the checkpoint chain shows: checkpoint `number` was the first after going back to `after`. */
interface Restore {
  readonly number: number;
  readonly after: number;
  readonly atMs: number;
}

async function inspectCheckpoints(parts: {
  readonly store: LedgerReader;
  readonly publicKeys: readonly PublicKey[];
  readonly pageRows: number;
  readonly found: ProblemList;
  readonly notices: string[];
}): Promise<{ readonly count: number; readonly last: Checkpoint | undefined; readonly restores: readonly Restore[] }> {
  const { found } = parts;
  const restores: Restore[] = [];
  let before: Checkpoint | undefined;
  let last: Checkpoint | undefined;
  let count = 0;
  for await (const { key, checkpoint } of checkpointsOf(parts.store, parts.pageRows)) {
    count += 1;
    const number = Number(key);
    if (checkpoint === undefined || checkpointKey(checkpoint.number) !== key) {
      found.add({ kind: "edited", checkpoint: number, message: `checkpoint ${number} cannot be read or bears another number` });
      continue;
    }
    const isSigned = isCheckpointSigned(checkpoint, parts.publicKeys);
    if (!isSigned) found.add({ kind: "unsigned", checkpoint: number, message: `checkpoint ${number} is not signed by a known key` });
    const expected = (before?.number ?? 0) + 1;
    if (checkpoint.number > expected)
      found.add({
        kind: "removed",
        checkpoint: expected,
        message: `checkpoint ${expected} is missing: after ${expected - 1} comes ${checkpoint.number}`,
      });
    else if (checkpoint.previous !== (before === undefined ? "0".repeat(64) : checkpointHash(before)))
      found.add({ kind: "forked", checkpoint: number, message: `checkpoint ${number} does not follow from the one before it` });
    if (isSigned && checkpoint.restoredAfter !== undefined) {
      restores.push({ number, after: checkpoint.restoredAfter, atMs: checkpoint.atMs });
      parts.notices.push(
        `the ledger was restored from a backup; checkpoint ${number} says so, and that it goes on from checkpoint ${checkpoint.restoredAfter}`,
      );
    }
    before = checkpoint;
    if (isSigned) last = checkpoint;
  }
  return { count, last, restores };
}

function soundAnchors(anchors: readonly Checkpoint[], publicKeys: readonly PublicKey[], found: ProblemList): readonly Checkpoint[] {
  return anchors.filter((anchor) => {
    if (isCheckpointSigned(anchor, publicKeys)) return true;
    found.add({
      kind: "unsigned",
      checkpoint: anchor.number,
      message: `the anchored checkpoint ${anchor.number} is not signed by a known key`,
    });
    return false;
  });
}

/** Compares anchors with the store; returns the newest one that the ledger must still contain. */
async function inspectAnchors(
  store: LedgerReader,
  parts: {
    readonly anchors: readonly Checkpoint[];
    readonly restores: readonly Restore[];
    readonly found: ProblemList;
    readonly notices: string[];
  },
): Promise<Checkpoint | undefined> {
  let last: Checkpoint | undefined;
  for (const anchor of parts.anchors) {
    const stored = await checkpointOf(store, anchor.number);
    const isSame = stored !== undefined && checkpointHash(stored) === checkpointHash(anchor);
    // What a declared restore left behind is known to be gone. Only a checkpoint made before the restore can be excused by it.
    const restore = parts.restores.find((one) => !isSame && anchor.number > one.after && anchor.atMs <= one.atMs);
    if (restore !== undefined) {
      parts.notices.push(
        `the anchored checkpoint ${anchor.number} was left behind by the restore that checkpoint ${restore.number} declares`,
      );
      continue;
    }
    if (!isSame) parts.found.add(anchorProblem(anchor, stored));
    if (last === undefined || anchor.number >= last.number) last = anchor;
  }
  return last;
}

function anchorProblem(anchor: Checkpoint, stored: Checkpoint | undefined) {
  const number = anchor.number;
  return stored === undefined
    ? ({
        kind: "truncated",
        checkpoint: number,
        message: `the anchored checkpoint ${number} is not in the store: its end was cut off, or it is an older copy`,
      } as const)
    : ({
        kind: "forked",
        checkpoint: number,
        message: `checkpoint ${number} in the store is not the one that was anchored: its history was written anew`,
      } as const);
}
