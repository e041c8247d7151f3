/** Kinds of actions that people ask for; tools belong to some by what they do. */
export const actionKinds = [
  "send",
  "post",
  "create",
  "delete",
  "update",
  "move",
  "pay",
  "book",
  "share",
  "fetch",
  "run",
  "switch",
  "follow",
  "save",
] as const;

/** One kind of action. */
export type ActionKind = (typeof actionKinds)[number];

/**
 * How people of one language ask for actions. Phrases are folded words; `*` stands for any ending of a word, `…` for a few words between. Written
 * from knowledge of the language, never from the text of a benchmark.
 */
export interface LanguagePack {
  readonly language: string;
  /** Frequent small words by which the language is recognised. */
  readonly smallWords: readonly string[];
  /** Words before a verb that turn it into its opposite. */
  readonly negations: readonly string[];
  readonly asks: Readonly<Record<ActionKind, readonly string[]>>;
  /** How they say that details are to be taken from what is read. */
  readonly points: readonly string[];
  /** How they say where something is. It takes the noun of what is there to tell "her e-mail is on her page" from "a hotel that is in Rome". */
  readonly places: readonly string[];
  /** How they say what a thing is to be called, before the name in quotation marks. */
  readonly names: readonly string[];
  /** How they ask for whatever another text says. */
  readonly delegates: readonly string[];
}
