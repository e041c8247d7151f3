import type { Json } from "../domain/json.ts";

/** What was found, by kind such as `secret`, `github-token`, `email`. Kinds without a finding are absent. */
export type RedactionCounts = Readonly<Record<string, number>>;

/** A text without what must not leave. */
export interface RedactedText {
  readonly text: string;
  readonly counts: RedactionCounts;
}

/** A JSON value without what must not leave; the very same object when nothing was found. */
export interface RedactedJson {
  readonly value: Json;
  readonly counts: RedactionCounts;
}

/** How one tool's data is treated. */
export interface RedactionOptions {
  /** Also e-mail addresses, phone numbers, and whatever `personalIn` finds by its form, its field or the name before it. Default false, per tool. */
  readonly personalData?: boolean;
}

/** Takes secrets out of what leaves for a model, a ledger, a log or a caller. Pure apart from the values it is told. */
export interface Redactor {
  /** Registers a secret's exact value: from now on it and its usual encodings are taken out. Values shorter than 6 characters are too common and ignored. */
  addSecret(value: string): void;
  redactText(text: string, options?: RedactionOptions): RedactedText;
  /** Every string and every object key is redacted, the structure stays. */
  redactJson(value: Json, options?: RedactionOptions): RedactedJson;
  /**
   * The same for JSON whose canonical text is at hand: one scan of the text says in most cases that nothing is there. Prefer it on the hot path.
   */
  redactJsonText(value: Json, text: string, options?: RedactionOptions): RedactedJson;
  /** What is in an argument. Only reported: an argument is never altered on its way to a target. */
  inspect(value: Json, options?: RedactionOptions): RedactionCounts;
}
