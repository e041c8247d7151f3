import { defaultLimits } from "../base/limits.ts";
import { entryText, sealBatch, zeroHead } from "./seal.ts";
import type { Batch, BatchQuery, Entry, EntryDraft, EntryPosition, EntryQuery, WriterHead } from "./store.ts";

/**
 * The ledger of a memory store. Nothing of it lies at rest, so nobody can change it unseen but this process itself: texts, leaf hashes and batches are
 * made when somebody looks, and never for entries that are dropped before.
 */
export interface MemoryLedger {
  /** All or nothing: throws, and appends none, when an entry cannot be written as JSON. */
  append(drafts: readonly EntryDraft[]): readonly EntryPosition[];
  entries(query: EntryQuery): Entry[];
  batches(query: BatchQuery): Batch[];
  head(): WriterHead;
  /** Drops whole batches up to and including `throughSeq`; returns how many entries went. */
  drop(drop: { readonly writer: string; readonly epoch: number; readonly throughSeq: number }): number;
}

const epoch = 1;
const none: readonly EntryPosition[] = [];

/** Makes an empty ledger that keeps about `entriesMax` entries: the oldest go first. */
export function createMemoryLedger(writer: string, entriesMax: number): MemoryLedger {
  return new LedgerInMemory(writer, entriesMax);
}

class LedgerInMemory implements MemoryLedger {
  readonly #writer: string;
  readonly #entriesMax: number;
  #entries: MemoryEntry[] = [];
  #batches: Batch[] = [];
  #seq = 0;
  #sealedSeq = 0;
  #headHash = zeroHead;

  constructor(writer: string, entriesMax: number) {
    this.#writer = writer;
    this.#entriesMax = entriesMax;
  }

  append(drafts: readonly EntryDraft[]): readonly EntryPosition[] {
    if (drafts.length === 0) return none;
    const positions: EntryPosition[] = [];
    const made: MemoryEntry[] = [];
    for (const draft of drafts) {
      const entry = new MemoryEntry(this.#writer, this.#seq + made.length + 1, draft);
      made.push(entry);
      positions.push({ writer: this.#writer, epoch, seq: entry.seq });
    }
    for (const entry of made) this.#entries.push(entry);
    this.#seq += made.length;
    this.#bound();
    return positions;
  }

  entries(query: EntryQuery): Entry[] {
    const entries = this.#entries;
    const found: Entry[] = [];
    const step = query.newestFirst === true ? -1 : 1;
    for (let index = step === 1 ? 0 : entries.length - 1; index >= 0 && index < entries.length; index += step) {
      if (found.length >= query.limit) break;
      const entry = entries[index] as MemoryEntry;
      if (entryMatches(entry, query)) found.push(entry.written());
    }
    return found;
  }

  batches(query: BatchQuery): Batch[] {
    this.#seal();
    if (query.writer !== this.#writer || query.epoch !== epoch) return [];
    return this.#batches.filter((batch) => batch.firstSeq > (query.afterSeq ?? 0)).slice(0, query.limit);
  }

  head(): WriterHead {
    this.#seal();
    return { writer: this.#writer, epoch, seq: this.#seq, head: this.#headHash };
  }

  drop(drop: { readonly writer: string; readonly epoch: number; readonly throughSeq: number }): number {
    if (drop.writer !== this.#writer || drop.epoch !== epoch) return 0;
    return this.#dropThrough(drop.throughSeq);
  }

  #seal(): void {
    while (this.#sealedSeq < this.#seq) {
      const from = this.#entries.length - (this.#seq - this.#sealedSeq);
      const texts = this.#entries.slice(from, from + defaultLimits.groupUnitsMax).map((entry) => entry.text);
      const batch = sealBatch({ writer: this.#writer, epoch, seq: this.#sealedSeq + 1 }, this.#headHash, texts);
      this.#batches.push(batch);
      this.#headHash = batch.head;
      this.#sealedSeq += texts.length;
    }
  }

  #dropThrough(throughSeq: number): number {
    this.#seal();
    const kept = this.#batches.findIndex((batch) => batch.firstSeq + batch.count - 1 > throughSeq);
    const lastKeptSeq = kept === -1 ? this.#seq : (this.#batches[kept] as Batch).firstSeq - 1;
    const dropCount = lastKeptSeq - (this.#seq - this.#entries.length);
    this.#batches = kept === -1 ? [] : this.#batches.slice(kept);
    this.#entries = this.#entries.slice(dropCount);
    return dropCount;
  }

  #bound(): void {
    const max = this.#entriesMax;
    // A quarter at a time, so that moving the rest is paid for by thousands of appends.
    if (this.#entries.length <= max + Math.max(defaultLimits.groupUnitsMax, max / 4)) return;
    const throughSeq = this.#seq - max;
    if (throughSeq <= this.#sealedSeq) {
      this.#dropThrough(throughSeq);
      return;
    }
    // Every batch goes, and entries in none: the next batch begins after them and still continues from the last head.
    this.#entries = this.#entries.slice(this.#entries.length - max);
    this.#batches = [];
    this.#sealedSeq = throughSeq;
  }
}

/** An entry that is written when somebody looks; one that might turn out not to be JSON is written at once. */
class MemoryEntry {
  readonly writer: string;
  readonly epoch = epoch;
  readonly seq: number;
  #draft: EntryDraft | undefined;
  #entry: Entry | undefined;

  constructor(writer: string, seq: number, draft: EntryDraft) {
    this.writer = writer;
    this.seq = seq;
    this.#draft = draft;
    if (draft.isLasting !== true) this.written();
  }

  get text(): string {
    return this.written().text;
  }

  /** What a query sees without the text. */
  get facts(): EntryDraft | Entry {
    return (this.#entry ?? this.#draft) as EntryDraft | Entry;
  }

  written(): Entry {
    if (this.#entry !== undefined) return this.#entry;
    const draft = this.#draft as EntryDraft;
    const { writer, seq } = this;
    this.#entry = {
      writer,
      epoch,
      seq,
      tenant: draft.tenant,
      kind: draft.kind,
      atMs: draft.atMs,
      callId: draft.callId,
      sessionId: draft.sessionId,
      runId: draft.runId,
      text: entryText({ writer, epoch, seq }, draft),
      sealed: draft.sealed,
    };
    this.#draft = undefined;
    return this.#entry;
  }
}

function entryMatches(entry: MemoryEntry, query: EntryQuery): boolean {
  const { facts } = entry;
  return (
    (query.tenant === undefined || facts.tenant === query.tenant) &&
    (query.callId === undefined || facts.callId === query.callId) &&
    (query.sessionId === undefined || facts.sessionId === query.sessionId) &&
    (query.runId === undefined || facts.runId === query.runId) &&
    (query.kind === undefined || facts.kind === query.kind) &&
    (query.writer === undefined || entry.writer === query.writer) &&
    (query.exceptWriter === undefined || entry.writer !== query.exceptWriter) &&
    (query.epoch === undefined || entry.epoch === query.epoch) &&
    (query.afterSeq === undefined || entry.seq > query.afterSeq) &&
    (query.sinceMs === undefined || facts.atMs >= query.sinceMs)
  );
}
