import type { EntryDraft } from "../store/store.ts";
import { entry, type EntryPlace } from "./entries.ts";

/** A conversation was opened: for whom, through which credential, and whether that is believed about the user's words. */
export function sessionOpened(facts: {
  readonly place: EntryPlace & { readonly sessionId: string };
  readonly user: string;
  readonly roles: readonly string[];
  readonly credentialId: string;
  readonly conversationId?: string | undefined;
  readonly wordsAttested: boolean;
}): EntryDraft {
  const { conversationId, credentialId, roles, user, wordsAttested } = facts;
  return entry("session-opened", facts.place, { conversationId, credentialId, roles, user, wordsAttested });
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
