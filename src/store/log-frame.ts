/**
 * A frame of the commit log: what one group committed, as bytes. It holds the entries in their order, and every row and counter that the group changed
 * as it left them, so that bringing a frame in needs nothing that came before but the chain's head, and doing it twice changes nothing.
 *
 * A frame is a head of 32 bytes (salt of its file, checksum, length, number, sizes of the parts), then its numbers, its texts as one UTF-8 text, and
 * its sealed values. Texts are cut apart by their lengths in UTF-16 code units, which stand among the numbers. The checksum covers everything after it;
 * the salt is chosen anew whenever a file is used again and nobody outside can know it, so that neither old bytes nor a caller's values can be taken
 * for a frame. Numbers lie in the machine's own byte order: a log is read where it was written.
 */
import { crc32 } from "node:zlib";
import type { EntryDraft, RowKey } from "./store.ts";

/** A row as a group left it. Version 0: deleted. */
export interface ChangedRow {
  readonly key: RowKey;
  readonly version: number;
  /** JSON; empty where the row was deleted. */
  readonly text: string;
  readonly dueMs: number | undefined;
}

/** A counter as a group left it. With `dueMs` undefined it keeps the one it has; a counter of 0 that has none is taken away. */
export interface ChangedCounter {
  readonly key: RowKey;
  readonly value: number;
  readonly dueMs: number | "none" | undefined;
}

/** What a group commits. */
export interface FrameContent {
  readonly epoch: number;
  /** Sequence number of the first entry, or of the next one where there is none. */
  readonly firstSeq: number;
  readonly drafts: readonly Omit<EntryDraft, "body">[];
  /** The text of each entry, as it will be hashed. */
  readonly texts: readonly string[];
  readonly rows: ReadonlyMap<string, ChangedRow>;
  readonly counters: ReadonlyMap<string, ChangedCounter>;
}

/** A frame as it was read. Frames of a store are numbered without gaps, from 1. */
export interface Frame extends Omit<FrameContent, "rows" | "counters"> {
  readonly number: number;
  readonly rows: readonly ChangedRow[];
  readonly counters: readonly ChangedCounter[];
}

/** Bytes before the parts of a frame. @see the top of this file. */
export const frameHeadBytes = 32;
/** Bytes of a salt. @see the top of this file. */
export const saltBytes = 8;
/** @see IEEE 754: numbers are doubles, read where they lie. */
const alignBytes = 8;
const [checksumAt, lengthAt, numberAt, numbersAt, textAt] = [8, 12, 16, 24, 28];
const numbersBefore = 5;
const noNumber = Number.NaN;

/** Makes frames, in memory that is used again. */
export class FrameEncoder {
  #buffer = Buffer.allocUnsafeSlow(65_536);

  /** The bytes of a frame; they hold until the next one is made. */
  encode(number: number, salt: Uint8Array, content: FrameContent): Buffer {
    const { numbers, text, sealed } = partsOf(content);
    const sealedBytes = sealed.reduce((sum, bytes) => sum + bytes.length, 0);
    // A UTF-16 code unit takes at most 3 bytes.
    const buffer = this.#room(frameHeadBytes + numbers.length * 8 + text.length * 3 + sealedBytes + alignBytes);
    new Float64Array(buffer.buffer, frameHeadBytes, numbers.length).set(numbers);
    const start = frameHeadBytes + numbers.length * 8;
    const textBytes = buffer.write(text, start, "utf8");
    let end = start + textBytes;
    for (const bytes of sealed) {
      buffer.set(bytes, end);
      end += bytes.length;
    }
    while (end % alignBytes !== 0) buffer[end++] = 0;
    buffer.set(salt, 0);
    buffer.writeUInt32LE(end, lengthAt);
    buffer.writeDoubleLE(number, numberAt);
    buffer.writeUInt32LE(numbers.length, numbersAt);
    buffer.writeUInt32LE(textBytes, textAt);
    buffer.writeUInt32LE(crc32(buffer.subarray(lengthAt, end)), checksumAt);
    return buffer.subarray(0, end);
  }

  #room(bytes: number): Buffer {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, this.#buffer.length * 2));
    return this.#buffer;
  }
}

interface Parts {
  readonly numbers: readonly number[];
  readonly text: string;
  readonly sealed: readonly Uint8Array[];
}

function partsOf({ epoch, firstSeq, drafts, texts, rows, counters }: FrameContent): Parts {
  const numbers: number[] = [epoch, firstSeq, drafts.length, rows.size, counters.size];
  const sealed: Uint8Array[] = [];
  let text = "";
  const put = (piece: string | undefined): void => {
    numbers.push(piece?.length ?? noNumber);
    if (piece !== undefined) text += piece;
  };
  const putKey = (key: RowKey): void => {
    put(key.space);
    put(key.tenant);
    put(key.key);
  };
  for (let index = 0; index < drafts.length; index += 1) {
    const draft = drafts[index] as FrameContent["drafts"][number];
    put(draft.tenant);
    put(draft.kind);
    put(draft.callId);
    put(draft.sessionId);
    put(draft.runId);
    put(texts[index]);
    numbers.push(draft.atMs, draft.sealed?.length ?? noNumber);
    if (draft.sealed !== undefined) sealed.push(draft.sealed);
  }
  for (const row of rows.values()) {
    putKey(row.key);
    put(row.text);
    numbers.push(row.version, row.dueMs ?? noNumber);
  }
  for (const counter of counters.values()) {
    putKey(counter.key);
    numbers.push(counter.value, counter.dueMs === "none" ? Infinity : (counter.dueMs ?? noNumber));
  }
  return { numbers, text, sealed };
}

/** Where a frame lies in the bytes of a log file. */
export interface FramePlace {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** The whole frame that begins at `start`, whatever its salt; `undefined` where none does, or only a part of one. */
export function frameAt(bytes: Buffer, start: number): FramePlace | undefined {
  if (start + frameHeadBytes > bytes.length) return undefined;
  const length = bytes.readUInt32LE(start + lengthAt);
  const end = start + length;
  if (length < frameHeadBytes || length % alignBytes !== 0 || end > bytes.length) return undefined;
  if (crc32(bytes.subarray(start + lengthAt, end)) !== bytes.readUInt32LE(start + checksumAt)) return undefined;
  return { number: bytes.readDoubleLE(start + numberAt), start, end };
}

/** Reads a frame that `frameAt` found. */
export function decodeFrame(bytes: Buffer, { number, start, end }: FramePlace): Frame {
  const numbersCount = bytes.readUInt32LE(start + numbersAt);
  // Copied, because a view would need the frame to begin where a number may begin.
  const numbers = new Float64Array(numbersCount);
  const textStart = start + frameHeadBytes + numbersCount * 8;
  Buffer.from(numbers.buffer).set(bytes.subarray(start + frameHeadBytes, textStart));
  const textEnd = textStart + bytes.readUInt32LE(start + textAt);
  const parts = new PartsReader(numbers, bytes.toString("utf8", textStart, textEnd), bytes.subarray(textEnd, end));
  const [epoch, firstSeq, entryCount, rowCount, counterCount] = parts.numbers(numbersBefore) as [number, number, number, number, number];
  const texts: string[] = [];
  const drafts = Array.from({ length: entryCount }, () => readEntry(parts, texts));
  const rows = Array.from({ length: rowCount }, () => readRow(parts));
  const counters = Array.from({ length: counterCount }, () => readCounter(parts));
  return { number, epoch, firstSeq, drafts, texts, rows, counters };
}

class PartsReader {
  readonly #numbers: Float64Array;
  readonly #text: string;
  readonly #sealed: Buffer;
  #numberIndex = 0;
  #textAt = 0;
  #sealedAt = 0;

  constructor(numbers: Float64Array, text: string, sealed: Buffer) {
    this.#numbers = numbers;
    this.#text = text;
    this.#sealed = sealed;
  }

  number(): number | undefined {
    const value = this.#numbers[this.#numberIndex++] as number;
    return Number.isNaN(value) ? undefined : value;
  }

  numbers(count: number): readonly (number | undefined)[] {
    return Array.from({ length: count }, () => this.number());
  }

  text(): string | undefined {
    const length = this.number();
    if (length === undefined) return undefined;
    const start = this.#textAt;
    this.#textAt += length;
    return this.#text.slice(start, this.#textAt);
  }

  sealed(): Uint8Array | undefined {
    const length = this.number();
    if (length === undefined) return undefined;
    const start = this.#sealedAt;
    this.#sealedAt += length;
    return new Uint8Array(this.#sealed.subarray(start, this.#sealedAt));
  }

  key(): RowKey {
    return { space: this.text() as string, tenant: this.text() as string, key: this.text() as string };
  }
}

function readEntry(parts: PartsReader, texts: string[]): FrameContent["drafts"][number] {
  const [tenant, kind] = [parts.text() as string, parts.text() as string];
  const [callId, sessionId, runId] = [parts.text(), parts.text(), parts.text()];
  texts.push(parts.text() as string);
  return { tenant, kind, callId, sessionId, runId, atMs: parts.number() as number, sealed: parts.sealed() };
}

function readRow(parts: PartsReader): ChangedRow {
  return { key: parts.key(), text: parts.text() as string, version: parts.number() as number, dueMs: parts.number() };
}

function readCounter(parts: PartsReader): ChangedCounter {
  const [key, value, dueMs] = [parts.key(), parts.number() as number, parts.number()];
  return { key, value, dueMs: dueMs === Infinity ? "none" : dueMs };
}
