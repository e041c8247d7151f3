import type { Batch, Entry } from "../store/store.ts";
import { batchHead, leafHash, merkleRoot, zeroHead } from "../store/seal.ts";
import { checkpointsOf, type Checkpoint } from "./checkpoint.ts";
import { editedIn, linkOf } from "./edited-in.ts";
import { inspectEntry } from "./inspect-entry.ts";
import type { Inspection, WriterEpochs } from "./inspection.ts";
import type { LedgerProblem, ProblemKind } from "./verification.ts";

/**
 * Walks one writer's chain from its first entry to its last, batches and entries in step, and holds it against the heads that checkpoints
 * and tombstones name. The sequence and the chain run on through epochs.
 */

/** Where the walk stands: the last entry passed and the head of the chain after it. */
interface Position {
  seq: number;
  head: string;
  /** Whether anything of this writer was met; before that, only a signed tombstone explains a gap. */
  hasBegun: boolean;
}

/** A head that something outside the chain says it had at a sequence number. */
interface Pin {
  readonly seq: number;
  readonly head: string;
  /** For people, such as "checkpoint 7". */
  readonly source: string;
  readonly checkpoint?: number;
}

/** Checks everything of one writer. */
export async function walkWriter(inspection: Inspection, writer: WriterEpochs): Promise<void> {
  const position: Position = { seq: 0, head: zeroHead, hasBegun: false };
  for (const { epoch, head } of writer.epochs) {
    await walkEpoch(inspection, { writer: writer.writer, epoch, position, head });
  }
}

/** What the steps of one epoch's walk share. */
interface Walk {
  readonly inspection: Inspection;
  readonly writer: string;
  readonly epoch: number;
  readonly position: Position;
  readonly entries: EntryCursor;
  readonly pins: PinCursor;
  /** Through here signed tombstones say that entries were dropped. */
  readonly droppedThrough: number;
  /** The end when verifying began; what is appended meanwhile is left for the next time. */
  readonly untilSeq: number;
}

async function walkEpoch(
  inspection: Inspection,
  place: {
    readonly writer: string;
    readonly epoch: number;
    readonly position: Position;
    readonly head: { readonly seq: number; readonly head: string } | undefined;
  },
): Promise<void> {
  const { writer, epoch, position, head } = place;
  const walk: Walk = {
    inspection,
    writer,
    epoch,
    position,
    entries: cursor(entriesOf(inspection, writer, epoch)),
    pins: createPins(inspection, { writer, epoch, head }),
    droppedThrough: inspection.tombstones.get(writer)?.at(-1)?.throughSeq ?? 0,
    untilSeq: head?.seq ?? Number.MAX_SAFE_INTEGER,
  };
  await comparePins(walk, position.seq);
  for await (const batch of batchesOf(inspection, writer, epoch)) {
    if (batch.firstSeq > walk.untilSeq) break;
    await reportOutside(walk, batch.firstSeq);
    await enterBatch(walk, batch);
    await inspectBatch(walk, batch);
    count(walk, batch);
    const fromSeq = position.seq + 1;
    Object.assign(position, { seq: lastSeqOf(batch), head: batch.head });
    await comparePins(walk, fromSeq);
  }
  await reportOutside(walk, walk.untilSeq + 1);
  await reportLost(walk);
}

function report(walk: Walk, kind: ProblemKind, message: string, place: Partial<LedgerProblem>): void {
  walk.inspection.found.add({ kind, writer: walk.writer, epoch: walk.epoch, message, ...place });
}

/** Checks how a batch follows from what is before it. */
async function enterBatch(walk: Walk, batch: Batch): Promise<void> {
  const { position, writer } = walk;
  const expectedSeq = position.seq + 1;
  const throughSeq = batch.firstSeq - 1;
  const where = `the batch at entry ${batch.firstSeq} of \`${writer}\``;
  if (batch.firstSeq > expectedSeq && !isGapExcused(walk, throughSeq))
    report(walk, "removed", `${entriesText(expectedSeq, throughSeq)} of \`${writer}\` with their batches are gone`, {
      seq: expectedSeq,
      throughSeq,
    });
  else if (batch.firstSeq < expectedSeq) report(walk, "forked", `${where} overlaps the one before it`, { seq: batch.firstSeq });
  else if (batch.firstSeq === expectedSeq && batch.previous !== position.head)
    report(walk, "forked", `${where} does not continue the chain before it`, { seq: batch.firstSeq });
  if (batch.head !== batchHead(batch)) report(walk, "edited", `${where} has a head that is not its own`, { seq: batch.firstSeq });
  if (batch.firstSeq <= expectedSeq) {
    position.hasBegun = true;
    return;
  }
  // After a gap the chain is taken up from what the batch claims to follow; a pin at that place still has to agree.
  const fromSeq = position.hasBegun ? position.seq + 1 : throughSeq;
  Object.assign(position, { seq: throughSeq, head: batch.previous, hasBegun: true });
  await comparePins(walk, fromSeq);
}

function isGapExcused(walk: Walk, throughSeq: number): boolean {
  if (walk.position.hasBegun) return false;
  // A memory store drops its oldest entries to stay within its bound.
  if (throughSeq > walk.droppedThrough && walk.inspection.store.survivesRestart !== false) return false;
  walk.inspection.notices.push(`entries 1 to ${throughSeq} of \`${walk.writer}\` are no longer kept`);
  return true;
}

/** Checks the entries of a batch one by one, then together against its root. */
async function inspectBatch(walk: Walk, batch: Batch): Promise<void> {
  const leaves: string[] = [];
  const links: (string | undefined)[] = [];
  let isNamed = false;
  for (let seq = batch.firstSeq; seq <= lastSeqOf(batch); seq += 1) {
    const entry = await walk.entries.peek();
    if (entry === undefined || entry.seq > seq) {
      report(walk, "removed", `entry ${seq} of \`${walk.writer}\` is gone`, { seq });
      isNamed = true;
      if (entry === undefined) break;
      continue;
    }
    walk.entries.take();
    const problem = await inspectEntry(entry, walk.inspection.vault);
    if (problem !== undefined) report(walk, problem.kind, problem.message, { seq });
    isNamed ||= problem !== undefined && problem.kind !== "values-altered";
    leaves.push(leafHash(entry.text));
    links.push(linkOf(entry));
  }
  if (isNamed || merkleRoot(leaves) === batch.root) return;
  const next = await walk.entries.peek();
  links.push(next?.seq === lastSeqOf(batch) + 1 ? linkOf(next) : undefined);
  for (const { seq, throughSeq } of editedIn(batch.firstSeq, leaves, links))
    report(walk, "edited", `the text of ${entriesText(seq, throughSeq)} of \`${walk.writer}\` is not what was sealed`, {
      seq,
      ...(throughSeq > seq && { throughSeq }),
    });
}

function count(walk: Walk, batch: Batch): void {
  const { totals, last, lastAnchor } = walk.inspection;
  const afterOf = (checkpoint: Checkpoint | undefined): number =>
    Math.max(0, lastSeqOf(batch) - Math.max(coveredSeq(checkpoint, walk.writer, walk.epoch), batch.firstSeq - 1));
  totals.batches += 1;
  totals.entries += batch.count;
  totals.unsigned += afterOf(last);
  totals.unprotected += afterOf(lastAnchor);
}

/** Holds every pin up to the current position against the chain; pins before `fromSeq` lie in a gap and cannot be compared. */
async function comparePins(walk: Walk, fromSeq: number): Promise<void> {
  const { position, pins, writer } = walk;
  for (let pin = await pins.peek(); pin !== undefined && pin.seq <= position.seq; pin = await pins.peek()) {
    pins.take();
    if (pin.seq < fromSeq) continue;
    if (pin.seq !== position.seq || pin.head !== position.head)
      report(walk, "forked", `the chain of \`${writer}\` at entry ${pin.seq} is not the one that ${pin.source} names`, pinPlace(pin));
  }
}

async function reportOutside(walk: Walk, beforeSeq: number): Promise<void> {
  const { entries, writer } = walk;
  for (let entry = await entries.peek(); entry !== undefined && entry.seq < beforeSeq; entry = await entries.peek()) {
    entries.take();
    report(walk, "inserted", `entry ${entry.seq} of \`${writer}\` belongs to no batch`, { seq: entry.seq });
  }
}

/** Names what pins beyond the end show to be gone. */
async function reportLost(walk: Walk): Promise<void> {
  const { position, pins, writer } = walk;
  let lost: Pin | undefined;
  for (let pin = await pins.peek(); pin !== undefined; pin = await pins.peek()) {
    pins.take();
    // Retention may have dropped every entry of an epoch.
    if (position.hasBegun || pin.seq > walk.droppedThrough) lost = pin;
  }
  if (lost === undefined) return;
  const place = { ...pinPlace(lost), seq: position.seq + 1, throughSeq: lost.seq };
  report(walk, "truncated", `${entriesText(position.seq + 1, lost.seq)} of \`${writer}\`, which ${lost.source} covers, are gone`, place);
}

function lastSeqOf(batch: Batch): number {
  return batch.firstSeq + batch.count - 1;
}

function pinPlace(pin: Pin): Partial<LedgerProblem> {
  return { seq: pin.seq, ...(pin.checkpoint !== undefined && { checkpoint: pin.checkpoint }) };
}

function entriesText(fromSeq: number, throughSeq: number): string {
  return fromSeq === throughSeq ? `entry ${fromSeq}` : `entries ${fromSeq} to ${throughSeq}`;
}

function coveredSeq(checkpoint: Checkpoint | undefined, writer: string, epoch: number): number {
  // A later epoch's head covers the earlier ones too: its chain runs through them.
  const heads = checkpoint?.heads.filter((head) => head.writer === writer && head.epoch >= epoch) ?? [];
  return heads.reduce((seq, head) => Math.max(seq, head.seq), 0);
}

type PinCursor = Cursor<Pin>;
type EntryCursor = Cursor<Entry>;

/** Pins of one writer and epoch in ascending order: heads in stored checkpoints, tombstones, the last anchor, and the store's own word. */
function createPins(
  inspection: Inspection,
  place: { readonly writer: string; readonly epoch: number; readonly head: { readonly seq: number; readonly head: string } | undefined },
): PinCursor {
  const { writer, epoch } = place;
  const extra: Pin[] = (inspection.tombstones.get(writer) ?? [])
    .filter((segment) => segment.epoch === epoch)
    .map(({ throughSeq, head }) => ({ seq: throughSeq, head, source: `the tombstone of entries up to ${throughSeq}` }));
  for (const head of inspection.lastAnchor?.heads ?? []) {
    const number = inspection.lastAnchor?.number ?? 0;
    if (head.writer === writer && head.epoch === epoch)
      extra.push({ seq: head.seq, head: head.head, source: `the anchored checkpoint ${number}`, checkpoint: number });
  }
  if (place.head !== undefined) extra.push({ ...place.head, source: "the store's list of writers" });
  extra.sort((left, right) => left.seq - right.seq);
  return cursor(mergePins(checkpointPins(inspection, writer, epoch), extra));
}

async function* checkpointPins(inspection: Inspection, writer: string, epoch: number): AsyncGenerator<Pin> {
  let before: Pin | undefined;
  for await (const { checkpoint } of checkpointsOf(inspection.store, inspection.limits.verifyPageEntries)) {
    // One that was written while this verification runs may cover more than it looks at.
    if (checkpoint !== undefined && checkpoint.number > (inspection.last?.number ?? 0)) return;
    const head = checkpoint?.heads.find((one) => one.writer === writer && one.epoch === epoch);
    if (checkpoint === undefined || head === undefined) continue;
    const pin: Pin = { seq: head.seq, head: head.head, source: `checkpoint ${checkpoint.number}`, checkpoint: checkpoint.number };
    if (before !== undefined && pin.seq === before.seq && pin.head === before.head) continue;
    if (before !== undefined && pin.seq <= before.seq)
      inspection.found.add({
        kind: "forked",
        writer,
        epoch,
        ...pinPlace(pin),
        message: `${pin.source} takes \`${writer}\` back from where ${before.source} saw it`,
      });
    before = pin;
    yield pin;
  }
}

async function* mergePins(stream: AsyncGenerator<Pin>, extra: readonly Pin[]): AsyncGenerator<Pin> {
  let index = 0;
  for await (const pin of stream) {
    for (let next = extra[index]; next !== undefined && next.seq < pin.seq; next = extra[index]) {
      yield next;
      index += 1;
    }
    yield pin;
  }
  yield* extra.slice(index);
}

async function* batchesOf(inspection: Inspection, writer: string, epoch: number): AsyncGenerator<Batch> {
  const limit = inspection.limits.verifyPageEntries;
  let afterSeq = 0;
  for (;;) {
    const page = await inspection.store.batches({ writer, epoch, afterSeq, limit });
    yield* page;
    const lastSeq = page.at(-1)?.firstSeq ?? 0;
    // A damaged store may answer out of order; without progress there is nothing more to read.
    if (page.length < limit || lastSeq <= afterSeq) return;
    afterSeq = lastSeq;
  }
}

async function* entriesOf(inspection: Inspection, writer: string, epoch: number): AsyncGenerator<Entry> {
  const limit = inspection.limits.verifyPageEntries;
  let afterSeq = 0;
  for (;;) {
    inspection.signal?.throwIfAborted();
    const page = await inspection.store.entries({ writer, epoch, afterSeq, limit });
    yield* page;
    inspection.onProgress?.({ entries: inspection.totals.entries });
    const lastSeq = page.at(-1)?.seq ?? 0;
    if (page.length < limit || lastSeq <= afterSeq) return;
    afterSeq = lastSeq;
  }
}

/** A stream with a look at what comes next. */
interface Cursor<Value> {
  /** The next value, which stays; `undefined` at the end. */
  peek(): Promise<Value | undefined>;
  /** Moves past it. */
  take(): void;
}

function cursor<Value>(stream: AsyncGenerator<Value>): Cursor<Value> {
  let next: { readonly value: Value | undefined } | undefined;
  return {
    async peek() {
      if (next === undefined) {
        const step = await stream.next();
        next = { value: step.done === true ? undefined : step.value };
      }
      return next.value;
    },
    take() {
      next = undefined;
    },
  };
}
