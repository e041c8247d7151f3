import { copyFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { openSqliteReader } from "../store/sqlite.ts";
import { restoreSqlite } from "../store/restore.ts";
import { sealBatch } from "../store/seal.ts";
import { writeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { memoryKeyring } from "./keyring.ts";
import {
  manualClock,
  memoryBench,
  recordCall,
  recordCalls,
  seededRandom,
  sqliteBench,
  temporaryFolder,
  type Bench,
} from "./ledger.fixture.ts";
import { recordRestore } from "./restore.ts";
import { renderVerification, type Verification } from "./verification.ts";
import { verifyLedger } from "./verify.ts";

const publicKeys = memoryKeyring(seededRandom("keys")).publicKeys;
let folder: ReturnType<typeof temporaryFolder>;
let path: string;
let checkpoints: readonly Checkpoint[];

beforeEach(async () => {
  folder = temporaryFolder();
  path = folder.path("ledger.db");
  const bench = await sqliteBench(path);
  // Entries 1 to 10, checkpoints 1 and 2 at entries 4 and 8.
  checkpoints = await recordCalls(bench, 5);
  await bench.store.close();
});

afterEach(() => folder.remove());

/** Changes the file behind the store's back. */
function attack(change: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path);
  change(db);
  db.close();
}

async function verify(options: { readonly anchors?: readonly Checkpoint[] } = {}): Promise<Verification> {
  const reader = openSqliteReader({ path });
  try {
    return await verifyLedger(reader, { publicKeys, ...options });
  } finally {
    await reader.close();
  }
}

/** Seals every entry anew, as somebody would who knows how it is done but has not the signing key. */
function resealFrom(db: DatabaseSync, fromSeq: number): void {
  const rows = db.prepare("select id, epoch, text, batch_previous, batch_head from entries where id >= ? order by id").all(fromSeq);
  const writer = (JSON.parse(String(rows[0]?.["text"])) as { readonly writer: string }).writer;
  let previous = String(rows[0]?.["batch_previous"]);
  for (const row of rows) {
    const batch = sealBatch({ writer, epoch: Number(row["epoch"]), seq: Number(row["id"]) }, previous, [String(row["text"])]);
    db.prepare("update entries set batch_root = ?, batch_previous = ?, batch_head = ? where id = ?").run(
      batch.root,
      batch.previous,
      batch.head,
      Number(row["id"]),
    );
    previous = batch.head;
  }
}

const editEntry = (db: DatabaseSync, seq: number): unknown =>
  db.prepare("update entries set text = replace(text, 'order.refund', 'order.cancel') where id = ?").run(seq);

describe("verifying an untouched ledger", () => {
  it("finds nothing wrong and says how far it is covered", async () => {
    const found = await verify({ anchors: checkpoints.slice(0, 1) });
    expect(found).toMatchObject({ ok: true, entries: 10, batches: 10, checkpoints: 2, problems: [], unsignedTail: 2, unprotectedTail: 6 });
    expect(found.signedThrough).toMatchObject([{ epoch: 1, seq: 8 }]);
    expect(found.protectedThrough).toMatchObject([{ epoch: 1, seq: 4 }]);
    expect(renderVerification(found)).toContain("ledger intact: 10 entries, 10 batches, 2 checkpoints");
  });

  it("verifies while the store is being written", async () => {
    const bench = memoryBench();
    await recordCalls(bench, 4);
    const store: Bench["store"] = {
      ...bench.store,
      async batches(query) {
        await recordCall(bench, `late-${query.afterSeq ?? 0}`);
        await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: bench.clock.now() });
        return bench.store.batches(query);
      },
    };
    // Pages of one row, so that what is written meanwhile would be met.
    const found = await verifyLedger(store, { publicKeys, limits: { verifyPageEntries: 1, ledgerProblemsMax: 10 } });
    expect(found.problems).toEqual([]);
    expect(found.entries).toBe(8);
  });

  it("finds nothing wrong in a memory store that dropped its oldest entries", async () => {
    const bench = memoryBench(100);
    await recordCalls(bench, 300);
    const found = await verifyLedger(bench.store, { publicKeys });
    expect(found.problems).toEqual([]);
    expect(found.entries).toBeLessThan(600);
    expect(found.notices).toHaveLength(1);
  });

  it("reads ledgers longer than one page", async () => {
    const reader = openSqliteReader({ path });
    const pages: number[] = [];
    const found = await verifyLedger(reader, {
      publicKeys,
      limits: { verifyPageEntries: 3, ledgerProblemsMax: 10 },
      onProgress: ({ entries }) => pages.push(entries),
    });
    await reader.close();
    expect(found).toMatchObject({ ok: true, entries: 10, checkpoints: 2 });
    expect(pages.length).toBeGreaterThanOrEqual(4);
  });
});

describe(verifies("SAFE-08", "attacks on a ledger file"), () => {
  it("names an entry whose text was edited", async () => {
    attack((db) => editEntry(db, 5));
    const found = await verify();
    expect(found.ok).toBe(false);
    expect(found.problems).toMatchObject([{ kind: "edited", epoch: 1, seq: 5 }]);
    expect(renderVerification(found)).toContain("edited: the text of entry 5 of");
  });

  it.each([
    ["tenant", "'other'"],
    ["kind", "'call-denied'"],
    ["at_ms", "at_ms + 1"],
    ["call_id", "'call-9'"],
    ["session_id", "null"],
    ["run_id", "'run-2'"],
  ])("names an entry of which only the column `%s` was edited", async (column, value) => {
    attack((db) => db.exec(`update entries set ${column} = ${value} where id = 5`));
    expect((await verify()).problems).toMatchObject([{ kind: "edited", seq: 5 }]);
  });

  it("names an entry that was removed with its batch", async () => {
    attack((db) => db.exec("delete from entries where id = 5"));
    expect((await verify()).problems).toMatchObject([{ kind: "removed", seq: 5, throughSeq: 5 }]);
  });

  it("names an entry that was removed from the middle of a batch", async () => {
    const bench = memoryBench();
    await recordCalls(bench, 4);
    const store: Bench["store"] = {
      ...bench.store,
      entries: async (query) => (await bench.store.entries(query)).filter((entry) => entry.seq !== 7),
    };
    expect((await verifyLedger(store, { publicKeys })).problems).toMatchObject([{ kind: "removed", seq: 7 }]);
  });

  it("names the first entries when the start was removed", async () => {
    attack((db) => db.exec("delete from entries where id <= 4"));
    expect((await verify()).problems).toContainEqual(expect.objectContaining({ kind: "removed", seq: 1, throughSeq: 4 }));
  });

  it("names two entries that were exchanged", async () => {
    attack((db) => {
      db.exec("create temp table swapped as select id, text, kind, call_id, at_ms, sealed from entries where id in (5, 6)");
      db.exec(
        "update entries set (text, kind, call_id, at_ms, sealed) = (select text, kind, call_id, at_ms, sealed from swapped where swapped.id = 11 - entries.id) where id in (5, 6)",
      );
    });
    expect((await verify()).problems).toMatchObject([
      { kind: "reordered", seq: 5 },
      { kind: "reordered", seq: 6 },
    ]);
  });

  it("reports a second continuation of the chain", async () => {
    attack((db) => {
      // Entry 7 on is sealed as if 6 had been another: the chain forks there.
      db.prepare("update entries set batch_previous = ? where id = 7").run("a".repeat(64));
      resealFrom(db, 7);
    });
    const kinds = (await verify()).problems.map(({ kind, seq }) => ({ kind, seq }));
    expect(kinds).toContainEqual({ kind: "forked", seq: 7 });
    expect(kinds).toContainEqual({ kind: "forked", seq: 8 });
  });

  it("reports an edit even when everything after it was sealed anew", async () => {
    attack((db) => {
      editEntry(db, 3);
      resealFrom(db, 3);
    });
    expect((await verify()).problems).toMatchObject([
      { kind: "forked", seq: 4, checkpoint: 1 },
      { kind: "forked", seq: 8, checkpoint: 2 },
    ]);
  });

  it("reports an entry slipped in without a batch", async () => {
    attack((db) => {
      const text = String(db.prepare("select text from entries where id = 10").get()?.["text"]).replace('"seq":10', '"seq":11');
      db.prepare("insert into entries(id, epoch, tenant, kind, at_ms, text) values(11, 1, 'acme', 'call-settled', 0, ?)").run(text);
    });
    expect((await verify()).problems).toContainEqual(expect.objectContaining({ kind: "inserted", seq: 11 }));
  });

  it(verifies("SAFE-08", "shows a cut-off end with an anchor, and as unprotected without one"), async () => {
    attack((db) => {
      db.exec("delete from entries where id > 6");
      db.exec("delete from rows where space = 'checkpoint' and key = '000000000002'");
    });
    const without = await verify();
    expect(without).toMatchObject({ ok: true, entries: 6, unprotectedTail: 6 });
    expect(renderVerification(without)).toContain("6 entries are not covered by an anchor: cutting them off would not show");
    const found = await verify({ anchors: checkpoints });
    expect(found.problems).toMatchObject([
      { kind: "truncated", checkpoint: 2 },
      { kind: "truncated", seq: 7, throughSeq: 8 },
    ]);
  });

  it("shows a cut-off end that a stored checkpoint covers", async () => {
    attack((db) => db.exec("delete from entries where id > 6"));
    expect((await verify()).problems).toMatchObject([{ kind: "truncated", seq: 7, throughSeq: 8 }]);
  });

  it("shows that the store was taken back to an older copy", async () => {
    const older = folder.path("older.db");
    copyFileSync(path, older);
    const bench = await sqliteBench(path);
    bench.clock.advance(60_000);
    await recordCall(bench, "call-6");
    const later = await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: bench.clock.now() });
    await bench.store.close();
    expect(await verify({ anchors: [later] })).toMatchObject({ ok: true, unprotectedTail: 0 });
    copyFileSync(older, path);
    expect((await verify({ anchors: [later] })).problems).toContainEqual(expect.objectContaining({ kind: "truncated", checkpoint: 3 }));
  });

  it("does not take a checkpoint for signed that another key signed, or whose signature was exchanged", async () => {
    attack((db) => {
      db.exec(
        "update rows set body = json_set(body, '$.signature', (select json_extract(body, '$.signature') from rows where space = 'checkpoint' and key = '000000000001')) where space = 'checkpoint' and key = '000000000002'",
      );
    });
    const found = await verify();
    expect(found.problems).toContainEqual(expect.objectContaining({ kind: "unsigned", checkpoint: 2 }));
    expect(found.unsignedTail).toBe(6);
    const stranger = await sqliteBench(path);
    await writeCheckpoint({ store: stranger.store, keyring: memoryKeyring(seededRandom("stranger")), atMs: 0 });
    await stranger.store.close();
    expect((await verify()).problems).toContainEqual(expect.objectContaining({ kind: "unsigned", checkpoint: 3 }));
  });

  it("misses a checkpoint that was removed from the middle", async () => {
    attack((db) => db.exec("delete from rows where space = 'checkpoint' and key = '000000000001'"));
    expect((await verify()).problems).toMatchObject([{ kind: "removed", checkpoint: 1 }]);
  });

  it("does not believe an anchor that nobody known signed", async () => {
    const forged = { ...(checkpoints[0] as Checkpoint), atMs: 1 };
    expect((await verify({ anchors: [forged] })).problems).toMatchObject([{ kind: "unsigned", checkpoint: 1 }]);
  });
});

describe("a restored ledger", () => {
  it("verifies against anchors of the lost time once the restore is recorded, and not before", async () => {
    const backup = folder.path("backup.db");
    const clock = manualClock();
    clock.advance(60_000);
    const bench = await sqliteBench(path, clock);
    await bench.store.backup(backup);
    await recordCall(bench, "call-6");
    const lost = await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: clock.now() });
    await bench.store.close();
    clock.advance(60_000);
    restoreSqlite({ from: backup, to: path, overwrite: true, clock });
    expect((await verify({ anchors: [...checkpoints, lost] })).problems).toMatchObject([
      { kind: "truncated", checkpoint: 3 },
      { kind: "truncated", seq: 11, throughSeq: 12 },
    ]);

    const again = await sqliteBench(path, clock);
    const epoch = again.store.restored?.epoch ?? 0;
    expect(await recordRestore(again, { epoch, by: "ops", reason: "disk failure" })).toMatchObject({ number: 3, restoredAfter: 2 });
    expect(await recordRestore(again, { epoch, by: "ops", reason: "disk failure" })).toBeUndefined();
    await again.store.close();
    const found = await verify({ anchors: [...checkpoints, lost] });
    expect(found.problems).toEqual([]);
    expect(found.entries).toBe(11);
    expect(found.notices.join(" ")).toContain("anchored checkpoint 3 was left behind by the restore that checkpoint 3 declares");
  });

  it("does not let a restore excuse a checkpoint that was anchored after it", async () => {
    const bench = await sqliteBench(path);
    bench.clock.advance(60_000);
    await recordRestore(bench, { epoch: 1, by: "ops", reason: "test" });
    bench.clock.advance(60_000);
    await recordCall(bench, "call-6");
    const later = await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: bench.clock.now() });
    await bench.store.close();
    attack((db) => db.exec("delete from rows where space = 'checkpoint' and key = '000000000004'"));
    expect((await verify({ anchors: [later] })).problems).toMatchObject([{ kind: "truncated", checkpoint: 4 }]);
  });
});
