/**
 * Takes secrets out of what leaves. Three ways, the surest first: values that Signalbox itself injected are found exactly, in every usual encoding;
 * well-known secrets are found by their shape; members and parameters that are named as secrets lose values that look random. Most texts hold none
 * of these, so one scan for exact values and one for the beginnings of shapes decide first. What it cannot find: a secret that it was never told
 * and that looks like nothing, or one that an attacker encodes in a way of their own.
 */
import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { NeedleSet } from "./needle-set.ts";
import { personalIn, personalInText, type LeafPlace } from "./find-personal.ts";
import { personalShapes } from "./personal.ts";
import type { RedactedText, RedactionCounts, RedactionOptions, Redactor } from "./redactor.ts";
import { secretForms } from "./secret-forms.ts";
import { isSecretName, looksRandom, mayHoldShape, secretShapes, type Shape } from "./shapes.ts";

/** A redactor that knows the given values; `addSecret` teaches it more, at most `secretsMax` of them, the oldest is forgotten first. */
export function createRedactor(parts: { readonly limits: Limits; readonly secrets?: Iterable<string> }): Redactor {
  const redactor = new ValueRedactor(parts.limits);
  for (const secret of parts.secrets ?? []) redactor.addSecret(secret);
  return redactor;
}

type Counts = Record<string, number>;

const nowhere: LeafPlace = { field: "", above: "" };
const nothing: RedactionCounts = Object.freeze({});

class ValueRedactor implements Redactor {
  readonly #limits: Limits;
  readonly #secrets = new Set<string>();
  /** Built anew on first use after a change. */
  #needles: NeedleSet | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  addSecret(value: string): void {
    if (value.length < 6) return;
    if (this.#secrets.delete(value)) {
      // In use again, so it is among the last to be forgotten.
      this.#secrets.add(value);
      return;
    }
    if (this.#secrets.size >= this.#limits.secretsMax) this.#secrets.delete(this.#secrets.values().next().value as string);
    this.#secrets.add(value);
    this.#needles = undefined;
  }

  redactText(text: string, options?: RedactionOptions): RedactedText {
    if (!this.#mayHold(text, options)) return { text, counts: nothing };
    const counts: Counts = {};
    return { text: this.#clean(text, options, counts), counts };
  }

  redactJson(value: Json, options?: RedactionOptions): { readonly value: Json; readonly counts: RedactionCounts } {
    const counts: Counts = {};
    return { value: this.#cleanJson(value, options, counts), counts };
  }

  redactJsonText(value: Json, text: string, options?: RedactionOptions): { readonly value: Json; readonly counts: RedactionCounts } {
    if (!this.#mayHold(text, options)) return { value, counts: nothing };
    return this.redactJson(value, options);
  }

  inspect(value: Json, options?: RedactionOptions): RedactionCounts {
    return this.redactJson(value, options).counts;
  }

  #mayHold(text: string, options: RedactionOptions | undefined): boolean {
    return options?.personalData === true || text.length > this.#limits.redactCharsMax || mayHoldShape(text) || this.#exact().isIn(text);
  }

  #exact(): NeedleSet {
    this.#needles ??= new NeedleSet([...new Set([...this.#secrets].flatMap(secretForms))]);
    return this.#needles;
  }

  #clean(text: string, options: RedactionOptions | undefined, counts: Counts): string {
    if (text.length > this.#limits.redactCharsMax) {
      count(counts, "too-long", 1);
      return marker("too-long");
    }
    const exact = this.#exact().replace(text, marker("secret"));
    count(counts, "secret", exact.count);
    let cleaned = exact.text;
    if (mayHoldShape(cleaned)) cleaned = cleanShapes(cleaned, secretShapes, counts);
    return options?.personalData === true ? cleanPersonal(cleaned, counts) : cleaned;
  }

  #cleanJson(value: Json, options: RedactionOptions | undefined, counts: Counts, place: LeafPlace = nowhere): Json {
    const personal = options?.personalData === true ? personalMember(value, place, counts) : undefined;
    if (personal !== undefined) return personal;
    if (typeof value === "string") return this.#clean(value, options, counts);
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) {
      const items = value as readonly Json[];
      const cleaned = items.map((item) => this.#cleanJson(item, options, counts, place));
      return cleaned.every((item, index) => item === items[index]) ? items : cleaned;
    }
    return this.#cleanObject(value as JsonObject, { options, counts, above: place.field });
  }

  #cleanObject(
    value: JsonObject,
    { options, counts, above }: { readonly options: RedactionOptions | undefined; readonly counts: Counts; readonly above: string },
  ): JsonObject {
    let isChanged = false;
    const members = new Map<string, Json>();
    for (const key of Object.keys(value)) {
      const member = value[key] as Json;
      const name = unusedName(this.#clean(key, options, counts), members);
      const isSecret = typeof member === "string" && isSecretName(key) && looksRandom(member) && !member.startsWith("secret://");
      const cleaned = isSecret ? marker("secret") : this.#cleanJson(member, options, counts, { field: key, above });
      if (isSecret) count(counts, "secret", 1);
      isChanged ||= name !== key || cleaned !== member;
      members.set(name, cleaned);
    }
    // `fromEntries` defines its members, so that `__proto__` stays a member like any other.
    return isChanged ? Object.fromEntries(members) : value;
  }
}

function cleanShapes(text: string, shapes: readonly Shape[], counts: Counts): string {
  let cleaned = text;
  for (const { kind, pattern, replace } of shapes) {
    cleaned = cleaned.replace(pattern, (...match: (string | undefined)[]) => {
      const replaced = replace === undefined ? marker(kind) : replace(match, marker(kind));
      if (replaced !== undefined) count(counts, kind, 1);
      return replaced ?? (match[0] as string);
    });
  }
  return cleaned;
}

/** Values beside a name first: a shape may see only a part of them. */
function cleanPersonal(text: string, counts: Counts): string {
  let cleaned = "";
  let from = 0;
  for (const { kind, text: value, at } of personalInText(text).toSorted((left, right) => left.at - right.at)) {
    if (at < from) continue;
    cleaned += text.slice(from, at) + marker(kind);
    count(counts, kind, 1);
    from = at + value.length;
  }
  return cleanShapes(cleaned + text.slice(from), personalShapes, counts);
}

/** The mark that stands for a value whose field says that it is personal; undefined where it says nothing of the sort. */
function personalMember(value: Json, place: LeafPlace, counts: Counts): string | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const [found] = personalIn(String(value), place);
  if (found === undefined || found.text !== String(value)) return undefined;
  count(counts, found.kind, 1);
  return marker(found.kind);
}

function marker(kind: string): string {
  return `[redacted:${kind}]`;
}

function count(counts: Counts, kind: string, more: number): void {
  if (more > 0) counts[kind] = (counts[kind] ?? 0) + more;
}

/** Two keys may become the same; the structure keeps both. */
function unusedName(name: string, members: ReadonlyMap<string, Json>): string {
  let unused = name;
  for (let number = 2; members.has(unused); number += 1) unused = `${name} ${number}`;
  return unused;
}
