import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import { isoTime } from "../base/clock.ts";
import { sha256Hex } from "../base/hash.ts";
import { compareKeys, prefixEnd } from "./row-key.ts";
import { batchHead, entryText, inclusionPath, leafHash, merkleRoot, rootFromPath, sealBatch, zeroHead } from "./seal.ts";
import type { EntryDraft } from "./store.ts";
import type { Json } from "../domain/json.ts";

const name = fc.string({ unit: "grapheme", maxLength: 12 });
const maybeName = fc.option(name, { nil: undefined });

describe("entry text", () => {
  it("is always the canonical JSON of the entry's members", () => {
    const draft = fc.record({
      tenant: name,
      kind: name,
      atMs: fc.integer({ min: 0, max: 4e12 }),
      callId: maybeName,
      sessionId: maybeName,
      runId: maybeName,
      body: fc.jsonValue() as fc.Arbitrary<Json>,
    });
    fc.assert(
      fc.property(draft, name, fc.nat(), fc.nat(), (entry: EntryDraft, writer, epoch, seq) => {
        const { tenant, kind, atMs, callId, sessionId, runId, body } = entry;
        const whole = { writer, epoch, seq, tenant, kind, at: isoTime(atMs), callId, sessionId, runId, body };
        expect(entryText({ writer, epoch, seq }, entry)).toBe(canonicalJson(whole));
      }),
    );
  });
});

describe("Merkle tree", () => {
  const leavesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => leafHash(`entry ${index}`));
  const split = (count: number): number => 2 ** (Math.ceil(Math.log2(count)) - 1);
  // RFC 9162 section 2.1.1, word for word: split at the largest power of two below the count.
  const definition = (leaves: readonly string[]): string =>
    leaves.length === 1
      ? (leaves[0] as string)
      : sha256Hex(
          Buffer.from(`01${definition(leaves.slice(0, split(leaves.length)))}${definition(leaves.slice(split(leaves.length)))}`, "hex"),
        );

  it("hashes leaves and nodes with their own prefix", () => {
    expect(leafHash("é")).toBe(sha256Hex(Buffer.from([0, 0xc3, 0xa9])));
    expect(leafHash("")).toBe("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    expect(merkleRoot([])).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("has the root of the definition, and every path leads to it, for every size up to 70", () => {
    for (let count = 1; count <= 70; count += 1) {
      const leaves = leavesOf(count);
      const root = merkleRoot(leaves);
      expect(root).toBe(definition(leaves));
      for (let index = 0; index < count; index += 1)
        expect(rootFromPath(leaves[index] as string, index, count, inclusionPath(leaves, index))).toBe(root);
    }
  });

  it("never accepts another leaf, place, size or path", () => {
    const other = leafHash("forged");
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(39), fc.nat(), (count, wish, flip) => {
        const leaves = leavesOf(count);
        const index = wish % count;
        const path = inclusionPath(leaves, index);
        const leaf = leaves[index] as string;
        const root = merkleRoot(leaves);
        expect(rootFromPath(other, index, count, path)).not.toBe(root);
        expect(rootFromPath(leaf, (index + 1) % count, count, path)).not.toBe(root);
        expect(rootFromPath(leaf, index, count, path.with(flip % path.length, other))).not.toBe(root);
        expect(rootFromPath(leaf, index, count, [...path, other])).toBeUndefined();
        expect(rootFromPath(leaf, index, count, path.slice(1))).not.toBe(root);
        expect(rootFromPath(leaf, count, count, path)).toBeUndefined();
        expect(rootFromPath(leaf, index, count, path.with(0, "zz"))).toBeUndefined();
      }),
    );
  });
});

describe("batch", () => {
  it("has a head over canonical JSON of its members, chained to the one before", () => {
    const batch = sealBatch({ writer: 'w"1', epoch: 2, seq: 7 }, zeroHead, ["a", "b"]);
    const { head, ...members } = batch;
    expect(members).toEqual({
      writer: 'w"1',
      epoch: 2,
      firstSeq: 7,
      count: 2,
      previous: zeroHead,
      root: merkleRoot([leafHash("a"), leafHash("b")]),
    });
    expect(head).toBe(sha256Hex(canonicalJson(members)));
    expect(batchHead({ ...members, previous: head })).not.toBe(head);
  });
});

describe("row keys", () => {
  const anyText = fc.string({ unit: anyCodePoint });

  it("compare as their UTF-8 bytes do", () => {
    fc.assert(
      fc.property(anyText, anyText, (left, right) => {
        expect(Math.sign(compareKeys(left, right))).toBe(Buffer.compare(Buffer.from(left), Buffer.from(right)));
      }),
    );
    expect(compareKeys("\uFFFD", "\u{1F600}")).toBeLessThan(0);
  });

  it("with a prefix lie exactly below the prefix's end", () => {
    fc.assert(
      fc.property(anyText, anyText, (prefix, text) => {
        const end = prefixEnd(prefix);
        for (const key of [text, prefix + text]) {
          const lies = compareKeys(key, prefix) >= 0 && (end === undefined || compareKeys(key, end) < 0);
          expect(lies).toBe(key.startsWith(prefix));
        }
      }),
    );
    expect(prefixEnd("a\u{10FFFF}")).toBe("b");
    expect(prefixEnd("\u{10FFFF}")).toBeUndefined();
    expect(prefixEnd("\uD7FF")).toBe("\uE000");
  });
});
