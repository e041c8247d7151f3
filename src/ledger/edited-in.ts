import type { Entry } from "../store/store.ts";
import { linkTo } from "../store/seal.ts";

/** Entries of one writer, first and last. */
interface Span {
  readonly seq: number;
  readonly throughSeq: number;
}

/** The link to the entry before it that an entry's text bears, if any. It is the text's first member. */
export function linkOf({ text }: Pick<Entry, "text">): string | undefined {
  return linkPattern.exec(text)?.[1];
}

const linkPattern = /^\{"after":"([0-9a-f]{16})"/;

/**
 * Which entries of a batch are not those that its root was made from. A link that does not fit tells that the entry it leads to was edited, or the
 * one that bears it; the latter breaks the link that leads to it too. So of several broken links in a row the last one tells for certain, and
 * where nothing leads to the bearer, because it is the newest entry, the two cannot be told apart. Every span holds an edited entry.
 *
 * @param leaves Leaf hashes of the batch's entries as they are, the first of which stands at `firstSeq`.
 * @param links The links that those entries bear, and at the end the one of the entry after the batch, where it is there.
 */
export function editedIn(firstSeq: number, leaves: readonly string[], links: readonly (string | undefined)[]): readonly Span[] {
  const last = leaves.length - 1;
  const spanOf = (from: number, through: number): Span => ({ seq: firstSeq + from, throughSeq: firstSeq + through });
  const isLinked = (index: number): boolean => links[index + 1] !== undefined;
  const isBroken = (index: number): boolean => isLinked(index) && links[index + 1] !== linkTo(leaves[index] as string);
  const spans: Span[] = [];
  for (let index = 0; index <= last; index += 1) {
    if (!isBroken(index)) continue;
    const from = index;
    while (index < last && isBroken(index + 1)) index += 1;
    spans.push(spanOf(from, index < last && !isLinked(index + 1) ? index + 1 : index));
  }
  if (spans.length > 0) return spans;
  // Every link fits, so what was edited is something to which none leads: the newest entry or, without links, any.
  const unlinked = leaves.map((_, index) => index).filter((index) => !isLinked(index));
  return [spanOf(unlinked[0] ?? 0, unlinked.at(-1) ?? last)];
}
