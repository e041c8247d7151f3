import type { Json } from "../domain/json.ts";
import type { EntryDraft } from "../store/store.ts";
import type { SealedValues } from "./sealed-values.ts";
import type { CallPlace } from "./entry-place.ts";

/** What every entry of a call is made of, whatever else it says. */
export interface DraftFacts {
  readonly place: CallPlace;
  readonly values?: SealedValues | undefined;
}

/**
 * An entry of a call whose body is put together when the store reads it: at once where it is written to a disk, and where nothing lies at rest only
 * if somebody looks. The facts it is made of are values that nobody changes afterwards; it holds on to them as they are, since millions may be kept.
 */
export class CallDraft<Facts extends DraftFacts> implements EntryDraft {
  readonly kind: string;
  readonly #facts: Facts;
  readonly #bodyOf: (facts: Facts) => object;

  constructor(kind: string, facts: Facts, bodyOf: (facts: Facts) => object) {
    this.kind = kind;
    this.#facts = facts;
    this.#bodyOf = bodyOf;
  }

  get isLasting(): true {
    return true;
  }

  get tenant(): string {
    return this.#facts.place.tenant;
  }

  get atMs(): number {
    return this.#facts.place.atMs;
  }

  get callId(): string {
    return this.#facts.place.callId;
  }

  get sessionId(): string {
    return this.#facts.place.sessionId;
  }

  get runId(): string | undefined {
    return this.#facts.place.runId;
  }

  /** The types of facts hold only JSON; members that are `undefined` are left out by the canonical form. */
  get body(): Json {
    return this.#bodyOf(this.#facts) as Json;
  }

  get sealed(): Uint8Array | undefined {
    return this.#facts.values?.sealed;
  }
}
