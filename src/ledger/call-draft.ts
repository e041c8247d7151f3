import type { Json } from "../domain/json.ts";
import type { EntryDraft } from "../store/store.ts";
import type { CallPlace } from "./entries.ts";
import type { SealedValues } from "./vault.ts";

/**
 * An entry of a call whose body is put together when the store reads it: at once where it is written to a disk, and where nothing lies at rest only
 * if somebody looks. The facts it is made of are values that nobody changes afterwards.
 */
export class CallDraft implements EntryDraft {
  readonly isLasting = true;
  readonly tenant: string;
  readonly kind: string;
  readonly atMs: number;
  readonly callId: string;
  readonly sessionId: string;
  readonly runId: string | undefined;
  readonly #values: SealedValues | undefined;
  readonly #body: () => Json;

  constructor(kind: string, place: CallPlace, values: SealedValues | undefined, body: () => Json) {
    this.tenant = place.tenant;
    this.kind = kind;
    this.atMs = place.atMs;
    this.callId = place.callId;
    this.sessionId = place.sessionId;
    this.runId = place.runId;
    this.#values = values;
    this.#body = body;
  }

  get body(): Json {
    return this.#body();
  }

  get sealed(): Uint8Array | undefined {
    return this.#values?.sealed;
  }
}
