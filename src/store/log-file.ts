/**
 * The two files of a commit log, as they lie on disk. They take turns: one is written while what stands in the other is brought into the tables. A file
 * begins with a header that says whose it is, with which frame it begins and its salt; frames follow without gaps.
 *
 * Frames are written one after the other, each only once the one before is on disk. So only the last can be torn by a crash, and nobody was told of
 * it. A frame that is missing before a whole one is damage, and is said, never skipped.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { crc32 } from "node:zlib";
import { decodeFrame, frameAt, saltBytes, type Frame, type FramePlace } from "./log-frame.ts";
import { configProblem } from "./sqlite-schema.ts";

/** Whose log it is: frames of one store must never be brought into another. */
export interface LogOwner {
  readonly writer: string;
  readonly epoch: number;
}

/** What a log file says of itself. */
export interface LogHeader extends LogOwner {
  readonly firstFrame: number;
  /** Hexadecimal. */
  readonly salt: string;
}

/** Bytes before the first frame of a file. @see `encodeHeader`: mark, checksum, length and text of a header. */
export const logHeaderBytes = 512;
const mark = "signalbox log 1\n";
const checksumAt = 16;
const lengthAt = 20;
const textAt = 24;

/** The paths of the two files of the store at `path`. */
export function logPaths(path: string): readonly [string, string] {
  return [`${path}-log-1`, `${path}-log-2`];
}

/** The first bytes of a file. */
export function encodeHeader({ writer, epoch, firstFrame, salt }: LogHeader): Buffer {
  const bytes = Buffer.alloc(logHeaderBytes);
  bytes.write(mark, "latin1");
  const length = bytes.write(JSON.stringify({ writer, epoch, firstFrame, salt }), textAt, "utf8");
  bytes.writeUInt32LE(length, lengthAt);
  bytes.writeUInt32LE(crc32(bytes.subarray(lengthAt)), checksumAt);
  return bytes;
}

/** What a file says of itself; `undefined` where its header is torn or there is none. */
export function decodeHeader(bytes: Buffer): LogHeader | undefined {
  if (bytes.length < logHeaderBytes || bytes.toString("latin1", 0, mark.length) !== mark) return undefined;
  if (crc32(bytes.subarray(lengthAt, logHeaderBytes)) !== bytes.readUInt32LE(checksumAt)) return undefined;
  return JSON.parse(bytes.toString("utf8", textAt, textAt + bytes.readUInt32LE(lengthAt))) as LogHeader;
}

/** A log that cannot be read as a whole: something is missing or belongs to another store. */
export class LogProblem extends Error {}

interface LogFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly header: LogHeader;
  readonly places: readonly FramePlace[];
}

/**
 * Every frame after `afterFrame`, up to `throughFrame` where that is given. Throws a `LogProblem` that names file and byte where one is missing, or
 * where the file belongs to another store.
 */
export function readFrames(
  path: string,
  owner: LogOwner,
  range: { readonly afterFrame: number; readonly throughFrame?: number },
): readonly Frame[] {
  const files = logPaths(path).flatMap((one) => readLogFile(one, owner, range.afterFrame) ?? []);
  files.sort((left, right) => left.header.firstFrame - right.header.firstFrame);
  const frames: Frame[] = [];
  let last = range.afterFrame;
  for (const { path: file, bytes, header, places } of files) {
    if (header.firstFrame > last + 1) throw new LogProblem(`frame ${last + 1} is missing before \`${file}\``);
    for (const place of places) {
      if (place.number <= last) continue;
      last = place.number;
      if (last <= (range.throughFrame ?? last)) frames.push(decodeFrame(bytes, place));
    }
  }
  return frames;
}

/** The salts of both files: as long as they stay the same no file has been used again. */
export function logSalts(path: string): string {
  return logPaths(path)
    .map((one) => decodeHeader(readFile(one))?.salt ?? "")
    .join();
}

/** Whether there is a file of a log. */
export function hasLog(path: string): boolean {
  return logPaths(path).some((one) => existsSync(one));
}

/** Removes both files. Only once everything in them is in the tables. */
export function removeLog(path: string): void {
  for (const one of logPaths(path)) rmSync(one, { force: true });
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    // A log is made with the first commit and removed when its store is closed.
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return Buffer.alloc(0);
    throw configProblem(`\`${path}\` cannot be read; check that this user may read it`, cause);
  }
}

function readLogFile(path: string, owner: LogOwner, afterFrame: number): LogFile | undefined {
  const bytes = readFile(path);
  const header = decodeHeader(bytes);
  if (header === undefined) {
    // A header is torn while a file is made ready, and then no frame in it is news.
    const place = frameAt(bytes, logHeaderBytes);
    if (place !== undefined && place.number > afterFrame)
      throw new LogProblem(`\`${path}\` is damaged at byte 0: its header cannot be read`);
    return undefined;
  }
  if (header.writer !== owner.writer || header.epoch !== owner.epoch)
    throw new LogProblem(`\`${path}\` belongs to epoch ${header.epoch} of the store \`${header.writer}\``);
  const salt = Buffer.from(header.salt, "hex");
  const places: FramePlace[] = [];
  let at = logHeaderBytes;
  for (;;) {
    const place = saltedFrameAt(bytes, salt, at);
    if (place === undefined || place.number !== header.firstFrame + places.length) break;
    places.push(place);
    at = place.end;
  }
  refuseHole(path, bytes, salt, at, header.firstFrame + places.length);
  return { path, bytes, header, places };
}

function saltedFrameAt(bytes: Buffer, salt: Buffer, at: number): FramePlace | undefined {
  return bytes.subarray(at, at + saltBytes).equals(salt) ? frameAt(bytes, at) : undefined;
}

/** The first frame that is not whole must be the last that was written. */
function refuseHole(path: string, bytes: Buffer, salt: Buffer, from: number, missing: number): void {
  for (let at = bytes.indexOf(salt, from); at !== -1; at = bytes.indexOf(salt, at + 1)) {
    const place = frameAt(bytes, at);
    if (place !== undefined && place.number > missing)
      throw new LogProblem(
        `\`${path}\` is damaged at byte ${from}: frame ${missing} cannot be read, but frame ${place.number} after it can`,
      );
  }
}
