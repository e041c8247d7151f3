import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { EntryPlace } from "./entry-place.ts";

/** The read-only switch was turned for everything (tenant `""`), a tenant or a session. */
export function readOnlyTurned(facts: {
  readonly place: EntryPlace;
  readonly scope: "all" | "tenant" | "session";
  readonly isOn: boolean;
  readonly reason: string;
  readonly by: string;
}): EntryDraft {
  const { place, by, isOn, reason, scope } = facts;
  return entry("read-only-turned", place, { by, isOn, reason, scope });
}
