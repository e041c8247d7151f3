import { describe, expect, it } from "vitest";
import type { Clock } from "../base/clock.ts";
import { createMemoryStore } from "./memory.ts";
import { draftOf, unitOf } from "./contract-model.fixture.ts";
import { expectWholeChain, storeContract } from "./store.contract.ts";

const clock: Clock = { now: () => 1_700_000_000_000, monotonic: () => 0, after: () => ({ cancel: () => undefined }) };

storeContract("memory store", async () => createMemoryStore({ clock }));

describe("memory store", () => {
  it("says that nothing survives, and has nothing to back up", async () => {
    const store = createMemoryStore({ clock });
    expect(store.survivesRestart).toBe(false);
    await expect(store.backup("anywhere")).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  });

  it("keeps its ledger bounded by dropping the oldest whole batches, and the rest still verifies", async () => {
    const store = createMemoryStore({ clock, ledgerEntriesMax: 1_000 });
    for (let count = 0; count < 5_000; count += 1) await store.commit(unitOf([], [draftOf("call-settled")]));
    const entries = await store.entries({ limit: 10_000 });
    expect(entries.length).toBeGreaterThanOrEqual(1_000);
    expect(entries.length).toBeLessThanOrEqual(1_000 + 256 + 256);
    expect(entries.at(-1)?.seq).toBe(5_000);
    const batches = await expectWholeChain(store);
    expect(Math.max(...batches.map(({ count }) => count))).toBe(256);
  });
});
