import type { EntryDraft } from "../store/store.ts";
import { entry } from "./entries.ts";
import type { EntryPlace } from "./entry-place.ts";

/** What is said of a definition from a source. */
export interface PinFacts {
  readonly place: EntryPlace;
  readonly tool: string;
  readonly source: string;
  /** SHA-256 of the whole definition as it came. */
  readonly digest: string;
}

/** A definition may be used from now on. `by`: the person, or `policy:all` and the like. */
export function toolAdmitted(facts: PinFacts & { readonly previous?: string | undefined; readonly by: string }): EntryDraft {
  const { by, digest, previous, source, tool } = facts;
  return entry("tool-admitted", facts.place, { by, digest, previous, source, tool });
}

/** A definition waits for review; calls of the tool are refused meanwhile. `previous` is the digest that was admitted. */
export function toolQuarantined(facts: PinFacts & { readonly previous?: string | undefined }): EntryDraft {
  const { digest, previous, source, tool } = facts;
  return entry("tool-quarantined", facts.place, { digest, previous, source, tool });
}

/** A tool is no longer offered by its source. */
export function toolWithdrawn(facts: PinFacts): EntryDraft {
  const { digest, source, tool } = facts;
  return entry("tool-withdrawn", facts.place, { digest, source, tool });
}
