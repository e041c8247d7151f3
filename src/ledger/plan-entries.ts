import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { SealedValues } from "./sealed-values.ts";
import type { EntryPlace } from "./entry-place.ts";

/** Entries of a plan stand under its own id, as those of a call under the call's. */
type PlanPlace = EntryPlace & { readonly callId: string; readonly sessionId: string };

/** Somebody proposed a plan; the values hold goal and steps. */
export function planProposed(facts: {
  readonly place: PlanPlace;
  readonly by: string;
  readonly user: string;
  readonly digest: string;
  readonly stepsCount: number;
  readonly expiresAtMs: number;
  readonly values: SealedValues;
}): EntryDraft {
  const { by, digest, expiresAtMs, place, stepsCount, user, values } = facts;
  const { algorithm, commitments, keyId } = values;
  const body = { by, digest, expiresAtMs, stepsCount, user, values: { algorithm, commitments, keyId } };
  return { ...entry("plan-proposed", place, body), callId: place.callId, sealed: values.sealed };
}

/** A person answered for a plan. `expiresAtMs`: until when it holds. */
export function planDecided(facts: {
  readonly place: PlanPlace;
  readonly approve: boolean;
  readonly by: string;
  readonly credentialId: string;
  readonly digest: string;
  readonly expiresAtMs: number;
  readonly reason?: string | undefined;
  readonly state: string;
}): EntryDraft {
  const { approve, by, credentialId, digest, expiresAtMs, place, reason, state } = facts;
  return { ...entry("plan-decided", place, { approve, by, credentialId, digest, expiresAtMs, reason, state }), callId: place.callId };
}

/** Somebody took a plan back. */
export function planRevoked(facts: {
  readonly place: PlanPlace;
  readonly by: string;
  readonly credentialId: string;
  readonly reason?: string | undefined;
}): EntryDraft {
  const { by, credentialId, place, reason } = facts;
  return { ...entry("plan-revoked", place, { by, credentialId, reason }), callId: place.callId };
}
