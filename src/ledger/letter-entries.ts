import type { EntryDraft } from "../store/store.ts";
import { callEntry, valuesBody, type EntryPlace } from "./entries.ts";
import type { SealedValues } from "./vault.ts";

/** `callId` is the letter's own id where it is not of a call. */
type LetterPlace = EntryPlace & { readonly callId: string };

/** A person had a dead letter tried again. What came of it are entries of its own, under `retriedAs` where that is another call. */
export function letterRetried(facts: {
  readonly place: LetterPlace;
  readonly by: string;
  readonly retriedAs?: string | undefined;
}): EntryDraft {
  const { by, place, retriedAs } = facts;
  return callEntry("dead-letter-retried", place, { by, retriedAs }, undefined);
}

/** A person put a dead letter away whose outcome was known already; the values hold what they noted. */
export function letterClosed(facts: {
  readonly place: LetterPlace;
  readonly by: string;
  readonly kind: string;
  readonly values: SealedValues;
}): EntryDraft {
  const { by, kind, place, values } = facts;
  return callEntry("dead-letter-closed", place, { by, kind, values: valuesBody(values) }, values);
}
