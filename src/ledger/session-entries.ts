import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { EntryPlace } from "./entry-place.ts";

/** A conversation was opened: for whom, through which credential, and whether that is believed about the user's words. */
export function sessionOpened(facts: {
  readonly place: EntryPlace & { readonly sessionId: string };
  readonly user: string;
  readonly roles: readonly string[];
  readonly credentialId: string;
  readonly conversationId?: string | undefined;
  readonly wordsAttested: boolean;
  /** What it was delegated from, and how much of it; absent for a session that a user opened. */
  readonly delegated?:
    | {
        readonly parentSessionId: string;
        readonly parentCallId?: string | undefined;
        readonly tools: readonly string[];
        readonly calls?: number | undefined;
        readonly costMicrosUsd?: number | undefined;
        readonly expiresAtMs: number;
      }
    | undefined;
}): EntryDraft {
  const { conversationId, credentialId, delegated, roles, user, wordsAttested } = facts;
  return entry("session-opened", facts.place, { conversationId, credentialId, delegated, roles, user, wordsAttested });
}

/** A session was stopped; every later call of it is refused. */
export function sessionStopped(facts: {
  readonly place: EntryPlace & { readonly sessionId: string };
  readonly reason: string;
  readonly by: string;
}): EntryDraft {
  return entry("session-stopped", facts.place, { by: facts.by, reason: facts.reason });
}

/** Roles were taken from a user. */
export function rolesRevoked(facts: {
  readonly place: EntryPlace;
  readonly user: string;
  readonly roles: readonly string[];
  readonly by: string;
}): EntryDraft {
  return entry("roles-revoked", facts.place, { by: facts.by, roles: facts.roles, user: facts.user });
}
