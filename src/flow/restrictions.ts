/**
 * What restricts: untrusted and sensitive text that a principal has read under one credential, in all of its sessions. Bounded; what is forgotten from
 * its tables stays in them without its origin.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { RecentValues } from "../base/recent-values.ts";
import { wordsOfNames } from "../redaction/personal-names.ts";
import { foldValue } from "./fold.ts";
import { GuardedText, type Guarded } from "./guarded-text.ts";
import { GuessedValues, type Carried } from "./guessed.ts";
import { forgottenOrigin, ShingleIndex, type Found } from "./shingles.ts";

/** A call whose result was read. */
export interface Origin {
  readonly callId: string;
  readonly sessionId: string;
  readonly tool: string;
  readonly atMs: number;
  /** The result came from outside the tenant's own systems, such as a web page. */
  readonly isOutside: boolean;
  /** An argument of the call was named by the user, so that what it read is what the user pointed at. */
  readonly isNamed: boolean;
}

/** What is kept: bounds from the limit table, and an option of the box. */
export interface KnowledgeBounds {
  /** Words and pairs of words that are remembered with their origin; a power of two. */
  readonly slotsMax: number;
  /** Trusted values, and values of records the user named, per session. */
  readonly valuesMax: number;
  /** Circles of readers whose texts are told apart. */
  readonly circlesMax: number;
  /** Whether values that nobody labelled are looked through for personal and secret ones. Default true. */
  readonly guesses?: boolean;
}

/** Where a text may stand of which nobody knows, and who may have it. */
const anywhere: Found = { origin: forgottenOrigin };
const none: readonly Guarded[] = [];
const forNobody: Guarded = { readers: [], holds: () => true };

/** What restricts: untrusted and sensitive text that a principal has read under one credential. */
export class Restrictions {
  readonly #bounds: KnowledgeBounds;
  readonly #origins: Origin[] = [];
  readonly #givenFirst: RecentValues<true>;
  #untrusted: ShingleIndex;
  #sensitive: GuardedText | undefined;
  #written: ShingleIndex | undefined;
  #guessed: GuessedValues | undefined;
  /** What was read in the time before; it goes when the present is as old as it may get. */
  #before:
    | {
        readonly untrusted: ShingleIndex;
        readonly sensitive: GuardedText | undefined;
        readonly written: ShingleIndex | undefined;
        readonly guessed: GuessedValues | undefined;
      }
    | undefined;
  #sinceMs: number;
  #saturatedUntilMs: number | undefined;
  readonly #seed: number;
  readonly #waiting: { readonly chars: number; readonly index: () => Generator<void> }[] = [];
  /** Of the last in the queue, where that has nothing but such values. */
  #givenWaiting: string[] | undefined;
  #givenAt = 0;
  #waitingChars = 0;
  #indexing: Promise<void> | undefined;

  constructor(seed: number, bounds: KnowledgeBounds, nowMs: number) {
    this.#seed = seed;
    this.#bounds = bounds;
    this.#givenFirst = new RecentValues(bounds.valuesMax);
    this.#sinceMs = nowMs;
    this.#untrusted = this.#newUntrusted();
  }

  #newUntrusted(): ShingleIndex {
    const watched = this.isGuessing ? { watched: wordsOfNames } : {};
    return new ShingleIndex({ seed: this.#seed, slotsMax: this.#bounds.slotsMax, ...watched });
  }

  /** Bytes of all tables. */
  get bytes(): number {
    const tables = [
      this.#untrusted,
      this.#sensitive,
      this.#written,
      this.#guessed,
      this.#before?.untrusted,
      this.#before?.sensitive,
      this.#before?.written,
      this.#before?.guessed,
    ];
    return tables.reduce((sum, table) => sum + (table?.bytes ?? 0), 0);
  }

  /** Whether no untrusted text is remembered. */
  get isEmpty(): boolean {
    return this.#untrusted.isEmpty && this.#before?.untrusted.isEmpty !== false && this.#saturatedUntilMs === undefined;
  }

  /** Whether any text is remembered that only certain readers may have. */
  get hasSensitive(): boolean {
    return this.#sensitive !== undefined || this.#before?.sensitive !== undefined || this.#saturatedUntilMs !== undefined;
  }

  /** Lets go of what is older than `decayMs`, and of nothing younger. */
  age(nowMs: number, decayMs: number): void {
    if (this.#saturatedUntilMs !== undefined && nowMs >= this.#saturatedUntilMs) this.#saturatedUntilMs = undefined;
    if (nowMs - this.#sinceMs < decayMs) return;
    const isLongAgo = nowMs - this.#sinceMs >= 2 * decayMs;
    this.#before =
      isLongAgo || (this.#untrusted.isEmpty && this.#guessed === undefined)
        ? undefined
        : { untrusted: this.#untrusted, sensitive: this.#sensitive, written: this.#written, guessed: this.#guessed };
    this.#untrusted = this.#newUntrusted();
    this.#sensitive = undefined;
    this.#written = undefined;
    this.#guessed = undefined;
    this.#sinceMs = nowMs;
  }

  /** Where a folded phrase was read as untrusted text. */
  find(phrase: string): Found | undefined {
    return (
      this.#untrusted.find(phrase) ?? this.#before?.untrusted.find(phrase) ?? (this.#saturatedUntilMs === undefined ? undefined : anywhere)
    );
  }

  /** Something was read that nobody can look into any more: until then any text may have stood in it. */
  saturate(untilMs: number): void {
    this.#saturatedUntilMs = Math.max(untilMs, this.#saturatedUntilMs ?? 0);
  }

  /** Takes note of values of a call's arguments, before what it brought is indexed. */
  given(values: readonly string[]): void {
    for (const given of values) {
      const value = foldValue(given);
      if (this.find(value) === undefined) keep(this.#givenFirst, value, true);
    }
  }

  /**
   * Whether the value stood in the arguments of a call before anything untrusted held it: that a result repeats what was asked for does not make it
   * untrusted.
   */
  wasGivenFirst(value: string): boolean {
    return this.#givenFirst.get(value) !== undefined;
  }

  /** Takes note that a call carried an untrusted value somewhere: wherever it comes back from, nobody else vouches for it. */
  carried(value: string): void {
    (this.#written ??= new ShingleIndex({ seed: this.#seed, slotsMax: this.#bounds.slotsMax / 4 })).add(value, 0);
  }

  /** Whether a call of the principal's own carried this value while it was untrusted. */
  wasCarried(value: string): boolean {
    return (this.#written?.find(value) ?? this.#before?.written?.find(value)) !== undefined;
  }

  /** The texts that only certain readers may have, each with who that is. */
  guarded(): readonly Guarded[] {
    if (!this.hasSensitive) return none;
    const known = [...(this.#sensitive?.all() ?? none), ...(this.#before?.sensitive?.all() ?? none)];
    return this.#saturatedUntilMs === undefined ? known : [...known, forNobody];
  }

  /** The table for untrusted text. */
  get untrustedTable(): ShingleIndex {
    return this.#untrusted;
  }

  /** The table for text that only these readers may have, made when the first is read. */
  sensitiveTable(readers: readonly string[]): ShingleIndex {
    const { slotsMax, circlesMax } = this.#bounds;
    this.#sensitive ??= new GuardedText(this.#seed, { slotsMax: slotsMax / 4, circlesMax });
    return this.#sensitive.tableFor(readers);
  }

  /** Whether values that nobody labelled are looked through for personal and secret ones. */
  get isGuessing(): boolean {
    return this.#bounds.guesses !== false;
  }

  /** Whether any value is remembered that looks personal or secret, and that nobody labelled. */
  get hasGuessed(): boolean {
    return this.#guessed !== undefined || this.#before?.guessed !== undefined;
  }

  /** Values that were guessed to be personal or secret, made when the first is read. */
  guessed(): GuessedValues {
    return (this.#guessed ??= new GuessedValues({ seed: this.#seed, slotsMax: this.#bounds.slotsMax / 4 }));
  }

  /** Which of them a text carries; `called`: the name of the argument that it stands in. */
  guessedIn(text: string, called: string): readonly Carried[] {
    return [...(this.#guessed?.carriedBy(text, called) ?? []), ...(this.#before?.guessed?.carriedBy(text, called) ?? [])];
  }

  /** Characters of results that were read and not indexed yet. */
  get waitingChars(): number {
    return this.#waitingChars;
  }

  /** Queues the indexing of a result. One queue for all sessions: whichever calls next must know what any of them has read. */
  queue(chars: number, index: () => Generator<void>): void {
    this.#givenWaiting = undefined;
    this.#waiting.push({ chars, index });
    this.#waitingChars += chars;
  }

  /** Queues values of a call's arguments, whose result brought nothing new. */
  queueGiven(values: readonly string[]): void {
    const waiting = this.#givenWaiting;
    if (waiting === undefined) {
      const all = [...values];
      this.queue(0, () => this.#indexGiven(all));
      this.#givenWaiting = all;
    } else if (waiting.length < fixedBounds.givenWaitingMax) waiting.push(...values);
    else for (const value of values) waiting[(this.#givenAt = (this.#givenAt + 1) % fixedBounds.givenWaitingMax)] = value;
  }

  *#indexGiven(values: readonly string[]): Generator<void> {
    // What is asked for from now on waits anew.
    this.#givenWaiting = undefined;
    this.given(values);
    yield;
  }

  /** Indexes what waits, in slices between which `pause` gives the event loop its turn. Undefined where nothing is left to wait for. */
  settle(pause: () => Promise<void>): Promise<void> | undefined {
    if (this.#indexing !== undefined) return this.#indexing;
    if (this.#waiting.length === 0) return undefined;
    if (this.#waitingChars <= fixedBounds.indexSliceChars) {
      for (const _slice of this.#slices()) continue;
      return undefined;
    }
    this.#indexing = this.#indexWith(pause).finally(() => (this.#indexing = undefined));
    return this.#indexing;
  }

  async #indexWith(pause: () => Promise<void>): Promise<void> {
    for (const _slice of this.#slices()) await pause();
  }

  *#slices(): Generator<void> {
    for (let result = this.#waiting[0]; result !== undefined; result = this.#waiting[0]) {
      yield* result.index();
      this.#waiting.shift();
      this.#waitingChars -= result.chars;
    }
  }

  addOrigin(origin: Origin): number {
    if (this.#origins.length >= fixedBounds.originsMax) return fixedBounds.originsMax;
    return this.#origins.push(origin) - 1;
  }

  originAt(index: number): Origin | undefined {
    return this.#origins[index];
  }
}

/** Keeps a value under a name, unless one is kept there: what is forgotten no longer vouches for anything. */
export function keep<Value>(kept: RecentValues<Value>, name: string, value: Value): void {
  if (kept.get(name) === undefined) kept.set(name, value);
}
