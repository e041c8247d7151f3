/**
 * Results of reads that may be answered again for a while. What a key is made of (whose, which tool, which arguments) is decided above; here is what must
 * hold of any of them: bounded in entries and bytes, over when its time is over, and never older than the last write that could have changed it. The
 * latter also while reads and writes overlap: a read that began before a write ended is not kept.
 */
import type { Limits } from "../base/limits.ts";

/** What is kept of one read. */
export interface CachedResult {
  /** The call that was answered by the tool. */
  readonly callId: string;
  /** Wall time of that answer. */
  readonly atMs: number;
  /** JSON of its redacted result. */
  readonly text: string;
}

/** What a kept result came from: what a write is compared with. */
export interface CacheOrigin {
  readonly tenant: string;
  readonly tool: string;
  readonly source: string;
}

/** The cache of one process. */
export interface ReadCache {
  /** The result under a key, while it holds. */
  find(key: string, nowMs: number): CachedResult | undefined;
  /** A read begins whose result may be kept; what it gives goes into `keep`. */
  begin(): number;
  /** Keeps a result until `untilMs`, unless it is too large or a write came between. */
  keep(entry: {
    readonly key: string;
    readonly origin: CacheOrigin;
    readonly begun: number;
    readonly untilMs: number;
    readonly result: CachedResult;
  }): void;
  /** A write begins or has ended that may change what `touches` holds of. */
  forget(touches: (origin: CacheOrigin) => boolean): void;
  /** What is held: entries, and bytes of their texts. */
  size(): { readonly entries: number; readonly bytes: number };
}

interface Kept {
  readonly origin: CacheOrigin;
  readonly untilMs: number;
  readonly result: CachedResult;
  readonly bytes: number;
}

/** An empty cache. As long as no tool is cached it does nothing at all. */
export function createReadCache(limits: Limits): ReadCache {
  return new BoundedCache(limits);
}

class BoundedCache implements ReadCache {
  readonly #limits: Limits;
  /** Least recently used first. */
  readonly #kept = new Map<string, Kept>();
  /** The latest writes; the first of them has the number `#writesFrom`. */
  #writes: ((origin: CacheOrigin) => boolean)[] = [];
  #writesFrom = 0;
  #bytes = 0;
  #isUsed = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  find(key: string, nowMs: number): CachedResult | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#drop(key, kept);
    if (kept.untilMs <= nowMs) return undefined;
    this.#put(key, kept);
    return kept.result;
  }

  begin(): number {
    this.#isUsed = true;
    return this.#writesFrom + this.#writes.length;
  }

  keep({ key, origin, begun, untilMs, result }: Parameters<ReadCache["keep"]>[0]): void {
    const bytes = Buffer.byteLength(result.text);
    if (bytes > this.#limits.cacheResultBytesMax || this.#isOutdated(origin, begun)) return;
    const before = this.#kept.get(key);
    if (before !== undefined) this.#drop(key, before);
    this.#put(key, { origin, untilMs, result, bytes });
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= this.#limits.cacheEntriesMax && this.#bytes <= this.#limits.cacheBytesMax) break;
      this.#drop(oldest, kept);
    }
  }

  forget(touches: (origin: CacheOrigin) => boolean): void {
    if (!this.#isUsed) return;
    for (const [key, kept] of this.#kept) if (touches(kept.origin)) this.#drop(key, kept);
    this.#writes.push(touches);
    if (this.#writes.length <= this.#limits.cacheWritesMax) return;
    // A read that began before what is forgotten here cannot be judged any more, and is not kept.
    const forgotten = Math.ceil(this.#limits.cacheWritesMax / 2);
    this.#writes = this.#writes.slice(forgotten);
    this.#writesFrom += forgotten;
  }

  size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#kept.size, bytes: this.#bytes };
  }

  #isOutdated(origin: CacheOrigin, begun: number): boolean {
    return begun < this.#writesFrom || this.#writes.slice(begun - this.#writesFrom).some((touches) => touches(origin));
  }

  #put(key: string, kept: Kept): void {
    this.#kept.set(key, kept);
    this.#bytes += kept.bytes;
  }

  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}
