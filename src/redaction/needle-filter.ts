import { fixedBounds } from "../base/fixed-bounds.ts";

/** Bytes before and after the text, so that a needle may be looked for around every place. */
const margin = 4;
const startsSize = 16_384;
const scratch = Buffer.alloc(16_384);

/**
 * Says whether a text may hold one of many fixed strings, for texts that nearly always hold none. A needle has at least three pairs of neighbouring
 * characters, so one of its first three pairs begins at a place that three divides: only those places are looked at. None of them depends on what
 * was found at another, so a processor looks at several at once, which it cannot where each find says how far to jump.
 */
export class NeedleFilter {
  /** By pair of characters: which of the first three pairs of a needle it is, one bit for each. */
  readonly #pairs = new Uint8Array(128 * 128);
  /** By hash of a needle's first four characters: which of the buckets it is in, from 1 on. */
  readonly #starts = new Uint16Array(startsSize);
  readonly #buckets: Buffer[][] = [[]];

  /** @param needles ASCII strings in lower case of at least 4 characters. */
  constructor(needles: readonly string[]) {
    for (const needle of needles.map((text) => Buffer.from(text, "latin1"))) {
      for (let offset = 0; offset < fixedBounds.needleCharsMin - 1; offset += 1) {
        const pair = pairAt(needle, offset);
        this.#pairs[pair] = (this.#pairs[pair] as number) | (1 << offset);
      }
      const start = startAt(needle, 0);
      this.#starts[start] ||= this.#buckets.push([]) - 1;
      this.#buckets[this.#starts[start] as number]?.push(needle);
    }
  }

  /** False only for a text without any needle, whatever the case of its ASCII letters. */
  mayHold(text: string): boolean {
    const end = text.length + margin;
    const bytes = end + margin <= scratch.length ? scratch : Buffer.alloc(end + margin);
    // One byte of each character: others than ASCII may look like ASCII then, but no ASCII character can hide.
    bytes.write(text, margin, "latin1");
    // What an earlier text left behind is no part of this one.
    for (let place = end; place < end + margin; place += 1) bytes[place] = 0;
    const pairs = this.#pairs;
    const starts = this.#starts;
    for (let place = margin; place < end; place += 3) {
      const offsets = pairs[pairAt(bytes, place)] as number;
      if (offsets === 0) continue;
      // Written out, since every result goes through here.
      if ((offsets & 1) !== 0 && this.#isAt(bytes, place, starts[startAt(bytes, place)] as number)) return true;
      if ((offsets & 2) !== 0 && this.#isAt(bytes, place - 1, starts[startAt(bytes, place - 1)] as number)) return true;
      if ((offsets & 4) !== 0 && this.#isAt(bytes, place - 2, starts[startAt(bytes, place - 2)] as number)) return true;
    }
    return false;
  }

  #isAt(bytes: Buffer, start: number, bucket: number): boolean {
    if (bucket === 0) return false;
    return (this.#buckets[bucket] as readonly Buffer[]).some((needle) =>
      needle.every((byte, offset) => lowerCase(bytes[start + offset]) === byte),
    );
  }
}

// The bit that tells the cases of ASCII letters apart is masked out; what then looks alike is told apart in the end.
function pairAt(bytes: Buffer, place: number): number {
  return (((bytes[place] as number) & 0x5f) << 7) | ((bytes[place + 1] as number) & 0x5f);
}

function startAt(bytes: Buffer, place: number): number {
  return (pairAt(bytes, place) ^ (pairAt(bytes, place + 2) * 5)) & (startsSize - 1);
}

function lowerCase(byte: number | undefined): number | undefined {
  return byte !== undefined && byte >= 65 && byte <= 90 ? byte + 32 : byte;
}
