/**
 * Group commit. A unit is decided at once, against the state as the open group sees it; the group is written at once at the end of the turn of the event loop, so that everybody who came in the same turn shares one wait for the disk and a lone caller waits for nobody. Writing means the
 * commit log; the tables follow by themselves, and a group waits for them only when they are a whole log behind.
 */
import { assert } from "../base/assert.ts";
import type { ToolCallError } from "../errors/tool-call-error.ts";
import { applyOperations } from "./apply.ts";
import { entryText } from "./seal.ts";
import type { Intake } from "./sqlite-intake.ts";
import { isPassing, noRoom, sqliteCode, storeFull, writeProblem } from "./sqlite-problem.ts";
import type { SqliteState } from "./sqlite-state.ts";
import type { CommitResult, EntryDraft, EntryPosition, Unit } from "./store.ts";

/** What a group writer works on. */
export interface GroupWriterOptions {
  readonly state: SqliteState;
  readonly intake: Intake;
  /** The last entry. */
  readonly position: EntryPosition;
  /** A group with this many units is written at once. */
  readonly unitsMax: number;
  /** So is a group whose entries have so many characters. */
  readonly charsMax: number;
  /** The store may take about so many bytes. */
  readonly bytesMax: number | undefined;
}

interface Group {
  unitCount: number;
  charCount: number;
  readonly drafts: EntryDraft[];
  readonly texts: string[];
  readonly done: PromiseWithResolvers<void>;
}

/** Writes units in groups, into a log that nobody else writes. */
export class GroupWriter {
  readonly #options: GroupWriterOptions;
  #position: EntryPosition;
  /** What the last entry says, once one was written: the next one links to it. */
  #lastText: string | undefined;
  #group: Group | undefined;
  /** Until both files of the log are brought in as far as needed. */
  #room: Promise<void> | undefined;
  #broken: ToolCallError | undefined;

  constructor(options: GroupWriterOptions) {
    this.#options = options;
    this.#position = options.position;
  }

  /** As `Store.commit`. */
  async commit(unit: Unit): Promise<CommitResult> {
    if (this.#room !== undefined || this.#broken !== undefined) await this.#admitted();
    const result = this.#decide(unit);
    const open = this.#group;
    if (open === undefined) return result;
    if (this.#isWhole(open)) this.flush();
    // A refusal may rest on what the open group changed: whoever waits for the disk is not told of what might still be lost.
    if (unit.wait !== "claimed") await open.done.promise;
    return result;
  }

  /** Changes the state beside any unit, and resolves when that is on disk. */
  async change(work: (state: SqliteState) => void): Promise<void> {
    await this.#admitted();
    work(this.#options.state);
    this.#options.state.undoLog.keep();
    this.#group ??= this.#openGroup();
    await this.#group.done.promise;
  }

  /** Resolves when what has been decided so far is on disk, or lost. */
  async settled(): Promise<void> {
    await this.#group?.done.promise.catch(() => undefined);
  }

  /** Writes the open group now, or as soon as there is room for it. */
  flush(): void {
    const group = this.#group;
    if (group === undefined || this.#room !== undefined) return;
    const { intake } = this.#options;
    if (!intake.hasRoom) {
      this.#room = this.#makeRoom(intake);
      return;
    }
    this.#group = undefined;
    if (this.#isTooMuch(group)) {
      this.#lose(group, storeFull());
      return;
    }
    try {
      this.#write(group);
    } catch (cause) {
      const problem = writeProblem(cause);
      if (!isPassing(cause)) this.#broken = problem;
      this.#lose(group, problem);
      return;
    }
    group.done.resolve();
  }

  async #makeRoom(intake: Intake): Promise<void> {
    try {
      await intake.makeRoom();
    } catch (cause) {
      this.#room = undefined;
      const group = this.#group;
      this.#group = undefined;
      // The log is as before, so the next group tries again.
      if (group !== undefined) this.#lose(group, noRoom(cause));
      return;
    }
    this.#room = undefined;
    this.flush();
  }

  /** Nobody joins a group that is whole and waits for room. */
  async #admitted(): Promise<void> {
    while (this.#room !== undefined && this.#group !== undefined && this.#isWhole(this.#group)) await this.#room;
    if (this.#broken !== undefined) throw this.#broken;
  }

  #isWhole({ unitCount, charCount }: Group): boolean {
    return unitCount >= this.#options.unitsMax || charCount >= this.#options.charsMax;
  }

  #openGroup(): Group {
    const done = Promise.withResolvers<void>();
    // Units that wait only for their claim leave nobody to hear of a failure; those that wait for the disk attach their own handler.
    done.promise.catch(() => undefined);
    setImmediate(() => this.flush());
    return { unitCount: 0, charCount: 0, drafts: [], texts: [], done };
  }

  #decide(unit: Unit): CommitResult {
    const { state } = this.#options;
    const { undoLog } = state;
    try {
      const refusal = applyOperations(state, unit.operations);
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
    const { writer, epoch, seq } = this.#position;
    const nextSeq = seq + (this.#group?.texts.length ?? 0) + 1;
    const positions = drafts.map((_, index) => ({ writer, epoch, seq: nextSeq + index }));
    let before = this.#group?.texts.at(-1) ?? this.#lastText;
    const texts = drafts.map((draft, index) => (before = entryText(positions[index] as EntryPosition, draft, before)));
    assert(
      drafts.every(({ sealed }) => sealed === undefined || sealed instanceof Uint8Array),
      "sealed values are bytes",
    );
    const group = (this.#group ??= this.#openGroup());
    group.unitCount += 1;
    for (const draft of drafts) group.drafts.push(draft);
    for (const text of texts) {
      group.texts.push(text);
      group.charCount += text.length;
    }
    return positions;
  }

  #isTooMuch(group: Group): boolean {
    const { state, intake, bytesMax } = this.#options;
    return bytesMax !== undefined && intake.bytes + bytesOf(state.rows, group) > bytesMax;
  }

  #write({ drafts, texts }: Group): void {
    const { state, intake } = this.#options;
    const { epoch, seq } = this.#position;
    intake.take({ epoch, firstSeq: seq + 1, drafts, texts, rows: state.rows, counters: state.counters });
    state.written();
    this.#position = { ...this.#position, seq: seq + texts.length };
    this.#lastText = texts.at(-1) ?? this.#lastText;
  }

  #lose(group: Group, problem: ToolCallError): void {
    this.#options.state.lost();
    group.done.reject(problem);
  }
}

/** About how many bytes a group adds to the store. */
function bytesOf(rows: SqliteState["rows"], { drafts, texts }: Group): number {
  let bytes = 0;
  for (const { text } of rows.values()) bytes += text.length;
  for (const text of texts) bytes += text.length;
  for (const { sealed } of drafts) bytes += sealed?.length ?? 0;
  return bytes;
}
