import { toolCallError, ToolCallError } from "../errors/tool-call-error.ts";
import type { CommitLog } from "./log-writer.ts";
import type { FrameContent } from "./log-frame.ts";
import { Overlay } from "./overlay.ts";
import type { Round } from "./sqlite-bring-in.ts";
import type { Offload } from "./sqlite-offload.ts";
import { sqliteCode } from "./sqlite-problem.ts";

/** What an intake works on. */
export interface IntakeOptions {
  readonly log: CommitLog;
  readonly offload: Offload;
  /** Brings frames in on this thread, as the worker would. */
  readonly bringInHere: (round: Round) => number;
  /** With so many bytes in the log it is time to bring them in. */
  readonly roundBytes: number;
  /** As long as the worker thread was not needed, fewer bytes than these are brought in on this one. */
  readonly inlineBytesMax: number;
  /** Bytes of the store file that are in use. */
  readonly fileBytes: number;
}

/**
 * Takes what groups commit: first into the commit log, later into the tables. The worker thread does that, once there is a whole file of it. Whoever asks
 * the tables before has the little there is brought in by this thread, and a process that never commits much never starts the other.
 */
export class Intake {
  readonly overlay = new Overlay();
  readonly #log: CommitLog;
  readonly #offload: Offload;
  readonly #bringInHere: (round: Round) => number;
  readonly #roundBytes: number;
  readonly #inlineBytesMax: number;
  #fileBytes: number;
  /** Bytes of the log that are not in the tables. */
  #loggedBytes = 0;
  /** Bytes of the log that must stay, since what is in the tables of them might not survive a loss of power. */
  #keptBytes = 0;
  #broughtIn: number;
  #round: Promise<void> | undefined;

  constructor({ log, offload, bringInHere, roundBytes, inlineBytesMax, fileBytes }: IntakeOptions) {
    this.#log = log;
    this.#offload = offload;
    this.#bringInHere = bringInHere;
    this.#roundBytes = roundBytes;
    this.#inlineBytesMax = inlineBytesMax;
    this.#fileBytes = fileBytes;
    this.#broughtIn = log.lastFrame;
  }

  /** Whether a group can be written now; otherwise `makeRoom` comes first. */
  get hasRoom(): boolean {
    return this.#log.hasRoom;
  }

  /** About how many bytes the store takes: those of its tables in use, and those of the log that will get there. */
  get bytes(): number {
    return this.#fileBytes + this.#loggedBytes;
  }

  /** Writes what a group commits; it is on disk when this returns. Throws the error of the file system, and then nothing of it holds. */
  take(content: FrameContent): void {
    const bytes = this.#log.append(content);
    this.#loggedBytes += bytes;
    this.#keptBytes += bytes;
    this.overlay.add(content);
    // A round that fails loses nothing: what waits is still in the log, and whoever needs it in the tables tries again and is told.
    if (this.#keptBytes >= this.#roundBytes && this.#round === undefined) this.#bringIn(true).catch(() => undefined);
  }

  /** Resolves when everything taken so far is in the tables; rejects when that fails, and then it waits on in the log. */
  async whole(): Promise<void> {
    const wanted = this.#log.lastFrame;
    while (this.#broughtIn < wanted) await this.#bringIn(false);
  }

  /** Resolves when a group can be written; rejects when what is in the log cannot be brought in. */
  async makeRoom(): Promise<void> {
    while (!this.hasRoom) await this.#bringIn(true);
  }

  /** Resolves when no round is under way. */
  async idle(): Promise<void> {
    await this.#round?.catch(() => undefined);
  }

  /** One round at a time; who wants another kind than the one under way asks again. */
  #bringIn(isDurable: boolean): Promise<void> {
    this.#round ??= this.#run(isDurable).finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #run(isDurable: boolean): Promise<void> {
    const round = { throughFrame: this.#log.lastFrame, isDurable };
    const [loggedBytes, keptBytes] = [this.#loggedBytes, this.#keptBytes];
    this.overlay.turnOver();
    const isLittle = !isDurable && loggedBytes < this.#inlineBytesMax && !this.#offload.isStarted;
    this.#fileBytes = isLittle ? this.#here(round) : await this.#there(round);
    this.overlay.broughtIn();
    this.#loggedBytes -= loggedBytes;
    this.#broughtIn = round.throughFrame;
    if (!isDurable) return;
    this.#keptBytes -= keptBytes;
    this.#log.broughtIn(round.throughFrame);
  }

  async #there(round: Round): Promise<number> {
    try {
      return await this.#offload.run({ kind: "bring-in", ...round });
    } catch (cause) {
      // A thread that cannot be started, or ended, must not stop a store that can be written. What SQLite refused there it would refuse here.
      if (cause instanceof ToolCallError && sqliteCode(cause.cause) !== undefined) throw cause;
      return this.#here(round);
    }
  }

  #here(round: Round): number {
    try {
      return this.#bringInHere(round);
    } catch (cause) {
      throw toolCallError("LEDGER_UNAVAILABLE", "the store could not bring what it logged into its tables; repeat it later", { cause });
    }
  }
}
