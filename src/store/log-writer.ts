/**
 * The commit log of one open store file: what a group commits is on disk once `append` returns. The two files take turns; each is written over where it
 * was written before, because a file that grows costs the disk twice.
 */
import { closeSync, constants, fdatasyncSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { encodeHeader, logHeaderBytes, logPaths, type LogOwner } from "./log-file.ts";
import { FrameEncoder, saltBytes, type FrameContent } from "./log-frame.ts";

/** What a log is made with. */
export interface CommitLogOptions {
  /** Of the store; the log's files stand beside it. */
  readonly path: string;
  readonly owner: LogOwner;
  /** The last frame that is in the tables already. */
  readonly lastFrame: number;
  /** A file that holds so many bytes is full. */
  readonly fileBytesMax: number;
  /** Permission bits of the files. */
  readonly mode: number;
  readonly random: Random;
}

interface LogFile {
  readonly path: string;
  handle: number | undefined;
  salt: Buffer;
  /** Where the next frame goes. */
  endAt: number;
  lastFrame: number;
}

/** Writes frames, one after the other. */
export class CommitLog {
  readonly #options: CommitLogOptions;
  readonly #encoder = new FrameEncoder();
  readonly #files: readonly [LogFile, LogFile];
  #current: LogFile;
  #other: LogFile;
  #lastFrame: number;
  #broughtIn: number;

  constructor(options: CommitLogOptions) {
    this.#options = options;
    const [first, second] = logPaths(options.path);
    const file = (path: string): LogFile => ({ path, handle: undefined, salt: Buffer.alloc(saltBytes), endAt: 0, lastFrame: 0 });
    this.#files = [file(first), file(second)];
    [this.#current, this.#other] = this.#files;
    this.#lastFrame = options.lastFrame;
    this.#broughtIn = options.lastFrame;
  }

  /** Number of the last frame on disk. */
  get lastFrame(): number {
    return this.#lastFrame;
  }

  /** Whether the file that is written is full. */
  get isFull(): boolean {
    return this.#current.endAt >= this.#options.fileBytesMax;
  }

  /** Whether a frame can be written now, or one of the files must be brought in before. */
  get hasRoom(): boolean {
    return !this.isFull || this.#other.lastFrame <= this.#broughtIn;
  }

  /** Writes a frame and returns how many bytes it takes, once it is on disk. Throws the error of the file system, and then nothing of it holds. */
  append(content: FrameContent): number {
    if (this.#current.endAt === 0 || this.isFull) this.#begin();
    const file = this.#current;
    const frame = this.#encoder.encode(this.#lastFrame + 1, file.salt, content);
    const handle = file.handle as number;
    try {
      writeWhole(handle, frame, file.endAt);
    } catch (cause) {
      takeBack(handle, file.endAt);
      throw cause;
    }
    file.endAt += frame.length;
    this.#lastFrame += 1;
    file.lastFrame = this.#lastFrame;
    return frame.length;
  }

  /** Everything up to this frame is in the tables, so that a file with nothing else may be used again. */
  broughtIn(throughFrame: number): void {
    this.#broughtIn = throughFrame;
  }

  close(): void {
    for (const file of this.#files) {
      if (file.handle !== undefined) closeSync(file.handle);
      file.handle = undefined;
    }
  }

  /** Begins the next file anew. */
  #begin(): void {
    const { path, owner, fileBytesMax, mode, random } = this.#options;
    if (this.isFull) [this.#current, this.#other] = [this.#other, this.#current];
    const file = this.#current;
    assert(file.lastFrame <= this.#broughtIn, "a log file is used again only once everything in it is in the tables");
    if (file.handle === undefined) {
      file.handle = openSync(
        file.path,
        constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | (writesThrough ? constants.O_DSYNC : 0),
        mode,
      );
      syncFolder(dirname(path));
    }
    // A group may have been far larger than a file should be.
    if (file.endAt > fileBytesMax * 2) ftruncateSync(file.handle, fileBytesMax);
    file.endAt = 0;
    file.salt = Buffer.from(random.bytes(saltBytes));
    try {
      writeWhole(file.handle, encodeHeader({ ...owner, firstFrame: this.#lastFrame + 1, salt: file.salt.toString("hex") }), 0);
    } catch (cause) {
      closeSync(file.handle);
      file.handle = undefined;
      throw cause;
    }
    file.endAt = logHeaderBytes;
  }
}

// Where the system has no such flag, each write is followed by a call that waits for the disk.
const writesThrough = typeof constants.O_DSYNC === "number";

function writeWhole(handle: number, bytes: Buffer, at: number): void {
  for (let written = 0; written < bytes.length;) written += writeSync(handle, bytes, written, bytes.length - written, at + written);
  if (!writesThrough) fdatasyncSync(handle);
}

/** Nobody is told of a frame that could not be written, so it must not be found whole after a restart either. Shortening a file takes no space. */
function takeBack(handle: number, at: number): void {
  try {
    ftruncateSync(handle, at);
    fdatasyncSync(handle);
  } catch (cause) {
    throw toolCallError("LEDGER_UNAVAILABLE", "the store could neither write nor take back what it had written; open it again", { cause });
  }
}

function syncFolder(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}
