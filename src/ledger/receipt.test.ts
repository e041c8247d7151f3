import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { writeCheckpoint } from "./checkpoint.ts";
import { memoryKeyring } from "./keyring.ts";
import { memoryBench, recordCall, recordCalls, seededRandom, sqliteBench, temporaryFolder, type Bench } from "./ledger.fixture.ts";
import { makeCallReceipt, makeReceipt, verifyReceipt, type Receipt } from "./receipt.ts";

let bench: Bench;
let receipts: readonly Receipt[];

async function receiptOf(seq: number): Promise<Receipt> {
  const [writer] = await bench.store.writers();
  return makeReceipt(bench, { writer: writer?.writer ?? "", epoch: 1, seq });
}

beforeAll(async () => {
  // Seven batches of several entries, a checkpoint after every two.
  bench = memoryBench();
  for (let index = 1; index <= 7; index += 1) {
    for (let call = 1; call <= index; call += 1) await recordCall(bench, `call-${index}-${call}`);
    await bench.store.writers();
    if (index % 2 === 0) await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: bench.clock.now() });
  }
  receipts = await Promise.all(Array.from({ length: 42 }, (_, index) => receiptOf(index + 1)));
});

/** Every way to change one leaf of a JSON value, by path. */
function leafPaths(value: unknown, path: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) => leafPaths(member, [...path, key]));
}

function changedAt(receipt: Receipt, path: readonly (string | number)[], change: number): unknown {
  const copy = structuredClone(receipt) as unknown as Record<string | number, unknown>;
  const holder = path.slice(0, -1).reduce((value, key) => value[key] as Record<string | number, unknown>, copy);
  const key = path.at(-1) as string | number;
  const old = holder[key];
  if (typeof old === "number") holder[key] = old + 1 + change;
  else {
    const text = String(old);
    const at = change % text.length;
    holder[key] = text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
  }
  return copy;
}

describe("a receipt", () => {
  it("verifies alone, as a copy, for every entry that a checkpoint covers", () => {
    for (const [index, receipt] of receipts.entries()) {
      const verdict = verifyReceipt(JSON.parse(JSON.stringify(receipt)), bench.keyring.publicKeys);
      expect(verdict).toMatchObject({ kind: "valid", entry: { seq: index + 1 } });
    }
    expect(receipts.map(({ checkpoint }) => checkpoint.number)).toEqual([
      ...Array<number>(6).fill(1),
      ...Array<number>(14).fill(2),
      ...Array<number>(22).fill(3),
    ]);
    expect(receipts.some(({ path }) => path.length > 1) && receipts.some(({ following }) => following.length > 0)).toBe(true);
  });

  it("proves which agent acted for which user", async () => {
    const receipt = await makeCallReceipt(bench, { tenant: "acme", callId: "call-2-1", kind: "call-intended" });
    expect(verifyReceipt(receipt, bench.keyring.publicKeys)).toMatchObject({
      kind: "valid",
      entry: { callId: "call-2-1", body: { user: "ada", credentialId: "agent-1" } },
    });
  });

  it("is invalid after any single change", () => {
    fc.assert(
      fc.property(fc.constantFrom(...receipts), fc.nat(), fc.nat(2_000), (receipt, pick, change) => {
        const paths = leafPaths(receipt);
        const path = paths[pick % paths.length] as readonly (string | number)[];
        expect(verifyReceipt(changedAt(receipt, path, change), bench.keyring.publicKeys), path.join("/")).toMatchObject({
          kind: "invalid",
        });
      }),
      { numRuns: 500 },
    );
  });

  it("is invalid under another installation's key", () => {
    const verdict = verifyReceipt(receipts[0], memoryKeyring(seededRandom("stranger")).publicKeys);
    expect(verdict).toEqual({ kind: "invalid", reason: "its checkpoint is not signed by a known key" });
  });

  it("is judged, not thrown over, whatever it is", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => verifyReceipt(value, bench.keyring.publicKeys).kind === "invalid"),
      { numRuns: 100 },
    );
  });

  it("is had only once a checkpoint covers the entry", async () => {
    await expect(receiptOf(50)).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await expect(makeCallReceipt(bench, { tenant: "other", callId: "call-2-1" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("is made from a file as well", async () => {
    const folder = temporaryFolder();
    const file = await sqliteBench(folder.path("ledger.db"));
    await recordCalls(file, 4);
    const receipt = await makeCallReceipt(file, { tenant: "acme", callId: "call-3" });
    expect(verifyReceipt(receipt, file.keyring.publicKeys)).toMatchObject({
      kind: "valid",
      entry: { kind: "call-settled", callId: "call-3" },
      checkpoint: 2,
    });
    await file.store.close();
    folder.remove();
  });
});
