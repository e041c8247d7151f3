import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { SealedValues } from "./sealed-values.ts";
import type { EntryPlace } from "./entry-place.ts";

/** `callId` is the letter's own id where it is not of a call. */
type LetterPlace = EntryPlace & { readonly callId: string };

/** A person had a dead letter tried again. What came of it are entries of its own, under `retriedAs` where that is another call. */
export function letterRetried(facts: {
  readonly place: LetterPlace;
  readonly by: string;
  readonly retriedAs?: string | undefined;
}): EntryDraft {
  const { by, place, retriedAs } = facts;
  return { ...entry("dead-letter-retried", place, { by, retriedAs }), callId: place.callId };
}

/** A person put a dead letter away whose outcome was known already; the values hold what they noted. */
export function letterClosed(facts: {
  readonly place: LetterPlace;
  readonly by: string;
  readonly kind: string;
  readonly values: SealedValues;
}): EntryDraft {
  const { by, kind, place, values } = facts;
  const { algorithm, commitments, keyId } = values;
  const body = { by, kind, values: { algorithm, commitments, keyId } };
  return { ...entry("dead-letter-closed", place, body), callId: place.callId, sealed: values.sealed };
}
