/**
 * Which words, and which pairs of neighbouring words, were read: enough to say whether a value occurs in megabytes of text in microseconds. Words are
 * kept as keyed 32-bit hashes with the origin in which they were read first. What does not fit any more moves into a Bloom filter of fixed size:
 * forgetting makes more values look as if they had been read, never fewer, so it fails closed. So do colliding hashes.
 */
import { isWordCode } from "./fold.ts";

const shardsCount = 16;
const bloomWords = 1 << 18; // 2^23 bits, 1 MiB
const firstSlots = 64;
const recentSlots = 1_024;
const watchedSlots = 4_096;
/** The origin of what is known only to the filter. */
export const forgottenOrigin = 0xffff;

/** One table of open addressing: a hash of 0 is an empty slot. */
class Shard {
  keys = new Uint32Array(firstSlots);
  origins = new Uint16Array(firstSlots);
  count = 0;

  /** Returns whether the table is full and must be emptied before it may take more. */
  add(hash: number, origin: number, slotsMax: number): boolean {
    const mask = this.keys.length - 1;
    let slot = hash & mask;
    for (;;) {
      const key = this.keys[slot];
      if (key === hash) return false;
      if (key === 0) break;
      slot = (slot + 1) & mask;
    }
    this.keys[slot] = hash;
    this.origins[slot] = origin;
    this.count += 1;
    if (this.count * 4 < this.keys.length * 3) return false;
    if (this.keys.length >= slotsMax) return true;
    this.#grow();
    return false;
  }

  find(hash: number): number | undefined {
    const mask = this.keys.length - 1;
    let slot = hash & mask;
    for (;;) {
      const key = this.keys[slot];
      if (key === hash) return this.origins[slot];
      if (key === 0) return undefined;
      slot = (slot + 1) & mask;
    }
  }

  clear(): void {
    this.keys.fill(0);
    this.count = 0;
  }

  #grow(): void {
    const { keys, origins } = this;
    this.keys = new Uint32Array(keys.length * 2);
    this.origins = new Uint16Array(keys.length * 2);
    const mask = this.keys.length - 1;
    for (let index = 0; index < keys.length; index += 1) {
      const key = keys[index] as number;
      if (key === 0) continue;
      let slot = key & mask;
      while (this.keys[slot] !== 0) slot = (slot + 1) & mask;
      this.keys[slot] = key;
      this.origins[slot] = origins[index] as number;
    }
  }
}

/** What a phrase's words were found in. */
export interface Found {
  /** Index of the origin, or `forgottenOrigin`. */
  readonly origin: number;
}

/** Words and pairs of words of the texts that were added. Memory: at most `slotsMax` × 6 bytes and 1 MiB. */
export class ShingleIndex {
  readonly #seed: number;
  readonly #slotsPerShard: number;
  readonly #recent = new Uint32Array(recentSlots);
  readonly #shards: Shard[];
  #bloom: Uint32Array | undefined;
  readonly #watched = new Set<number>();
  /** By the upper bits of a word's hash: whether any watched word has them. */
  readonly #mayBeWatched: Uint8Array | undefined;

  /**
   * @param parts.seed unpredictable, so that nobody can write text whose hashes collide on purpose.
   * @param parts.slotsMax words and pairs remembered with their origin; a power of two of at least 1,024.
   * @param parts.watched folded words of which `add` says whether it met any. Default none.
   */
  constructor(parts: { readonly seed: number; readonly slotsMax: number; readonly watched?: readonly string[] }) {
    this.#seed = parts.seed | 1;
    this.#slotsPerShard = Math.max(firstSlots, parts.slotsMax / shardsCount);
    this.#shards = Array.from({ length: shardsCount }, () => new Shard());
    if (parts.watched === undefined) return;
    this.#mayBeWatched = new Uint8Array(watchedSlots);
    for (const word of parts.watched) {
      const hash = this.#hashOf(word, 0, word.length);
      this.#watched.add(hash);
      this.#mayBeWatched[hash % watchedSlots] = 1;
    }
  }

  /** Bytes that the tables hold now. */
  get bytes(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.keys.length * 6, 0) + (this.#bloom?.byteLength ?? 0);
  }

  /** Whether nothing was ever added. */
  get isEmpty(): boolean {
    return this.#bloom === undefined && this.#shards.every((shard) => shard.count === 0);
  }

  /** Adds every word and pair of a folded text. Returns whether a watched word was among them. */
  add(text: string, origin: number): boolean {
    let isWatched = false;
    const end = text.length;
    let previous = 0;
    let hash = this.#seed;
    let isInside = false;
    let digits = this.#seed;
    let digitWords = 0;
    let isDigits = true;
    let gap = 0;
    for (let index = 0; index <= end; index += 1) {
      const code = index < end ? text.charCodeAt(index) : 32;
      if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 128 && isWordCode(code))) {
        hash = Math.imul(hash ^ code, 0x01000193);
        if (code > 57) isDigits = false;
        isInside = true;
        continue;
      }
      gap += 1;
      if (!isInside) continue;
      const word = finish(hash);
      this.#insert(word, origin);
      if (this.#mayBeWatched?.[word % watchedSlots] === 1) isWatched ||= this.#watched.has(word);
      if (previous !== 0) this.#insertPair(pairOf(previous, word), origin);
      previous = word;
      // Digits written in groups (telephone numbers, accounts, amounts) are known without their separators as well.
      if (isDigits) {
        const from = index - 1;
        if (digitWords > 0 && gap > 3) {
          digits = this.#seed;
          digitWords = 0;
        }
        digits = hashBack(text, from, digits);
        digitWords += 1;
        if (digitWords > 1) this.#insert(finish(digits), origin);
      } else {
        digits = this.#seed;
        digitWords = 0;
      }
      hash = this.#seed;
      isInside = false;
      isDigits = true;
      gap = 1;
    }
    return isWatched;
  }

  /** Adds one word that was joined from parts, such as an account number without its spaces. */
  addWord(word: string, origin: number): void {
    this.#insert(this.#hashOf(word, 0, word.length), origin);
  }

  /** Where the words of a folded phrase were read, side by side; undefined where at least one pair of them never was. */
  find(phrase: string): Found | undefined {
    let previous = 0;
    let found: number | undefined;
    let wordsCount = 0;
    let start = -1;
    for (let index = 0; index <= phrase.length; index += 1) {
      if (index < phrase.length && isWordCode(phrase.charCodeAt(index))) {
        if (start < 0) start = index;
        continue;
      }
      if (start < 0) continue;
      const word = this.#hashOf(phrase, start, index);
      start = -1;
      wordsCount += 1;
      const key = previous === 0 ? word : pairOf(previous, word);
      previous = word;
      const origin = this.#lookUp(key);
      if (origin === undefined) return undefined;
      if (found === undefined || found === forgottenOrigin || wordsCount === 2) found = origin;
    }
    return found === undefined ? undefined : { origin: found };
  }

  #hashOf(text: string, start: number, end: number): number {
    let hash = this.#seed;
    for (let index = start; index < end; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    return finish(hash);
  }

  #insert(hash: number, origin: number): void {
    // Most words of a text were read a moment ago. What is in here may have moved to the filter since, where it is found as well.
    const recent = hash & (recentSlots - 1);
    if (this.#recent[recent] === hash) return;
    this.#recent[recent] = hash;
    const shard = this.#shards[hash >>> 28] as Shard;
    if (shard.add(hash, origin, this.#slotsPerShard)) this.#forget(hash >>> 28);
  }

  #lookUp(hash: number): number | undefined {
    return (this.#shards[hash >>> 28] as Shard).find(hash) ?? (this.#isInBloom(hash) ? forgottenOrigin : undefined);
  }

  /** Once there is a filter, pairs go straight into it: most of them are read once, and would only push words out of the tables. */
  #insertPair(hash: number, origin: number): void {
    if (this.#bloom === undefined) this.#insert(hash, origin);
    else setIn(this.#bloom, hash);
  }

  /** Moves one table into the filter and begins it anew. */
  #forget(shardIndex: number): void {
    const bloom = (this.#bloom ??= new Uint32Array(bloomWords));
    const shard = this.#shards[shardIndex] as Shard;
    for (const hash of shard.keys) if (hash !== 0) setIn(bloom, hash);
    shard.clear();
  }

  #isInBloom(hash: number): boolean {
    const bloom = this.#bloom;
    if (bloom === undefined) return false;
    const mixed = finish(hash ^ bloomSalt);
    const block = blockOf(mixed);
    const [first, second] = [maskOf(mixed, 0), maskOf(mixed, 5)];
    if (((bloom[block] as number) & first) !== first || ((bloom[block + 1] as number) & second) !== second) return false;
    return true;
  }
}

/** Spreads a running hash over all bits; never 0. The mixing constants are MurmurHash3's finalizer. */
function finish(hash: number): number {
  let mixed = hash;
  mixed ^= mixed >>> 16;
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  return mixed >>> 0 || 1;
}

function pairOf(first: number, second: number): number {
  return finish(Math.imul(first, 31) ^ second);
}

const bloomSalt = 0x9e3779b1;

function setIn(bloom: Uint32Array, hash: number): void {
  const mixed = finish(hash ^ bloomSalt);
  const block = blockOf(mixed);
  bloom[block] = (bloom[block] as number) | maskOf(mixed, 0);
  bloom[block + 1] = (bloom[block + 1] as number) | maskOf(mixed, 5);
}

/** Two neighbouring words of the filter belong to one hash, so that it costs one look into memory. */
function blockOf(mixed: number): number {
  return (mixed >>> 14) & (bloomWords - 2);
}

/** Two bits of a word, from ten bits of the hash. */
function maskOf(mixed: number, shift: number): number {
  return (1 << ((mixed >>> shift) & 31)) | (1 << (((mixed >>> (shift + 2)) ^ (mixed >>> 7)) & 31));
}

/** Goes on hashing with the digits that end at `last`. */
function hashBack(text: string, last: number, hash: number): number {
  let first = last;
  while (first > 0 && isDigit(text.charCodeAt(first - 1))) first -= 1;
  let running = hash;
  for (let index = first; index <= last; index += 1) running = Math.imul(running ^ text.charCodeAt(index), 0x01000193);
  return running;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
