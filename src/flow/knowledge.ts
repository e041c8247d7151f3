/**
 * What a session knows of values: who vouches for them, and where they were read. What restricts (untrusted text that was read) is shared by all
 * sessions of one principal and credential, so that a new conversation sheds nothing; what grants (the user's words, trusted and directory values)
 * belongs to one session and dies with it. Everything here is bounded, and whatever is forgotten can only restrict more.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { RecentValues } from "../base/recent-values.ts";
import type { Json } from "../domain/json.ts";
import { tenantReader, type Label } from "../domain/label.ts";
import { personalIn } from "../redaction/find-personal.ts";
import { decodedOnce, embeddedJson, mayHoldCode } from "./decode-once.ts";
import { fold, foldValue } from "./fold.ts";
import type { LabelReader } from "./labels.ts";
import { PointedAt } from "./pointed-at.ts";
import { keep, type KnowledgeBounds, type Origin, type Restrictions } from "./restrictions.ts";
import type { ShingleIndex } from "./shingles.ts";
import { amountOf, dayOf } from "./spellings.ts";
import { actionablesIn, normalUrl } from "./tokens.ts";
import { UserWords } from "./user-words.ts";

/** A result that is to be known. */
export interface ReadResult {
  readonly origin: Origin;
  readonly value: Json;
  /** Values of the call's own arguments. */
  readonly given: readonly string[];
  readonly labels: LabelReader;
  /** About how many characters the value has. */
  readonly chars: number;
  /** The value as text, where there is one: what was read once is not indexed again. */
  readonly text: string | undefined;
}

/** Who vouches for a value. */
export interface Vouched {
  readonly integrity: "trusted" | "directory";
  readonly origin: Origin;
}

/** A result that was read, to be known when it is read again. */
interface Repeated {
  readonly text: string;
  readonly labels: LabelReader;
  readonly table: ShingleIndex;
  readonly isNamed: boolean;
  readonly isOutside: boolean;
}

// What every such account has in it, and few other texts: found in a third of the time.
const ibanLike = /\d\d [a-z0-9]{4} [a-z0-9]{4}/;
const ibanGroups = /\b[a-z]{2}\d{2}(?: [a-z0-9]{4}){2,7}(?: [a-z0-9]{1,4})?\b/g;

/** Everything known in one session. */
export class SessionKnowledge {
  readonly words = new UserWords();
  readonly restrictions: Restrictions;
  readonly #vouched: RecentValues<Vouched>;
  readonly #fields: RecentValues<Origin>;
  readonly #links: RecentValues<Origin>;
  /** What the user pointed at without spelling it out. */
  readonly pointedAt: PointedAt;
  readonly #repeated: Repeated[] = [];

  constructor(restrictions: Restrictions, bounds: KnowledgeBounds) {
    this.restrictions = restrictions;
    this.#vouched = new RecentValues(bounds.valuesMax);
    this.#fields = new RecentValues(bounds.valuesMax);
    this.#links = new RecentValues(bounds.valuesMax);
    this.pointedAt = new PointedAt();
  }

  /** Takes note of a result. It is indexed when a call is traced, so that sessions which only read pay almost nothing. */
  note(result: ReadResult): void {
    if (this.#isKnown(result)) {
      this.restrictions.queueGiven(result.given);
      return;
    }
    this.restrictions.queue(result.chars, () => this.#index(result));
  }

  /**
   * Takes note of what a call has carried into a tool that changes something. A value that only untrusted text knows is not made trusted by being stored
   * and read back.
   */
  noteCarried(text: string): void {
    const { restrictions } = this;
    if (restrictions.isEmpty) return;
    const note = (form: string): void => {
      if (restrictions.find(form) !== undefined && this.vouchedFor(form) === undefined && !this.words.says(form))
        restrictions.carried(form);
    };
    if (text.length <= fixedBounds.knownValueCharsMax) for (const form of vouchedForms(text)) note(form);
    for (const { value } of actionablesIn(text)) note(value);
  }

  /** The same for a call of the past, once what was read before it is indexed. */
  queueCarried(texts: readonly string[]): void {
    if (texts.length > 0) this.restrictions.queue(0, () => this.#indexCarried(texts));
  }

  *#indexCarried(texts: readonly string[]): Generator<void> {
    for (const text of texts) this.noteCarried(text);
    yield;
  }

  /**
   * Whether the very same text was read a moment ago, in the same way: agents look at a record again and again. Only as long as the table that it was
   * indexed in is the present one.
   */
  #isKnown({ text, labels, origin }: ReadResult): boolean {
    if (text === undefined || text.length > fixedBounds.repeatedResultCharsMax) return false;
    const table = this.restrictions.untrustedTable;
    const { isNamed, isOutside } = origin;
    const known = this.#repeated.find((each) => each.text === text);
    if (known?.table === table && known.labels === labels && known.isNamed === isNamed && known.isOutside === isOutside) return true;
    if (known !== undefined) this.#repeated.splice(this.#repeated.indexOf(known), 1);
    else if (this.#repeated.length >= fixedBounds.repeatedResultsMax) this.#repeated.shift();
    this.#repeated.push({ text, labels, table, isNamed, isOutside });
    return false;
  }

  /** Who vouches for a value by exact equality of a whole leaf, or of an address inside trusted text. */
  vouchedFor(value: string): Vouched | undefined {
    const known = this.#vouched.get(value);
    return known === undefined || this.restrictions.wasCarried(value) ? undefined : known;
  }

  /** The record named by the user in whose field of the same name this value stood. */
  fieldOf(field: string, value: string): Origin | undefined {
    return this.#fields.get(`${field}\u0000${value}`);
  }

  /** The place named by the user, inside the tenant's own systems, at which this address stood. */
  linkedFrom(url: string): Origin | undefined {
    return this.#links.get(url);
  }

  *#index(result: ReadResult): Generator<void> {
    const { restrictions } = this;
    restrictions.given(result.given);
    const origin = restrictions.addOrigin(result.origin);
    const reader = this.pointedAt.reader(this.words, result.origin);
    const keys = new Set<string>();
    let chars = 0;
    const stack: {
      readonly value: Json;
      readonly pointer: string;
      readonly field: string;
      readonly above: string;
      readonly depth: number;
    }[] = [{ value: result.value, pointer: "", field: "", above: "", depth: 0 }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { value, pointer, field, above, depth } = top;
      if (value === null || typeof value === "boolean") continue;
      if (typeof value === "object") {
        // A result is no deeper than `resultDepthMax`; what it holds as text is bounded here, and stays known as text beyond.
        if (depth >= fixedBounds.embeddedDepthMax) continue;
        if (!Array.isArray(value)) reader.object(value as { readonly [key: string]: Json });
        for (const [key, member] of Object.entries(value as { readonly [key: string]: Json })) {
          const isList = Array.isArray(value);
          if (!isList && !keys.has(key)) {
            keys.add(key);
            restrictions.untrustedTable.add(fold(key), origin);
          }
          stack.push({
            value: member,
            pointer: result.labels.whole === undefined ? `${pointer}/${key}` : "",
            field: isList ? field : key,
            above: isList ? above : field,
            depth: depth === 0 ? 0 : depth + 1,
          });
        }
        continue;
      }
      const label = result.labels.whole ?? result.labels.at(pointer);
      const text = String(value);
      const inner = typeof value === "string" ? embeddedJson(value) : undefined;
      // Leaves of JSON inside a string have the label of the string.
      if (inner !== undefined && depth < fixedBounds.embeddedDepthMax)
        stack.push({ value: inner, pointer, field, above, depth: depth + 1 });
      for (let start = 0; start < text.length; start += fixedBounds.indexSliceChars) {
        chars += Math.min(fixedBounds.indexSliceChars, text.length - start);
        const mayName = this.#addText(text, { start, label, origin, from: result.origin });
        if (restrictions.isGuessing && !label.saysWho) this.#guess(text, { start, field, above, mayName });
        if (chars >= fixedBounds.indexSliceChars) {
          chars = 0;
          yield;
        }
      }
      this.#addLeaf(text, { label, field, from: result.origin });
      reader.text(text);
    }
    reader.end();
    yield;
  }

  /**
   * Words of a slice; a slice begins a little early, so that no pair of words falls between two. Returns whether a word stood there that names of personal
   * data have in them; undefined where nobody looked.
   */
  #addText(
    text: string,
    part: { readonly start: number; readonly label: Label; readonly origin: number; readonly from: Origin },
  ): boolean | undefined {
    const { label, origin } = part;
    const isSensitive = isGuarded(label);
    if (label.integrity === "trusted" && !isSensitive) return undefined;
    const slice = sliceOf(text, part.start);
    const folded = fold(slice);
    const tables = [
      ...(label.integrity === "trusted" ? [] : [this.restrictions.untrustedTable]),
      ...(isSensitive ? [this.restrictions.sensitiveTable(label.readers)] : []),
    ];
    let mayName: boolean | undefined;
    for (const table of tables) {
      const isWatched = table.add(folded, origin);
      if (table === this.restrictions.untrustedTable) mayName = isWatched;
      if (ibanLike.test(folded)) for (const [groups] of folded.matchAll(ibanGroups)) table.addWord(groups.replaceAll(" ", ""), origin);
      if (mayHoldCode(slice)) for (const plain of decodedOnce(slice)) table.add(fold(plain), origin);
    }
    if (part.from.isNamed && !part.from.isOutside && slice.includes(".")) this.#addLinks(slice, part.from);
    return mayName;
  }

  /** Values of a slice that look personal or secret. A slice begins a little early, as above. */
  #guess(
    text: string,
    part: { readonly start: number; readonly field: string; readonly above: string; readonly mayName: boolean | undefined },
  ): void {
    const slice = sliceOf(text, part.start);
    for (const found of personalIn(slice, part)) this.restrictions.guessed().add(found);
  }

  #addLinks(text: string, from: Origin): void {
    for (const found of actionablesIn(text)) if (found.kind === "url") keep(this.#links, found.value, from);
  }

  #addLeaf(text: string, leaf: { readonly label: Label; readonly field: string; readonly from: Origin }): void {
    const { label, field, from } = leaf;
    const isShort = text.length <= fixedBounds.knownValueCharsMax;
    if (isShort && from.isNamed && field !== "") keep(this.#fields, `${fold(field)}\u0000${foldValue(text)}`, from);
    if (label.integrity === "untrusted") return;
    const vouched: Vouched = { integrity: label.integrity, origin: from };
    const vouch = (value: string): void => keep(this.#vouched, value, vouched);
    if (isShort) {
      for (const form of vouchedForms(text)) vouch(form);
    }
    // Prose of a trusted source vouches for the addresses in it; a directory only for its entries as they are.
    if (label.integrity === "trusted") for (const found of actionablesIn(text)) vouch(found.value);
  }
}

function sliceOf(text: string, start: number): string {
  const { indexSliceChars, knownValueCharsMax } = fixedBounds;
  return text.length <= indexSliceChars ? text : text.slice(Math.max(0, start - knownValueCharsMax), start + indexSliceChars);
}

/** An amount is no address, although browsers would open `12.5` as one. */
const plainNumber = /^-?\d+\.\d+$/;

/** The forms under which a whole leaf is found: as text, as address, as day, as amount. */
function vouchedForms(text: string): readonly string[] {
  const forms = [foldValue(text)];
  const url = text.includes(".") && !text.includes(" ") && !plainNumber.test(text) ? normalUrl(text) : undefined;
  if (url !== undefined) forms.push(url);
  const day = dayOf(text);
  if (day !== undefined) forms.push(dayForm(day));
  const amount = amountOf(text);
  if (amount !== undefined) forms.push(amountForm(amount));
  return forms;
}

/** The normal form of a day among vouched values. */
export function dayForm(day: { readonly year: number; readonly month: number; readonly day: number }): string {
  return `day:${day.year}-${day.month}-${day.day}`;
}

/** The normal form of an amount among vouched values. */
export function amountForm(amount: number): string {
  return `amount:${Math.abs(amount)}`;
}

/** Whether a label keeps its values from readers who are not named. */
export function isGuarded(label: Label): boolean {
  if (label.confidentiality === "public") return false;
  if (!label.readers.includes(tenantReader)) return true;
  return label.confidentiality === "confidential" || label.confidentiality === "restricted" || label.categories.some(isGuardedCategory);
}

const guardedCategories = new Set(["personal", "secret", "health", "credential"]);

function isGuardedCategory(category: string): boolean {
  return guardedCategories.has(category);
}
