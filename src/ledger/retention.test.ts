import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SqliteStore } from "../store/sqlite.ts";
import { defaultLimits } from "../base/limits.ts";
import { recordCall, recordCalls, seededRandom, sqliteBench, temporaryFolder, type Bench } from "./ledger.fixture.ts";
import { memoryKeyring } from "./keyring.ts";
import { tombstone } from "./own-entries.ts";
import { retainSince } from "./retention.ts";
import { tombstoneText } from "./tombstones.ts";
import { verifyLedger } from "./verify.ts";

let folder: ReturnType<typeof temporaryFolder>;
let bench: Bench<SqliteStore>;
beforeEach(async () => {
  folder = temporaryFolder();
  bench = await sqliteBench(folder.path("ledger.db"));
});
afterEach(async () => {
  await bench.store.close();
  folder.remove();
});

const verify = () => verifyLedger(bench.store, { publicKeys: bench.keyring.publicKeys });

describe("retention", () => {
  it("drops what a checkpoint before the time covers, and the rest verifies against all anchors", async () => {
    const anchors = await recordCalls(bench, 5);
    bench.clock.advance(1_000);
    const olderThanMs = bench.clock.now();
    await recordCalls(bench, 2);
    const dropped = await retainSince(bench, { olderThanMs, by: "ops" });
    expect(dropped).toMatchObject([{ segment: { fromSeq: 1, throughSeq: 8, checkpointNumber: 2 }, entries: 8 }]);
    expect((await bench.store.entries({ limit: 1 }))[0]?.seq).toBe(9);
    const found = await verifyLedger(bench.store, { publicKeys: bench.keyring.publicKeys, anchors });
    expect(found.problems).toEqual([]);
    expect(found).toMatchObject({ entries: 7, unsignedTail: 0 });
    expect(found.notices).toHaveLength(1);
  });

  it("can be repeated, also when older tombstones go with what they stand in", async () => {
    for (let round = 0; round < 3; round += 1) {
      await recordCalls(bench, 4);
      bench.clock.advance(1_000);
      await retainSince(bench, { olderThanMs: bench.clock.now(), by: "ops" });
      expect((await verify()).problems).toEqual([]);
    }
    expect((await bench.store.entries({ limit: 100 })).length).toBeLessThan(5);
  });

  it("drops nothing that is not old enough, and writes nothing then", async () => {
    await recordCalls(bench, 2);
    expect(await retainSince(bench, { olderThanMs: bench.clock.now() - 1_000, by: "ops" })).toEqual([]);
    expect(await bench.store.entries({ limit: 100 })).toHaveLength(4);
  });

  it("verifies when a crash came between the tombstone and the drop", async () => {
    await recordCalls(bench, 4);
    bench.clock.advance(1_000);
    const store: Bench["store"] = { ...bench.store, dropEntries: () => Promise.reject(new Error("crash")) };
    await expect(retainSince({ ...bench, store }, { olderThanMs: bench.clock.now(), by: "ops" })).rejects.toThrow("crash");
    expect((await verify()).problems).toEqual([]);
    await bench.store.dropEntries({ writer: bench.store.writer, epoch: 1, throughSeq: 3 });
    expect((await verify()).problems).toEqual([]);
  });

  it("takes nothing that is dropped while the ledger is being verified for damage", async () => {
    await recordCalls(bench, 40);
    bench.clock.advance(1_000);
    for (const dropAtPage of [1, 2, 3, 5]) {
      let pages = 0;
      const reader: Bench["store"] = {
        ...bench.store,
        async entries(query) {
          const isWalk = query.kind === undefined;
          if (isWalk) pages += 1;
          if (isWalk && pages === dropAtPage) await retainSince(bench, { olderThanMs: bench.clock.now(), by: "ops" });
          return await bench.store.entries(query);
        },
      };
      const limits = { ...defaultLimits, verifyPageEntries: 10 };
      expect((await verifyLedger(reader, { publicKeys: bench.keyring.publicKeys, limits })).problems).toEqual([]);
      bench.clock.advance(1_000);
      await recordCalls(bench, 30);
    }
  });

  it("excuses no removal beyond what the tombstone says", async () => {
    await recordCalls(bench, 4);
    bench.clock.advance(1_000);
    const [dropped] = await retainSince(bench, { olderThanMs: bench.clock.now() - 500, by: "ops" });
    expect(dropped?.segment.throughSeq).toBe(8);
    await recordCall(bench, "call-late");
    await bench.store.dropEntries({ writer: bench.store.writer, epoch: 1, throughSeq: 9 });
    expect((await verify()).problems).toContainEqual(expect.objectContaining({ kind: "removed", seq: 1, throughSeq: 9 }));
  });

  it("is not excused by a tombstone that the installation did not sign", async () => {
    await recordCalls(bench, 4);
    const [batch] = await bench.store.batches({ writer: bench.store.writer, epoch: 1, afterSeq: 3, limit: 1 });
    const segment = { writer: bench.store.writer, epoch: 1, fromSeq: 1, throughSeq: 4, head: batch?.head ?? "", checkpointNumber: 1 };
    const signature = memoryKeyring(seededRandom("stranger")).sign(tombstoneText(segment));
    await bench.store.commit({ operations: [], entries: [tombstone({ atMs: 0, by: "mallory", segment, signature })] });
    await bench.store.dropEntries(segment);
    const kinds = (await verify()).problems.map(({ kind }) => kind);
    expect(kinds).toContain("unsigned");
    expect(kinds).toContain("removed");
  });

  it("does not let the remaining chain be exchanged under a good tombstone", async () => {
    await recordCalls(bench, 4);
    bench.clock.advance(1_000);
    await recordCalls(bench, 1);
    await retainSince(bench, { olderThanMs: bench.clock.now() - 500, by: "ops" });
    await bench.store.close();
    const db = new DatabaseSync(folder.path("ledger.db"));
    db.prepare("update entries set batch_previous = ? where id = 9").run("b".repeat(64));
    db.close();
    bench = await sqliteBench(folder.path("ledger.db"));
    expect((await verify()).problems).toContainEqual(expect.objectContaining({ kind: "forked", seq: 8 }));
  });
});
