/**
 * Group commit. A unit is decided at once, against the state as the open group sees it; the group is written in one transaction at the end of the
 * turn of the event loop, so that everybody who came in the same turn shares one wait for the disk and a lone caller waits for nobody.
 */
import type { DatabaseSync } from "node:sqlite";
import { assert } from "../base/assert.ts";
import { internalError, toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { applyOperations } from "./apply.ts";
import { entryText, sealBatch } from "./seal.ts";
import { insertStatements, type SqliteStatements } from "./sqlite-statements.ts";
import type { ChangeLog } from "./sqlite-changes.ts";
import type { SqliteState } from "./sqlite-state.ts";
import type { CommitResult, EntryDraft, EntryPosition, Unit, WriterHead } from "./store.ts";

/** What a group writer works on. */
export interface GroupWriterOptions {
  readonly db: DatabaseSync;
  readonly state: SqliteState;
  readonly log: ChangeLog;
  /** Where the chain stands. */
  readonly head: WriterHead;
  /** A group with this many units is written at once. */
  readonly unitsMax: number;
  /** Told after each group that was written. */
  readonly onWritten: (unitCount: number) => void;
}

interface Group {
  unitCount: number;
  readonly drafts: EntryDraft[];
  readonly texts: string[];
  readonly done: PromiseWithResolvers<void>;
}

// SQLite's primary result codes after which the file is as before and may be written again: busy, locked, out of memory, full.
const passingCodes: ReadonlySet<number> = new Set([5, 6, 7, 13]);

/** Writes units in groups, on a connection that nobody else writes with. */
export class GroupWriter {
  readonly #db: DatabaseSync;
  readonly #state: SqliteState;
  readonly #log: ChangeLog;
  #isBringingIn = false;
  readonly #unitsMax: number;
  readonly #onWritten: (unitCount: number) => void;
  readonly #statements: SqliteStatements;
  #head: WriterHead;
  #group: Group | undefined;
  #broken: ToolCallError | undefined;

  constructor({ db, state, log, head, unitsMax, onWritten }: GroupWriterOptions) {
    this.#db = db;
    this.#state = state;
    this.#log = log;
    this.#unitsMax = unitsMax;
    this.#onWritten = onWritten;
    this.#statements = insertStatements(db);
    this.#head = head;
  }

  /** Where the chain stands on disk. */
  get head(): WriterHead {
    return this.#head;
  }

  /** As `Store.commit`. */
  async commit(unit: Unit): Promise<CommitResult> {
    if (this.#broken !== undefined) throw this.#broken;
    const result = this.#decide(unit);
    const open = this.#group;
    if (open === undefined) return result;
    if (open.unitCount >= this.#unitsMax) this.flush();
    // A refusal may rest on what the open group changed: whoever waits for the disk is not told of what might still be lost.
    if (unit.wait !== "claimed") await open.done.promise;
    return result;
  }

  /** Resolves when what has been decided so far is on disk, or lost. */
  async settled(): Promise<void> {
    await this.#group?.done.promise.catch(() => undefined);
  }

  /** Writes the open group now. */
  flush(): void {
    const group = this.#group;
    if (group === undefined) return;
    this.#group = undefined;
    try {
      this.#write(group);
    } catch (cause) {
      this.#lose(group, cause);
      return;
    }
    group.done.resolve();
    this.#onWritten(group.unitCount);
    this.#bringInLater();
  }

  /** Writes the open group and brings every change into its table: who asks the tables themselves finds all there is. Throws when it cannot. */
  flushWhole(): void {
    this.flush();
    try {
      this.#log.bringInAll();
    } catch (cause) {
      throw writeProblem(cause);
    }
  }

  /** Before the file is closed: an empty log makes the next start quick. What cannot be brought in now stays in the log. */
  tidyUp(): void {
    try {
      if (this.#db.isOpen && this.#broken === undefined) this.#log.bringInAll();
    } catch {
      // A full disk, for one. The next start reads the log.
    }
  }

  /** A slice in each turn of the event loop, so that nobody waits for more than that. */
  #bringInLater(): void {
    if (this.#isBringingIn || !this.#log.isFull) return;
    this.#isBringingIn = true;
    setImmediate(() => {
      this.#isBringingIn = false;
      if (!this.#db.isOpen || !this.#log.isFull) return;
      try {
        this.#log.bringIn();
      } catch {
        // Nothing is lost: the changes stay in the log, and the next group tries again.
        return;
      }
      this.#bringInLater();
    });
  }

  #openGroup(): Group {
    const done = Promise.withResolvers<void>();
    // Units that wait only for their claim leave nobody to hear of a failure; those that wait for the disk attach their own handler.
    done.promise.catch(() => undefined);
    setImmediate(() => this.flush());
    return { unitCount: 0, drafts: [], texts: [], done };
  }

  #decide(unit: Unit): CommitResult {
    const { undoLog } = this.#state;
    try {
      const refusal = applyOperations(this.#state, unit.operations);
      if (refusal !== undefined) {
        undoLog.undo();
        return refusal;
      }
      const entries = this.#append(unit.entries);
      undoLog.keep();
      return { kind: "committed", entries };
    } catch (cause) {
      undoLog.undo();
      throw sqliteCode(cause) === undefined ? cause : writeProblem(cause);
    }
  }

  #append(drafts: readonly EntryDraft[]): readonly EntryPosition[] {
    const { writer, epoch, seq } = this.#head;
    const nextSeq = seq + (this.#group?.texts.length ?? 0) + 1;
    const positions = drafts.map((_, index) => ({ writer, epoch, seq: nextSeq + index }));
    const texts = drafts.map((draft, index) => entryText(positions[index] as EntryPosition, draft));
    assert(
      drafts.every(({ sealed }) => sealed === undefined || sealed instanceof Uint8Array),
      "sealed values are bytes",
    );
    this.#group ??= this.#openGroup();
    this.#group.unitCount += 1;
    for (const draft of drafts) this.#group.drafts.push(draft);
    for (const text of texts) this.#group.texts.push(text);
    return positions;
  }

  #write({ drafts, texts }: Group): void {
    const head = this.#head;
    const first = { writer: head.writer, epoch: head.epoch, seq: head.seq + 1 };
    const batch = texts.length === 0 ? undefined : sealBatch(first, head.head, texts);
    const statements = this.#statements;
    const last = texts.length - 1;
    statements.begin.run();
    this.#log.write(this.#state);
    for (let index = 0; index <= last; index += 1) {
      const [draft, text] = [drafts[index] as EntryDraft, texts[index] as string];
      statements.writeEntry(first.seq + index, head.epoch, draft, text, index === last ? batch : undefined);
    }
    statements.commit.run();
    this.#log.written(this.#state, texts.length);
    this.#state.written();
    if (batch !== undefined) this.#head = { ...head, seq: head.seq + texts.length, head: batch.head };
  }

  #lose(group: Group, cause: unknown): void {
    this.#state.lost();
    const problem = writeProblem(cause);
    const code = sqliteCode(cause);
    const isUndone = rollBack(this.#db);
    if (!isUndone || (code !== undefined && !passingCodes.has(code))) this.#broken = problem;
    group.done.reject(problem);
  }
}

function rollBack(db: DatabaseSync): boolean {
  try {
    if (db.isTransaction) db.exec("rollback");
    return true;
  } catch {
    // The connection is beyond use, which the caller reports as a broken store.
    return false;
  }
}

/** SQLite's primary result code of an error, `undefined` for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** A write, or a read that a write rests on, failed. */
export function writeProblem(cause: unknown): ToolCallError {
  if (sqliteCode(cause) === undefined) return internalError(cause);
  const reason = sqliteCode(cause) === 13 ? "the disk or the store's size limit is full" : "the disk refused it";
  return toolCallError(
    "LEDGER_UNAVAILABLE",
    `the store could not write, because ${reason}; nothing of this change holds, repeat it later`,
    { cause },
  );
}
