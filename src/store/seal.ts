/**
 * How ledger entries are made evident: the text of an entry, its leaf hash, the Merkle tree over a batch's leaves (RFC 9162 section 2.1) and the
 * chain of batch heads. Pure; every store seals with it and every verifier checks with it. Hashes are 64 lower-case hexadecimal characters.
 */
import { assert } from "../base/assert.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import { isoTime } from "../base/clock.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Batch, EntryDraft, EntryPosition } from "./store.ts";

/** Head of the chain before a writer's first batch. */
export const zeroHead = "0".repeat(64);

/**
 * The exact text that is hashed: canonical JSON of `{after?, writer, epoch, seq, tenant, kind, at, callId?, sessionId?, runId?, body}`, where `at` is
 * the ISO 8601 form of `atMs` and `after` the link to `before`, the text of the entry before it, where the writer knows it. Put together by hand, because the
 * order of the members is known.
 */
export function entryText(position: EntryPosition, draft: EntryDraft, before?: string): string {
  let text = before === undefined ? "{" : `{"after":"${linkTo(leafHash(before))}",`;
  text += `"at":"${isoTimeOf(draft.atMs)}","body":${canonicalJson(draft.body)}`;
  if (draft.callId !== undefined) text += `,"callId":${canonicalJson(draft.callId)}`;
  text += `,"epoch":${position.epoch},"kind":${canonicalJson(draft.kind)}`;
  if (draft.runId !== undefined) text += `,"runId":${canonicalJson(draft.runId)}`;
  text += `,"seq":${position.seq}`;
  if (draft.sessionId !== undefined) text += `,"sessionId":${canonicalJson(draft.sessionId)}`;
  return `${text},"tenant":${canonicalJson(draft.tenant)},"writer":${canonicalJson(position.writer)}}`;
}

/**
 * The link to an entry: the first 64 bits of its leaf hash. The root proves a batch as a whole; the links, which it covers, tell which of its entries
 * was edited. Whoever mends the link in the next entry only moves the break on to that one.
 */
export function linkTo(leaf: string): string {
  return leaf.slice(0, linkChars);
}

/** @see `linkTo`: 64 bits, in hexadecimal. */
const linkChars = 16;

// Entries come in runs of the same millisecond; formatting a date costs more than the rest of the members.
let lastMs = Number.NaN;
let lastText = "";

function isoTimeOf(atMs: number): string {
  if (atMs !== lastMs) {
    lastText = isoTime(atMs);
    lastMs = atMs;
  }
  return lastText;
}

/** Leaf hash of an entry's text: SHA-256(0x00 ‖ UTF-8 of the text). */
export function leafHash(text: string): string {
  // A code unit takes at most 3 bytes. U+0000 is the single byte 0x00 in UTF-8, as is the first byte of the buffer.
  if (text.length * 3 >= leafInput.length) return sha256Hex(`\0${text}`);
  // Writing makes one flat string of the pieces that `text` was put together from, which costs less to keep than the pieces do.
  const written = leafInput.write(text, 1, "utf8");
  return sha256Hex(leafInput.subarray(0, written + 1));
}

const leafInput = Buffer.alloc(16_384);

const nodeInput = Buffer.alloc(65);
nodeInput[0] = 1;

function nodeHash(left: string, right: string): string {
  const written = nodeInput.write(left, 1, "hex") + nodeInput.write(right, 33, "hex");
  assert(written === 64, "a node of a Merkle tree has two hashes of 64 hexadecimal characters");
  return sha256Hex(nodeInput);
}

/** Merkle root over leaf hashes; the hash of nothing for none. Pairing level by level gives the tree of RFC 9162: an odd last node moves up. */
export function merkleRoot(leaves: readonly string[]): string {
  if (leaves.length === 0) return sha256Hex("");
  let level = leaves;
  while (level.length > 1) level = parents(level);
  return level[0] as string;
}

function parents(level: readonly string[]): string[] {
  const above: string[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index] as string;
    const right = level[index + 1];
    above.push(right === undefined ? left : nodeHash(left, right));
  }
  return above;
}

/** Hashes that lead from the leaf at `index` to the root, lowest first (RFC 9162 section 2.1.3.1). */
export function inclusionPath(leaves: readonly string[], index: number): string[] {
  assert(Number.isInteger(index) && index >= 0 && index < leaves.length, "the leaf is in the tree");
  const path: string[] = [];
  let level = leaves;
  for (let position = index; level.length > 1; position >>= 1) {
    const sibling = level[position ^ 1];
    if (sibling !== undefined) path.push(sibling);
    level = parents(level);
  }
  return path;
}

/** The root that a leaf and its path claim; `undefined` when the path cannot belong to that place (RFC 9162 section 2.1.3.2). */
export function rootFromPath(leaf: string, index: number, count: number, path: readonly string[]): string | undefined {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(count) || index < 0 || index >= count) return undefined;
  if (![leaf, ...path].every((hash) => hashPattern.test(hash))) return undefined;
  let hash = leaf;
  let used = 0;
  for (let position = index, width = count; width > 1; position = Math.floor(position / 2), width = Math.ceil(width / 2)) {
    const isLastAlone = position === width - 1 && position % 2 === 0;
    if (isLastAlone) continue;
    const sibling = path[used];
    if (sibling === undefined) return undefined;
    hash = position % 2 === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
    used += 1;
  }
  return used === path.length ? hash : undefined;
}

const hashPattern = /^[0-9a-f]{64}$/;

/** Head of the chain after a batch: SHA-256 of canonical JSON `{count, epoch, firstSeq, previous, root, writer}`. */
export function batchHead(batch: Omit<Batch, "head">): string {
  const { count, epoch, firstSeq, previous, root, writer } = batch;
  return sha256Hex(
    `{"count":${count},"epoch":${epoch},"firstSeq":${firstSeq},"previous":"${previous}","root":"${root}","writer":${canonicalJson(writer)}}`,
  );
}

/** Seals the texts of consecutive entries, the first of which stands at `first`, onto the chain whose head is `previous`. */
export function sealBatch(first: EntryPosition, previous: string, texts: readonly string[]): Batch {
  assert(texts.length > 0, "a batch has at least one entry");
  const unsealed = {
    writer: first.writer,
    epoch: first.epoch,
    firstSeq: first.seq,
    count: texts.length,
    root: merkleRoot(texts.map(leafHash)),
    previous,
  };
  return { ...unsealed, head: batchHead(unsealed) };
}
