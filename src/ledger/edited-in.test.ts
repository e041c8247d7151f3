import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { leafHash, linkTo } from "../store/seal.ts";
import type { Batch, Entry } from "../store/store.ts";
import { editedIn, linkOf } from "./edited-in.ts";
import type { LedgerReader } from "./inspection.ts";
import { recordCall, sqliteBench, temporaryFolder, type Bench } from "./ledger.fixture.ts";
import { renderVerification } from "./verification.ts";
import { verifyLedger } from "./verify.ts";

let folder: ReturnType<typeof temporaryFolder>;
let bench: Bench;
let entries: readonly Entry[];
let batches: readonly Batch[];

beforeAll(async () => {
  folder = temporaryFolder();
  bench = await sqliteBench(folder.path("ledger.db"));
  // Calls that are recorded at the same time share a batch.
  for (const width of [3, 1, 5, 2])
    await Promise.all(Array.from({ length: width }, (_, index) => recordCall(bench, `call-${width}-${index}`)));
  entries = await bench.store.entries({ limit: 1_000 });
  const [writer] = await bench.store.writers();
  batches = await bench.store.batches({ writer: writer?.writer ?? "", epoch: 1, limit: 1_000 });
});

afterAll(async () => {
  await bench.store.close();
  folder.remove();
});

/** The same ledger with other texts. */
function ledgerOf(changed: readonly Entry[]): LedgerReader {
  return {
    ...bench.store,
    entries: async ({ afterSeq = 0, kind, limit }) =>
      changed.filter((entry) => entry.seq > afterSeq && (kind === undefined || entry.kind === kind)).slice(0, limit),
  };
}

const verify = (changed: readonly Entry[]) => verifyLedger(ledgerOf(changed), { publicKeys: bench.keyring.publicKeys });

/** An edit that no column gives away and that leaves the text's link alone. */
function edited(entry: Entry, salt: number): Entry {
  return { ...entry, text: entry.text.replace('"body":{', `"body":{"a${salt}":${salt},`) };
}

/** The texts with every link made to fit again, from the entry after `index` up to `through`. */
function mended(texts: readonly Entry[], index: number, through: number): readonly Entry[] {
  const changed = [...texts];
  for (let at = index + 1; at <= through; at += 1) {
    const entry = changed[at] as Entry;
    const link = linkTo(leafHash((changed[at - 1] as Entry).text));
    changed[at] = { ...entry, text: entry.text.replace(/^\{"after":"[0-9a-f]{16}"/, `{"after":"${link}"`) };
  }
  return changed;
}

describe(verifies("SAFE-08", "an entry that is edited in a batch of several"), () => {
  it("is named exactly, whichever it is (property)", async () => {
    expect(batches.some(({ count }) => count >= 3)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.nat(entries.length - 1), fc.nat(1_000), async (index, salt) => {
        const { problems } = await verify(entries.with(index, edited(entries[index] as Entry, salt)));
        // Of the last two, in one batch, the newest might have been edited to put the blame on the other: nothing leads to it.
        const isLastButOne = index === entries.length - 2 && (batches.at(-1)?.count ?? 0) > 1;
        expect(problems.map(({ kind, seq, throughSeq }) => ({ kind, seq, throughSeq }))).toEqual([
          { kind: "edited", seq: index + 1, throughSeq: isLastButOne ? index + 2 : undefined },
        ]);
      }),
      { numRuns: 60 },
    );
  });

  it("is told in words that name one entry", async () => {
    const inMany = batches.find(({ count }) => count >= 3) as Batch;
    const index = inMany.firstSeq;
    expect(renderVerification(await verify(entries.with(index, edited(entries[index] as Entry, 1))))).toContain(
      `edited: the text of entry ${index + 1} of`,
    );
  });

  it("cannot be hidden behind another: whatever is named holds an edited entry, also where links were mended (property)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(entries.length - 1), fc.nat(4), fc.nat(1_000), async (index, mendedCount, salt) => {
        const through = Math.min(entries.length - 1, index + mendedCount);
        const { problems } = await verify(mended(entries.with(index, edited(entries[index] as Entry, salt)), index, through));
        expect(problems).not.toEqual([]);
        for (const { seq = 0, throughSeq = seq } of problems) expect(seq <= through + 1 && throughSeq >= index + 1).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("is not blamed on the entry before it, when its link was what was edited", async () => {
    const index = batches.find(({ count }) => count >= 3)?.firstSeq ?? 0;
    const entry = entries[index] as Entry;
    const changed = { ...entry, text: entry.text.replace(/^\{"after":"[0-9a-f]{16}"/, `{"after":"${"0".repeat(16)}"`) };
    expect((await verify(entries.with(index, changed))).problems).toMatchObject([{ kind: "edited", seq: index, throughSeq: index + 1 }]);
  });
});

describe("the entries of a batch that was edited", () => {
  const leaves = ["a", "b", "c"].map(leafHash);
  const links = [undefined, ...leaves.map(linkTo)];

  it("are all meant where none bears a link, as batches were sealed first", () => {
    expect(editedIn(4, leaves, [undefined, undefined, undefined, undefined])).toEqual([{ seq: 4, throughSeq: 6 }]);
  });

  it("are the newest one where all links fit and none leads to it", () => {
    expect(editedIn(4, leaves, [...links.slice(0, 3), undefined])).toEqual([{ seq: 6, throughSeq: 6 }]);
  });

  it("are the newest one or the one before it where the newest one's link does not fit", () => {
    expect(editedIn(4, leaves, [undefined, links[1], "0".repeat(16), undefined])).toEqual([{ seq: 5, throughSeq: 6 }]);
  });

  it("are several where several links do not fit", () => {
    expect(editedIn(4, leaves, [undefined, "0".repeat(16), links[2], "0".repeat(16)])).toEqual([
      { seq: 4, throughSeq: 4 },
      { seq: 6, throughSeq: 6 },
    ]);
  });

  it("bear their link in front and nowhere else", () => {
    expect(linkOf({ text: `{"after":"${"1".repeat(16)}","at":""}` })).toBe("1".repeat(16));
    expect(linkOf({ text: `{"at":"","body":{"after":"${"1".repeat(16)}"}}` })).toBeUndefined();
  });
});
