import { appendFileSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAnchorFile } from "./anchor.ts";
import { checkpointHash, checkpointsOf, isCheckpointSigned, lastCheckpoint, writeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { createCheckpointer } from "./checkpointer.ts";
import { memoryKeyring } from "./keyring.ts";
import { collected, memoryBench, recordCall, seededRandom, temporaryFolder, type Bench } from "./ledger.fixture.ts";

const limits = { checkpointEntriesMax: 10, checkpointIntervalMs: 5_000 };
let bench: Bench;
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  bench = memoryBench();
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

async function stored(): Promise<readonly (Checkpoint | undefined)[]> {
  return (await collected(checkpointsOf(bench.store, 2))).map(({ checkpoint }) => checkpoint);
}

describe("checkpoints", () => {
  it("are numbered, chained, signed, and name every writer's head", async () => {
    for (let index = 1; index <= 3; index += 1) {
      await recordCall(bench, `call-${index}`);
      const made = await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: index });
      expect(made).toMatchObject({ number: index, heads: await bench.store.writers() });
    }
    const [first, second, third] = (await stored()) as readonly [Checkpoint, Checkpoint, Checkpoint];
    expect([first.previous, second.previous, third.previous]).toEqual(["0".repeat(64), checkpointHash(first), checkpointHash(second)]);
    expect(isCheckpointSigned(third, bench.keyring.publicKeys)).toBe(true);
    expect(isCheckpointSigned({ ...third, atMs: 4 }, bench.keyring.publicKeys)).toBe(false);
    expect(isCheckpointSigned(third, memoryKeyring(seededRandom("other")).publicKeys)).toBe(false);
  });

  it("each get a number of their own when several processes write at once", async () => {
    await Promise.all([1, 2, 3, 4].map((atMs) => writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs })));
    const made = (await stored()) as readonly Checkpoint[];
    expect(made.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(made.slice(1).every((one, index) => one.previous === checkpointHash(made[index] as Checkpoint))).toBe(true);
  });
});

describe("a checkpointer", () => {
  it("makes one when enough entries have come, without waiting for the time", async () => {
    const checkpointer = createCheckpointer({ ...bench, limits });
    checkpointer.note(9);
    expect(await stored()).toHaveLength(0);
    checkpointer.note(1);
    await checkpointer.tick();
    expect(await stored()).toHaveLength(1);
  });

  it("makes one a while after an entry came, and none while nothing comes", async () => {
    const checkpointer = createCheckpointer({ ...bench, limits });
    bench.clock.advance(20_000);
    expect(await checkpointer.tick()).toBeUndefined();
    checkpointer.note(1);
    bench.clock.advance(4_999);
    expect(await lastCheckpoint(bench.store)).toBeUndefined();
    bench.clock.advance(1);
    expect(await checkpointer.tick()).toBeUndefined();
    expect(await stored()).toHaveLength(1);
    bench.clock.advance(20_000);
    expect(await checkpointer.tick()).toBeUndefined();
    expect(await stored()).toHaveLength(1);
  });

  it("makes the last one at close, and nothing afterwards", async () => {
    const checkpointer = createCheckpointer({ ...bench, limits });
    checkpointer.note(1);
    await checkpointer.close();
    await checkpointer.close();
    bench.clock.advance(20_000);
    expect(await stored()).toHaveLength(1);
  });

  it("says when the store refuses, and tries again at the next interval", async () => {
    let isBroken = true;
    const store: Bench["store"] = {
      ...bench.store,
      commit: (unit) => (isBroken ? Promise.reject(new Error("disk full")) : bench.store.commit(unit)),
    };
    const checkpointer = createCheckpointer({ ...bench, store, limits });
    checkpointer.note(1);
    await expect(checkpointer.tick()).rejects.toThrow("disk full");
    expect(checkpointer.problems()).toHaveLength(1);
    isBroken = false;
    bench.clock.advance(5_000);
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    expect(await stored()).toHaveLength(1);
    expect(checkpointer.problems()).toEqual([]);
  });

  it("keeps every checkpoint in an anchor file, which reads back, and hands it to others", async () => {
    const path = folder.path("anchor.jsonl");
    const sent: number[] = [];
    const send = async (checkpoint: Checkpoint): Promise<void> => void sent.push(checkpoint.number);
    const checkpointer = createCheckpointer({
      ...bench,
      limits,
      anchors: [
        { kind: "file", path },
        { kind: "call", name: "notary", send },
      ],
    });
    for (let index = 0; index < 3; index += 1) {
      checkpointer.note(1);
      await checkpointer.tick();
    }
    expect(await readAnchorFile(path)).toEqual(await stored());
    expect(sent).toEqual([1, 2, 3]);
    appendFileSync(path, '{"number":4,"cut');
    expect(await readAnchorFile(path)).toHaveLength(3);
    appendFileSync(path, " off\n");
    await expect(readAnchorFile(path)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("line 4") as string,
    });
    expect(readFileSync(path, "utf8")).not.toContain("undefined");
  });

  it("starts a new line after one that a crash cut off", async () => {
    const path = folder.path("torn.jsonl");
    const checkpointer = createCheckpointer({ ...bench, limits, anchors: [{ kind: "file", path }] });
    checkpointer.note(1);
    await checkpointer.tick();
    appendFileSync(path, '{"number":2,"prev');
    checkpointer.note(1);
    await checkpointer.tick();
    expect((await readAnchorFile(path)).map(({ number }) => number)).toEqual([1, 2]);
  });

  it("goes on when an anchor is away, and says so until it is back", async () => {
    let isAway = true;
    const send = (): Promise<void> => (isAway ? Promise.reject(new Error("away")) : Promise.resolve());
    const checkpointer = createCheckpointer({ ...bench, limits, anchors: [{ kind: "call", name: "notary", send }] });
    checkpointer.note(1);
    expect(await checkpointer.tick()).toMatchObject({ number: 1 });
    expect(checkpointer.problems()).toEqual(["checkpoint 1 could not be kept at the anchor `notary`"]);
    isAway = false;
    checkpointer.note(1);
    await checkpointer.tick();
    expect(checkpointer.problems()).toEqual([]);
  });
});
