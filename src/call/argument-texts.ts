import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import { parseOwnJson } from "../base/own-json.ts";
import type { JsonObject } from "../domain/json.ts";

/**
 * Canonical text and digests of one call's arguments, made when they are first asked for: everything that claims, binds or is written to a disk asks
 * before the call is executed; for a plain read on a store that keeps nothing, mostly nobody ever does.
 */
export class ArgumentTexts {
  /** JSON text that the arguments were read from, where it says everything. */
  readonly #sentText: string | undefined;
  #value: JsonObject | undefined;
  #text: string | undefined;
  #requestDigest: string | undefined;
  #effectiveDigest: string | undefined;

  constructor(value: JsonObject, known: KnownTexts = {}) {
    this.#value = value;
    this.#sentText = known.sentText;
    this.#text = known.text;
    this.#requestDigest = known.requestDigest;
    this.#effectiveDigest = known.effectiveDigest;
  }

  /** Canonical text of the arguments as they run. */
  get text(): string {
    this.#text ??= canonicalJson(this.#value ?? parseOwnJson(this.#sentText as string));
    return this.#text;
  }

  /** SHA-256 of the canonical arguments as sent: those that run, unless they were repaired. */
  get requestDigest(): string {
    return this.#requestDigest ?? this.effectiveDigest;
  }

  /** SHA-256 of the canonical arguments as they run. */
  get effectiveDigest(): string {
    this.#effectiveDigest ??= sha256Hex(this.text);
    return this.#effectiveDigest;
  }

  /** From here on others hold the value and may change it: what is asked later comes from the text that was sent. */
  detach(): void {
    if (this.#value === undefined) return;
    if (this.#sentText === undefined) void this.text;
    this.#value = undefined;
  }
}

/** What is known of a call's arguments without working it out. */
export interface KnownTexts {
  /** JSON text that gives exactly these arguments when it is parsed. */
  readonly sentText?: string | undefined;
  readonly text?: string;
  readonly requestDigest?: string | undefined;
  readonly effectiveDigest?: string;
}
