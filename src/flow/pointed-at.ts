/**
 * What the user pointed at without spelling it out: the record that has the name they gave, and the one address that stands at the place they named. Both
 * count only as long as they are the only ones: whoever can write there as well makes them ambiguous, and an ambiguous value vouches for nothing.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json } from "../domain/json.ts";
import { RecentValues } from "../base/recent-values.ts";
import { foldValue } from "./fold.ts";
import { keep, type Origin } from "./restrictions.ts";
import { splitName } from "./roles.ts";
import { actionablesIn, type Actionable } from "./tokens.ts";
import type { UserWords } from "./user-words.ts";

const idName = /^(?:id|uuid|guid)$/;
const idOfName = /(?:^| )(?:id|uuid|guid)$/;

/** What one session knows of it. */
export class PointedAt {
  /** Ids by the name that the user gave; undefined once there was a second one. */
  readonly #idsByName = new Map<string, { readonly id: string; readonly origin: Origin } | undefined>();
  /** Addresses that stand alone of their kind at a place that the user named. */
  readonly #alone = new RecentValues<Origin>(fixedBounds.recordPlacesMax);

  /** The record that was read under a name that the user gave, where this is its id. */
  recordOf(id: string): Origin | undefined {
    for (const named of this.#idsByName.values()) if (named?.id === id) return named.origin;
    return undefined;
  }

  /** The place that the user named at which this address stood, and no other of its kind. */
  placeOf(kind: Actionable["kind"], value: string): Origin | undefined {
    return this.#alone.get(`${kind} ${value}`);
  }

  /** Looks at one result while it is indexed. */
  reader(words: UserWords, origin: Origin): ResultReader {
    return new ResultReader(words, {
      name: (name, id) => this.#name(name, id, origin),
      alone: (kind, value) => {
        if (origin.isNamed) keep(this.#alone, `${kind} ${value}`, origin);
      },
      isPlace: origin.isNamed,
    });
  }

  #name(name: string, id: string, origin: Origin): void {
    const before = this.#idsByName.get(name);
    // Names are not forgotten for new ones: that a name had two records must stay known.
    if (!this.#idsByName.has(name)) {
      if (this.#idsByName.size < fixedBounds.recordNamesMax) this.#idsByName.set(name, { id, origin });
    } else if (before?.id !== id) this.#idsByName.set(name, undefined);
  }
}

interface Told {
  readonly name: (name: string, id: string) => void;
  readonly alone: (kind: Actionable["kind"], value: string) => void;
  readonly isPlace: boolean;
}

/** Looks at the objects and texts of one result, at most so many. */
class ResultReader {
  readonly #words: UserWords;
  readonly #told: Told;
  readonly #found = new Map<Actionable["kind"], string | undefined>();
  #objectsLeft = fixedBounds.recordObjectsMax;
  #charsLeft = fixedBounds.recordCharsMax;

  constructor(words: UserWords, told: Told) {
    this.#words = words;
    this.#told = told;
  }

  /** An object of the result, of which the user may have named a member. */
  object(members: { readonly [name: string]: Json }): void {
    if (this.#words.isEmpty || this.#objectsLeft <= 0) return;
    const id = ownId(members);
    if (id === undefined) return;
    this.#objectsLeft -= 1;
    for (const [key, value] of Object.entries(members)) {
      if (typeof value !== "string" || value.length < fixedBounds.recordNameCharsMin || value.length > fixedBounds.knownValueCharsMax)
        continue;
      if (idKind(key) === "none" && this.#words.says(value)) this.#told.name(foldValue(value), id);
    }
  }

  /** A text of the result. */
  text(text: string): void {
    if (!this.#told.isPlace || this.#charsLeft < 0) return;
    this.#charsLeft -= text.length;
    for (const { kind, value } of actionablesIn(text)) {
      if (this.#words.says(value)) continue;
      this.#found.set(kind, this.#found.has(kind) && this.#found.get(kind) !== value ? undefined : value);
    }
  }

  /** The result is over. What was too long to be looked at whole has nothing alone in it. */
  end(): void {
    if (this.#charsLeft < 0) return;
    for (const [kind, value] of this.#found) if (value !== undefined) this.#told.alone(kind, value);
  }
}

/** The id of an object itself: its `id`, or the only member whose name ends so. */
function ownId(members: { readonly [name: string]: Json }): string | undefined {
  let key: string | undefined;
  let count = 0;
  for (const name in members) {
    const kind = idKind(name);
    if (kind === "none") continue;
    count += 1;
    key = name;
    if (kind === "own") break;
  }
  if (count > 1 && idKind(key as string) !== "own") return undefined;
  const value = key === undefined ? undefined : members[key];
  return typeof value === "string" || typeof value === "number" ? foldValue(String(value)) : undefined;
}

type IdKind = "own" | "of" | "none";

const kinds = new Map<string, IdKind>();

/** Whether a name is that of an id: of the object itself, or of something. The same names come again and again. */
function idKind(key: string): IdKind {
  let kind = kinds.get(key);
  if (kind === undefined) {
    const name = splitName(key.slice(0, fixedBounds.memberNameCharsMax));
    kind = idName.test(name) ? "own" : idOfName.test(name) ? "of" : "none";
    if (kinds.size < fixedBounds.rememberedMax) kinds.set(key, kind);
  }
  return kind;
}
