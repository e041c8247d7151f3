import type { Json } from "../domain/json.ts";

/**
 * The port to the one place where state lives. It is deliberately small: rows with versions, counters with limits, and an append-only ledger,
 * all changed by one atomic unit. What a key claim, an approval or a budget *means* is decided above; the store only guarantees that a unit
 * holds whole or not at all, in one order for everybody, and that what it acknowledged survives.
 *
 * A store groups concurrent units into one transaction (group commit); a lone unit waits for nobody. Each group's ledger entries are sealed as
 * one Merkle batch, chained to the writer's previous batch (see `seal.ts`).
 */
export interface Store {
  readonly kind: "memory" | "sqlite" | "postgres";
  /** Whether anything outlives the process. */
  readonly survivesRestart: boolean;
  /** Starts at 1, plus 1 at each restore from a backup; undefined counts as 1. */
  readonly epoch?: number;
  /** The writer as which this process appends, where several may; `undefined` while it has no place. */
  readonly writer?: string | undefined;

  /** Reads rows by key, in the order asked; `undefined` where there is none. One round trip. */
  read(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /**
   * Whether this process lately saw the row; what it does not recall may be there all the same. Only where `read` has to ask a database, so that callers may
   * rather let a commit find out what they have no reason to expect.
   */
  recalls?(key: RowKey): boolean;
  /** Rows of one space and tenant in key order, after `after` (exclusive), at most `limit`. */
  scan(range: RowRange): Promise<readonly Row[]>;
  /** Rows of one space over all tenants whose `dueMs` is at most `untilMs`, earliest first, at most `limit`: expiry, timers and recovery. */
  due(query: DueQuery): Promise<readonly Row[]>;
  /** Values of counters, in the order asked; 0 where there is none. */
  counters(keys: readonly RowKey[]): Promise<readonly number[]>;

  /**
   * Applies a unit atomically: every operation's expectation holds and all are applied and the entries appended, or nothing is.
   * Resolves when the unit is on disk, or, with `wait: "claimed"`, as soon as its claims are decided (an expectation that failed still refuses).
   * Rejects only when the store is broken; then nothing of the unit holds. A store that need not wait answers at once.
   */
  commit(unit: Unit): CommitResult | Promise<CommitResult>;

  /** Ledger entries that match, in (epoch, writer, seq) order. */
  entries(query: EntryQuery): Promise<readonly Entry[]>;
  /** Sealed batches of one writer in order, after `afterSeq` (exclusive, by first sequence number), at most `limit`. */
  batches(query: BatchQuery): Promise<readonly Batch[]>;
  /** Every writer that ever appended, with its head. */
  writers(): Promise<readonly WriterHead[]>;
  /** Drops whole batches of a writer up to and including sequence `throughSeq`; the caller has recorded a tombstone first. */
  dropEntries(drop: { readonly writer: string; readonly epoch: number; readonly throughSeq: number }): Promise<number>;

  /** Removes rows and counters of one space, over all tenants, whose `dueMs` is at most `untilMs`, at most `limit`; returns how many went. */
  purge(query: DueQuery): Promise<number>;

  /** Writes a consistent copy to `path` while the store goes on. */
  backup(path: string): Promise<void>;
  /** Flushes, releases the writer's lock and closes. Idempotent. */
  close(): Promise<void>;
}

/** Where a row lives. `space` is the kind of thing (`key`, `approval`, `session`, …); tenant `""` is the installation itself. */
export interface RowKey {
  readonly space: string;
  readonly tenant: string;
  readonly key: string;
}

/** A stored row. */
export interface Row extends RowKey {
  /** Starts at 1, plus 1 at each change. */
  readonly version: number;
  readonly body: Json;
  /** Wall time in milliseconds at which the row wants attention (expiry, timer, recovery). */
  readonly dueMs?: number | undefined;
}

export interface RowRange {
  readonly space: string;
  readonly tenant: string;
  /** Only keys that start with this. */
  readonly prefix?: string;
  readonly after?: string;
  /** Default true: ascending key order. */
  readonly ascending?: boolean;
  readonly limit: number;
}

export interface DueQuery {
  readonly space: string;
  readonly untilMs: number;
  readonly limit: number;
}

/** What one atomic unit does. Operations are applied in order; a later one sees what an earlier one did. */
export interface Unit {
  readonly operations: readonly Operation[];
  readonly entries: readonly EntryDraft[];
  /** Default `"durable"`. */
  readonly wait?: "durable" | "claimed";
}

export type Operation =
  /** Refused (`row`) unless the row is in the expected state. */
  | { readonly op: "expect"; readonly key: RowKey; readonly version: number | "absent" | "present" }
  /** Writes a row. With `expect`, refused (`row`) unless it holds: `"absent"`, or the exact current version. */
  | {
      readonly op: "put";
      readonly key: RowKey;
      readonly body: Json;
      readonly expect?: number | "absent";
      /** With `expect: "absent"`: the key is an id that this process has just made, so that the row can be nowhere, and a store need not look for it. */
      readonly isMinted?: boolean;
      readonly dueMs?: number | undefined;
    }
  /** Deletes a row if it is there. With `expect`, refused (`row`) unless the version matches. */
  | { readonly op: "delete"; readonly key: RowKey; readonly expect?: number }
  /** Adds to a counter (absent = 0; whole numbers). Refused (`counter`) when the sum would exceed `max`. A counter never falls below 0. */
  | {
      readonly op: "add";
      readonly key: RowKey;
      readonly delta: number;
      readonly max?: number;
      readonly dueMs?: number | undefined;
    };

/** What came of a unit. `index` is the operation that refused; `row` / `value` is what stood there. */
export type CommitResult =
  | { readonly kind: "committed"; readonly entries: readonly EntryPosition[] }
  | { readonly kind: "refused"; readonly reason: "row"; readonly index: number; readonly row: Row | undefined }
  | { readonly kind: "refused"; readonly reason: "counter"; readonly index: number; readonly value: number };

/** Where an entry stands in the ledger. */
export interface EntryPosition {
  readonly writer: string;
  readonly epoch: number;
  readonly seq: number;
}

/** An entry before it has a place. */
export interface EntryDraft {
  readonly tenant: string;
  /** What happened, `noun-verb` in the past: `call-denied`, `call-intended`, `call-settled`, `approval-decided`, … */
  readonly kind: string;
  readonly atMs: number;
  readonly callId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly runId?: string | undefined;
  /** Everything that the chain proves: canonical JSON, with commitments in place of private values. */
  readonly body: Json;
  /** Private values, already encrypted by the ledger. Not hashed: the body's commitments cover them, so that erasure leaves the chain whole. */
  readonly sealed?: Uint8Array | undefined;
  /**
   * `body` and `sealed` are JSON and bytes for certain and never change, so a store that keeps nothing at rest may read them when somebody looks. A
   * durable store reads them when the unit is committed.
   */
  readonly isLasting?: true;
}

/** An entry in the ledger. `text` is the exact canonical JSON that was hashed. */
export interface Entry extends EntryPosition {
  readonly tenant: string;
  readonly kind: string;
  readonly atMs: number;
  readonly callId: string | undefined;
  readonly sessionId: string | undefined;
  readonly runId: string | undefined;
  /** Canonical JSON of `{after?, writer, epoch, seq, tenant, kind, at, callId?, sessionId?, runId?, body}`; its leaf hash is in the batch's tree. */
  readonly text: string;
  readonly sealed: Uint8Array | undefined;
}

export interface EntryQuery {
  readonly tenant?: string;
  readonly callId?: string;
  readonly sessionId?: string;
  readonly runId?: string;
  readonly kind?: string;
  readonly writer?: string;
  /** Only entries of other writers. */
  readonly exceptWriter?: string | undefined;
  readonly epoch?: number;
  readonly afterSeq?: number;
  readonly sinceMs?: number;
  /** Default false: oldest first. */
  readonly newestFirst?: boolean;
  readonly limit: number;
}

/** One flush of one writer: a Merkle tree over its entries' leaf hashes, chained to the batch before. Hashes are 64 hexadecimal characters. */
export interface Batch {
  readonly writer: string;
  readonly epoch: number;
  readonly firstSeq: number;
  readonly count: number;
  /** Merkle root over the leaf hashes (RFC 9162 section 2.1: leaf = SHA-256(0x00 ‖ text), node = SHA-256(0x01 ‖ left ‖ right)). */
  readonly root: string;
  /** Head of the chain before this batch; 64 zeros for a writer's first. */
  readonly previous: string;
  /** SHA-256 of canonical JSON `{count, epoch, firstSeq, previous, root, writer}`. */
  readonly head: string;
}

export interface BatchQuery {
  readonly writer: string;
  readonly epoch: number;
  readonly afterSeq?: number;
  readonly limit: number;
}

export interface WriterHead {
  readonly writer: string;
  readonly epoch: number;
  /** Last sequence number, 0 before the first entry. */
  readonly seq: number;
  readonly head: string;
}
