import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { Batch, Entry } from "../store/store.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { memoryBench, recordCall, type Bench } from "./ledger.fixture.ts";
import type { LedgerReader } from "./inspection.ts";
import { verifyLedger } from "./verify.ts";

let bench: Bench;
let entries: readonly Entry[];
let batches: readonly Batch[];

beforeAll(async () => {
  // Batches of one to ten entries under three checkpoints, and a tail that none covers.
  bench = memoryBench();
  for (let index = 1; index <= 7; index += 1) {
    for (let call = 1; call <= (index % 5) + 1; call += 1) await recordCall(bench, `call-${index}-${call}`);
    const [writer] = await bench.store.writers();
    batches = await bench.store.batches({ writer: writer?.writer ?? "", epoch: 1, limit: 100 });
    if (index % 2 === 0) await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: bench.clock.now() });
  }
  entries = await bench.store.entries({ limit: 1_000 });
});

/** The same ledger with other entries and batches, as a store that keeps what it has. */
function ledgerOf(changed: { readonly entries?: readonly Entry[]; readonly batches?: readonly Batch[] }): LedgerReader {
  const { entries: heldEntries = entries, batches: heldBatches = batches } = changed;
  return {
    ...bench.store,
    survivesRestart: true,
    entries: async ({ afterSeq = 0, kind, limit }) =>
      heldEntries.filter((entry) => entry.seq > afterSeq && (kind === undefined || entry.kind === kind)).slice(0, limit),
    batches: async ({ afterSeq = 0, limit }) => heldBatches.filter((batch) => batch.firstSeq > afterSeq).slice(0, limit),
  };
}

const verify = (ledger: LedgerReader) => verifyLedger(ledger, { publicKeys: bench.keyring.publicKeys, vault: bench.vault });

function textChanged(text: string, at: number, code: number): string {
  const index = at % text.length;
  const other = String.fromCharCode(32 + (code % 95));
  return text.slice(0, index) + (other === text[index] ? "\u0001" : other) + text.slice(index + 1);
}

/** One change of one field of an entry. */
function mutated(entry: Entry, field: keyof Entry, pick: number, code: number): Entry {
  const value = entry[field];
  if (typeof value === "string") return { ...entry, [field]: textChanged(value, pick, code) };
  if (typeof value === "number") return { ...entry, [field]: value + 1 + code };
  if (value instanceof Uint8Array) {
    const bytes = Uint8Array.from(value);
    const index = pick % bytes.length;
    bytes[index] = (bytes[index] as number) ^ (1 + (code % 255));
    return { ...entry, [field]: bytes };
  }
  return { ...entry, [field]: "made up" };
}

describe(verifies("SAFE-08", "any change of a sealed ledger"), () => {
  it("is none without a change", async () => {
    expect((await verify(ledgerOf({}))).problems).toEqual([]);
  });

  it("shows when one field of one entry is changed, and names the entry or its batch", async () => {
    const fields: readonly (keyof Entry)[] = [
      "text",
      "text",
      "text",
      "tenant",
      "kind",
      "atMs",
      "callId",
      "sessionId",
      "runId",
      "writer",
      "epoch",
      "sealed",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(entries.length - 1),
        fc.constantFrom(...fields),
        fc.nat(100_000),
        fc.nat(1_000),
        async (index, field, pick, code) => {
          const entry = entries[index] as Entry;
          const changed = entries.with(index, mutated(entry, field, pick, code));
          const found = await verify(ledgerOf({ entries: changed }));
          expect(found.ok).toBe(false);
          expect(found.problems.some(({ seq = 0, throughSeq = seq }) => seq <= entry.seq && entry.seq <= throughSeq)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("shows when one field of one batch is changed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(batches.length - 1),
        fc.constantFrom<keyof Batch>("count", "root", "previous", "head", "firstSeq"),
        fc.nat(100),
        async (index, field, pick) => {
          const batch = batches[index] as Batch;
          const value = batch[field];
          const change = typeof value === "number" ? value + 1 + pick : textChanged(value, pick, 17);
          expect((await verify(ledgerOf({ batches: batches.with(index, { ...batch, [field]: change }) }))).ok).toBe(false);
        },
      ),
      { numRuns: 80 },
    );
  });

  it("shows when entries are removed or exchanged anywhere, or batches removed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(entries.length - 1), fc.nat(entries.length - 1), async (one, other) => {
        expect((await verify(ledgerOf({ entries: entries.toSpliced(one, 1) }))).problems).toContainEqual(
          expect.objectContaining({ kind: "removed", seq: one + 1 }),
        );
        const gone = one % batches.length;
        expect((await verify(ledgerOf({ batches: batches.toSpliced(gone, 1) }))).ok).toBe(false);
        if (one === other) return;
        const [first, second] = [entries[one] as Entry, entries[other] as Entry];
        const exchanged = entries.with(one, { ...second, seq: first.seq }).with(other, { ...first, seq: second.seq });
        expect((await verify(ledgerOf({ entries: exchanged }))).problems).toMatchObject([{ kind: "reordered" }, { kind: "reordered" }]);
      }),
      { numRuns: 40 },
    );
  });

  it("is named up to a bound and counted beyond", async () => {
    const found = await verifyLedger(ledgerOf({ entries: entries.map((entry) => ({ ...entry, tenant: "other" })) }), {
      publicKeys: bench.keyring.publicKeys,
      limits: { verifyPageEntries: 7, ledgerProblemsMax: 3 },
    });
    expect(found.problems).toHaveLength(3);
    expect(found.problemsOmitted).toBe(entries.length - 3);
  });
});
