/**
 * Group commit. Units that come while a group is under way are the next group. A group is decided in memory by the same rules as in every store, on
 * rows that are locked meanwhile, or, when its units and what this process last saw tell how the rows should stand, on that prediction, which the
 * database checks when it writes: then one round trip does for all. A prediction that fails costs one round trip and is not tried again for a
 * while, since other processes then change the same rows.
 */
import { assert, AssertionFailure } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import { internalError, toolCallError, ToolCallError } from "../errors/tool-call-error.ts";
import { applyOperations } from "./apply.ts";
import { databaseProblem, faultOf, sqlState, type Connection, type DatabaseAddress } from "./postgres-driver.ts";
import type { Lease } from "./postgres-lease.ts";
import type { PostgresLink } from "./postgres-link.ts";
import { PostgresState, predictedBase, touchedBy, type Base, type Touched } from "./postgres-state.ts";
import { lockTouched, rollBack, writeLocked, writePredicted, type GroupWrite } from "./postgres-statements.ts";
import { RecentValues } from "../base/recent-values.ts";
import { rowId } from "./row-key.ts";
import { entryText, sealBatch } from "./seal.ts";
import type { CommitResult, EntryDraft, EntryPosition, RowKey, Unit } from "./store.ts";

/** What a group writer works on. */
export interface PostgresGroupOptions {
  readonly link: PostgresLink;
  readonly address: DatabaseAddress;
  readonly clock: Clock;
}

interface Pending {
  readonly unit: Unit;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (problem: unknown) => void;
}

/** How one unit was decided. */
type Decided = { readonly kind: "decided"; readonly result: CommitResult } | { readonly kind: "failed"; readonly cause: unknown };

/** A decided group, not yet written. */
interface Draft {
  readonly decided: readonly Decided[];
  readonly write: GroupWrite;
  readonly areAllHeld: boolean;
  readonly isEmpty: boolean;
}

/** Writes units in groups under a lease. One group is under way at a time, so that the chain has one order. */
export class PostgresGroup {
  readonly #options: PostgresGroupOptions;
  readonly #seen = {
    versions: new RecentValues<number>(defaultLimits.storeCacheRowsMax),
    values: new RecentValues<number>(defaultLimits.storeCacheRowsMax),
  };
  #queue: Pending[] = [];
  /** The group under way, which never rejects; `undefined` when none is. */
  #writing: Promise<void> | undefined;
  #isTurnAwaited = false;
  /** How many units were waiting or under way when a group was last made up: about as many callers there are. */
  #busyCount = 1;
  /** When a group was last sent, and a unit last came. */
  #sentAtMs = 0;
  #cameAtMs = 0;
  /** For how many groups everybody is waited for. */
  #wholeGroups = 0;
  #heartbeat: Timer | undefined;
  #isBeatDue = false;
  #cautionGroups = 0;
  #cautionNext = 1;

  constructor(options: PostgresGroupOptions) {
    this.#options = options;
    this.#beatLater();
  }

  /** As `Store.commit`. */
  commit(unit: Unit): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ unit, resolve, reject });
      this.#cameAtMs = this.#options.clock.monotonic();
      this.#consider();
    });
  }

  /** Whether this process lately wrote, or relied on, this row. */
  recalls(key: RowKey): boolean {
    return (this.#seen.versions.get(rowId(key)) ?? 0) > 0;
  }

  /** Writes what waits, and stops giving signs of life. */
  async close(): Promise<void> {
    this.#heartbeat?.cancel();
    this.#isBeatDue = false;
    for (;;) {
      if (this.#writing !== undefined) await this.#writing;
      else if (this.#queue.length > 0) this.#send(this.#queue.length);
      else break;
    }
    this.#heartbeat?.cancel();
  }

  #beatLater(): void {
    this.#heartbeat = this.#options.clock.after(Math.ceil(this.#options.address.limits.writerLeaseMs / 3), () => {
      this.#isBeatDue = true;
      this.#consider();
      this.#beatLater();
    });
  }

  /**
   * Begins a group when none is under way. Whoever comes in the same turn of the event loop shares it; a lone caller waits only for what is going on at this
   * moment. Where callers are many and halving pays, half of them are enough: the database then works while the other half is still being decided.
   */
  #consider(): void {
    if (this.#writing !== undefined) return;
    if (this.#isHalved(this.#busyCount) && this.#queue.length >= this.#busyCount / 2) {
      this.#send(this.#queue.length);
      return;
    }
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    if (this.#busyCount === 1) process.nextTick(() => this.#turn());
    else setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnAwaited = false;
    if (this.#writing === undefined && (this.#queue.length > 0 || this.#isBeatDue)) this.#send(this.#queue.length);
  }

  /** Begins a group of what waits; `busyCount` counts those as well whose group has just been written. */
  #send(busyCount: number): void {
    const { groupUnitsMax } = this.#options.address.limits;
    this.#busyCount = Math.max(1, busyCount);
    const unitsMax = this.#isHalved(busyCount) ? Math.min(groupUnitsMax, Math.ceil(busyCount / 2)) : groupUnitsMax;
    if (this.#wholeGroups > 0) this.#wholeGroups -= 1;
    const group = this.#queue.splice(0, unitsMax);
    this.#sentAtMs = this.#options.clock.monotonic();
    const written = group.length > 0 ? this.#carry(group) : this.#beat();
    this.#isBeatDue = false;
    this.#writing = written.then((answer) => {
      this.#writing = undefined;
      // What those of this group do next takes this process a while, so the next group is on its way before they go on.
      if (this.#queue.length > 0 && this.#isHalved(this.#queue.length + group.length) && this.#wasBusy())
        this.#send(this.#queue.length + group.length);
      answer();
      if (this.#queue.length > 0) this.#consider();
    });
  }

  #isHalved(busyCount: number): boolean {
    return busyCount >= fixedBounds.splitUnitsMin && this.#wholeGroups === 0;
  }

  /**
   * Whether this process worked for at least half of the time that the group took. If it mostly waited, a group takes long whatever its size, as on a slow disk:
   * then one for all is better than two, and halves are tried again after a while.
   */
  #wasBusy(): boolean {
    const nowMs = this.#options.clock.monotonic();
    const waitedMs = nowMs - Math.max(this.#sentAtMs, this.#cameAtMs);
    const isBusy = waitedMs * 2 <= nowMs - this.#sentAtMs;
    if (!isBusy) this.#wholeGroups = fixedBounds.wholeGroupsMax;
    return isBusy;
  }

  async #beat(): Promise<() => void> {
    await this.#options.link.beat();
    return () => undefined;
  }

  /** Writes a group, and says how to answer every unit of it, one way or the other. */
  async #carry(group: readonly Pending[]): Promise<() => void> {
    try {
      const decided = await this.#attemptAll(group.map(({ unit }) => unit));
      return () => {
        for (const [index, { resolve, reject }] of group.entries()) {
          const one = decided[index] as Decided;
          if (one.kind === "decided") resolve(one.result);
          else reject(one.cause);
        }
      };
    } catch (cause) {
      if (group.length > 1 && isAboutOneUnit(cause)) {
        // One unit holds something that the database does not take, or names what no store does: the halves are written apart until it stands alone.
        const middle = Math.ceil(group.length / 2);
        const first = await this.#carry(group.slice(0, middle));
        const second = await this.#carry(group.slice(middle));
        return () => {
          first();
          second();
        };
      }
      const problem = group.every(hasPlainKeys) ? this.#problemOf(cause) : cause;
      return () => {
        for (const { reject } of group) reject(problem);
      };
    }
  }

  #problemOf(cause: unknown): ToolCallError {
    if (cause instanceof ToolCallError) return cause;
    return cause instanceof AssertionFailure ? internalError(cause) : databaseProblem(cause, this.#options.address);
  }

  async #attemptAll(units: readonly Unit[]): Promise<readonly Decided[]> {
    const touched = touchedBy(units);
    let mayPredict = this.#cautionGroups === 0;
    let wasWrong = false;
    if (!mayPredict) this.#cautionGroups -= 1;
    for (let attempt = 0; attempt < this.#options.address.limits.storeAttemptsMax; attempt += 1) {
      const { link } = this.#options;
      const { connection, lease } = link.standing() ?? (await link.ready());
      const base = mayPredict ? predictedBase(units, touched, this.#seen) : undefined;
      const predicted = base === undefined ? undefined : this.#decide(units, touched, base, lease);
      const decided =
        predicted?.areAllHeld === true
          ? await this.#tryWrite(predicted, lease, async () => writePredicted(connection, predicted.write))
          : await this.#locked(connection, lease, units, touched);
      if (decided !== undefined) {
        // Where a unit is refused, it is that unit which expected what is not so; predicting may still serve the next group.
        if (wasWrong && decided.every(isHeld)) this.#beCautious();
        return decided;
      }
      wasWrong ||= predicted?.areAllHeld === true;
      mayPredict = false;
    }
    throw toolCallError(
      "LEDGER_UNAVAILABLE",
      `other processes changed the same rows ${this.#options.address.limits.storeAttemptsMax} times in a row; nothing of this change holds, repeat it later`,
    );
  }

  #beCautious(): void {
    this.#cautionGroups = this.#cautionNext;
    this.#cautionNext = Math.min(fixedBounds.cautionGroupsMax, this.#cautionNext * 2);
  }

  /** Locks, decides and writes; `undefined` when it must be tried again. */
  async #locked(connection: Connection, lease: Lease, units: readonly Unit[], touched: Touched): Promise<readonly Decided[] | undefined> {
    let base: Base;
    try {
      base = await lockTouched(connection, touched);
    } catch (cause) {
      const fault = faultOf(cause);
      if (fault === "lost") this.#options.link.drop();
      else await rollBack(connection).catch(() => this.#options.link.drop());
      if (fault === "lost" || fault === "again") return undefined;
      throw cause;
    }
    let draft: Draft;
    try {
      draft = this.#decide(units, touched, base, lease);
    } catch (cause) {
      await rollBack(connection).catch(() => this.#options.link.drop());
      throw cause;
    }
    if (draft.isEmpty) {
      await rollBack(connection).catch(() => this.#options.link.drop());
      return draft.decided;
    }
    return this.#tryWrite(draft, lease, async () => writeLocked(connection, draft.write));
  }

  /** Writes a decided group; `undefined` when nothing of it was written and it may be tried again. */
  async #tryWrite(draft: Draft, lease: Lease, write: () => Promise<void>): Promise<readonly Decided[] | undefined> {
    const { link } = this.#options;
    if (draft.isEmpty) return draft.decided;
    try {
      await write();
    } catch (cause) {
      const fault = cause instanceof AssertionFailure ? "refused" : faultOf(cause);
      if (fault === "fenced") {
        link.loseLease();
        return undefined;
      }
      if (fault === "again") return undefined;
      if (fault !== "lost") throw cause;
      const fate = await link.fateOf(lease);
      if (fate === "not-written") return undefined;
      if (fate === "unknown") throw unknownFate(cause, this.#options.address);
      this.#remember(draft.write);
      return draft.decided;
    }
    this.#remember(draft.write);
    link.advance(leaseAfter(draft.write));
    return draft.decided;
  }

  #remember({ rows, counters }: GroupWrite): void {
    this.#cautionNext = Math.max(1, Math.floor(this.#cautionNext / 2));
    for (const { id, was, next } of rows) this.#seen.versions.set(id, next ?? was);
    for (const { id, next } of counters) this.#seen.values.set(id, next);
  }

  /** Decides the units in the order in which they came. A unit that fails, or is refused, leaves no trace. */
  #decide(units: readonly Unit[], touched: Touched, base: Base, lease: Lease): Draft {
    const state = new PostgresState(base);
    const drafts: EntryDraft[] = [];
    const texts: string[] = [];
    const decided: Decided[] = [];
    let isDurable = false;
    for (const unit of units) {
      try {
        const refusal = applyOperations(state, unit.operations);
        if (refusal !== undefined) {
          state.undoLog.undo();
          decided.push({ kind: "decided", result: refusal });
          continue;
        }
        const entries = placeEntries(unit.entries, lease, texts);
        state.keep(unit);
        drafts.push(...unit.entries);
        isDurable ||= unit.wait !== "claimed";
        decided.push({ kind: "decided", result: { kind: "committed", entries } });
      } catch (cause) {
        state.undoLog.undo();
        decided.push({ kind: "failed", cause });
      }
    }
    const { rows, counters } = state.changes(touched);
    const first = { writer: lease.writer, epoch: lease.epoch, seq: lease.seq + 1 };
    const batch = texts.length === 0 ? undefined : sealBatch(first, lease.head, texts);
    return {
      decided,
      write: { lease, leaseMs: this.#options.address.limits.writerLeaseMs, rows, counters, drafts, texts, batch, isDurable },
      areAllHeld: decided.every(isHeld),
      isEmpty: rows.length === 0 && counters.length === 0 && texts.length === 0,
    };
  }
}

/** Appends the texts of a unit's entries; all of them or, when one is no JSON, none. */
function placeEntries(drafts: readonly EntryDraft[], lease: Lease, texts: string[]): readonly EntryPosition[] {
  const { writer, epoch } = lease;
  const nextSeq = lease.seq + texts.length + 1;
  const positions = drafts.map((_, index) => ({ writer, epoch, seq: nextSeq + index }));
  let before = texts.at(-1) ?? lease.lastText;
  const own = drafts.map((draft, index) => (before = entryText(positions[index] as EntryPosition, draft, before)));
  for (const { sealed, atMs } of drafts) {
    assert(sealed === undefined || sealed instanceof Uint8Array, "sealed values are bytes");
    assert(Number.isSafeInteger(atMs), "an entry's time is whole milliseconds");
  }
  texts.push(...own);
  return positions;
}

function isHeld(one: Decided): boolean {
  return one.kind === "decided" && one.result.kind === "committed";
}

function leaseAfter({ lease, texts, batch }: GroupWrite): Lease {
  const lastText = texts.at(-1) ?? lease.lastText;
  return {
    ...lease,
    flush: lease.flush + 1,
    seq: lease.seq + texts.length,
    head: batch?.head ?? lease.head,
    ...(lastText !== undefined && { lastText }),
  };
}

/** Whether every key of a unit is read alike by all stores; what is not is a fault of whoever wrote the caller, and told as it is. */
function hasPlainKeys({ unit }: Pending): boolean {
  try {
    touchedBy([unit]);
    return true;
  } catch {
    return false;
  }
}

function isAboutOneUnit(cause: unknown): boolean {
  return cause instanceof AssertionFailure || (sqlState(cause) !== undefined && faultOf(cause) === "data");
}

function unknownFate(cause: unknown, address: DatabaseAddress): ToolCallError {
  return toolCallError(
    "LEDGER_UNAVAILABLE",
    `the connection to \`${address.name}\` was lost while this change was written, and nobody can say yet whether it holds; look before repeating it`,
    { effect: "unknown", cause },
  );
}
