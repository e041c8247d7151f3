import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { EntryPlace } from "./entry-place.ts";

/**
 * Calls of a user would have asked people more often than they may: `pending`, since too many wait; `rate`, since too many asked within a minute. Written once an
 * hour and user, since a flood must not fill the ledger as well.
 */
export function asksRefused(facts: {
  readonly place: EntryPlace & { readonly sessionId: string };
  readonly cap: "pending" | "rate";
  readonly credentialId: string;
  readonly tool: string | undefined;
  readonly user: string;
}): EntryDraft {
  const { cap, credentialId, place, tool, user } = facts;
  return entry("asks-refused", place, { cap, credentialId, tool, user });
}
