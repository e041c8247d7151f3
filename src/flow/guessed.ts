/**
 * Personal and secret values of results that nobody labelled: recognised by `redaction/find-personal.ts`, remembered as keyed hashes, found again in what
 * leaves. They are a guess, so they lead to a question and never to a refusal, and the owner's labels take their place.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { personalKinds, namesKind, plainLetters, type PersonalKind } from "../redaction/personal-names.ts";
import { kindOfValue, type PersonalValue } from "../redaction/find-personal.ts";
import { fold } from "./fold.ts";
import { forgottenOrigin, ShingleIndex } from "./shingles.ts";
import { amountOf, dayOf, daysIn, type Day } from "./spellings.ts";

/** A value that content carries. */
export interface Carried {
  /** Undefined where so much was read that only the value itself is remembered. */
  readonly kind: PersonalKind | undefined;
  /** Letters and digits of the value, or its normal form. */
  readonly form: string;
}

/** The values that were read. Bounded like everything that restricts: what is forgotten stays known without its kind. */
export class GuessedValues {
  readonly #table: ShingleIndex;
  #charsMax = 0;

  constructor(parts: { readonly seed: number; readonly slotsMax: number }) {
    this.#table = new ShingleIndex(parts);
  }

  /** Bytes of the table. */
  get bytes(): number {
    return this.#table.bytes;
  }

  add(value: PersonalValue): void {
    for (const form of formsOf(value)) {
      this.#table.addWord(form, personalKinds.indexOf(value.kind));
      this.#charsMax = Math.max(this.#charsMax, form.length);
    }
  }

  /** The remembered values that a text carries, however their groups are written. `called`: the name of the argument that it stands in. */
  carriedBy(text: string, called: string): readonly Carried[] {
    const plain = plainLetters(fold(text));
    const found = new Map<string, Carried>();
    const look = (form: string): void => {
      const kind = this.#kindOf(form);
      if (kind === "none" || found.has(form)) return;
      // Where its kind is forgotten there is no name to look for.
      if (kind === undefined || isTelling(form, kind) || namesKind(`${called} ${plain}`, kind)) found.set(form, { kind, form });
    };
    for (const day of daysIn(fold(text))) look(dayForm(day));
    for (const [number] of plain.matchAll(numbers)) {
      const amount = amountOf(number);
      if (amount !== undefined) look(amountForm(amount));
    }
    const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
    for (let start = 0; start < words.length; start += 1) {
      let form = "";
      for (let end = start; end < words.length; end += 1) {
        form += words[end] as string;
        if (form.length > this.#charsMax) break;
        if (form.length >= fixedBounds.personalFormCharsMin) look(form);
      }
    }
    return [...found.values()];
  }

  #kindOf(form: string): PersonalKind | undefined | "none" {
    const found = this.#table.find(form);
    return found === undefined ? "none" : found.origin === forgottenOrigin ? undefined : personalKinds[found.origin];
  }
}

const numbers = /\d[\d.,']*\d/g;

/** Whether a value says enough without its name: short ones stand in many texts by chance. */
function isTelling(form: string, kind: PersonalKind): boolean {
  return kind !== "pay" && form.length >= fixedBounds.personalTellingCharsMin;
}

/** The forms under which a value is found again. */
function formsOf({ kind, text }: PersonalValue): readonly string[] {
  if (kind === "birth-date") {
    const day = dayOf(text) ?? daysIn(fold(text))[0];
    return day === undefined ? [] : [dayForm(day)];
  }
  if (kind === "pay") {
    const amounts = [...text.matchAll(numbers)].flatMap(([number]) => amountOf(number) ?? []);
    return amounts.map(amountForm);
  }
  if (kind === "health") return text.split(/[,;.\n]/).flatMap((part) => whole(compact(part)));
  if (kind === "credential") return credentialForms(text);
  return numberForms(kind, text);
}

/** What stands behind a number may look like more of it, so it is known up to each of its groups that still is one. */
function numberForms(kind: PersonalKind, text: string): readonly string[] {
  const forms = new Set(whole(compact(text)));
  for (const separator of text.matchAll(/[ ./-]+/g)) {
    const part = text.slice(0, separator.index);
    if (kindOfValue(part, { kind }, "text") === kind) for (const form of whole(compact(part))) forms.add(form);
  }
  return [...forms];
}

/** A long secret, such as a key of many lines, is known by its longer runs. */
function credentialForms(text: string): readonly string[] {
  const all = compact(text);
  if (all.length <= fixedBounds.personalFormCharsMax) return whole(all);
  return (plainLetters(fold(text)).match(/[\p{L}\p{N}]{12,128}/gu) ?? []).slice(0, 200);
}

function whole(form: string): readonly string[] {
  return form.length >= fixedBounds.personalFormCharsMin && form.length <= fixedBounds.personalFormCharsMax ? [form] : [];
}

/** Letters and digits as they are compared. */
export function compact(text: string): string {
  return plainLetters(fold(text)).replace(/[^\p{L}\p{N}]/gu, "");
}

function dayForm({ year, month, day }: Day): string {
  return `born${year}x${month}x${day}`;
}

function amountForm(amount: number): string {
  return `pays${String(Math.abs(amount)).replace(/[^\da-z]/g, "x")}`;
}
