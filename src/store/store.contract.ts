/** What every store must do, whatever it keeps its data in: one suite, run against each implementation. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../domain/json.ts";
import { agreesWithModel, draftOf, keyOf, unitArbitrary, unitOf, type OpenEmpty } from "./contract-model.fixture.ts";
import { batchHead, leafHash, linkTo, merkleRoot, zeroHead } from "./seal.ts";
import type { Batch, CommitResult, Entry, Operation, RowKey, Store, Unit } from "./store.ts";

/** Checks every batch of a store against its entries and the chain; throws at the first that does not agree. */
export async function expectWholeChain(store: Pick<Store, "writers" | "batches" | "entries">): Promise<readonly Batch[]> {
  const heads = await store.writers();
  const all: Batch[] = [];
  let previous: string | undefined;
  for (const { writer, epoch } of heads) all.push(...(await store.batches({ writer, epoch, limit: 10_000 })));
  const entries = await store.entries({ limit: 100_000 });
  for (const batch of all) {
    const texts = entries.filter(({ seq }) => seq >= batch.firstSeq && seq < batch.firstSeq + batch.count).map(({ text }) => text);
    expect(texts).toHaveLength(batch.count);
    expect(merkleRoot(texts.map(leafHash))).toBe(batch.root);
    expect(batchHead(batch)).toBe(batch.head);
    if (previous !== undefined) expect(batch.previous).toBe(previous);
    previous = batch.head;
  }
  expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(entries.length);
  if (previous !== undefined) expect(heads.at(-1)?.head).toBe(previous);
  return all;
}

/** The suite. */
export function storeContract(name: string, openEmpty: OpenEmpty): void {
  const withStore = (test: (store: Store) => Promise<void>) => async (): Promise<void> => {
    const store = await openEmpty();
    try {
      await test(store);
    } finally {
      await store.close();
    }
  };

  describe(`${name}: rows`, () => {
    it("gives back what was put, with a version that counts up", withStore(rowsRoundTrip));
    it("refuses at the first expectation that does not hold, and shows what stood there", withStore(refusesExpectations));
    it("lets a later operation of a unit see an earlier one", withStore(seesEarlierOperations));
    it("starts a deleted row's versions anew, and deletes only the expected version", withStore(deletesRows));
    it("scans keys in code point order, by prefix, after a key and backwards", withStore(scansRows));
    it("lists due rows of all tenants, earliest first", withStore(listsDueRows));
    it("purges what is due, rows and counters, and nothing else", withStore(purgesDue));
    it("rejects a key that two stores could read differently", withStore(rejectsAmbiguousKeys));
  });
  describe(`${name}: units`, () => {
    it("keeps counters exact at their limit under 100 concurrent adds", withStore(countsExactly));
    it("never lets a counter fall below zero, and keeps whole numbers only", withStore(clampsCounters));
    it("lets exactly one of 100 concurrent claims win", withStore(claimsOnce));
    it("answers a claimed unit, and still refuses it when its claim fails", withStore(answersClaims));
    it("does not fail the neighbours of a unit that cannot be written", withStore(isolatesBadUnits));
    it("agrees with a plain map over random units, whole or not at all", async () => {
      await fc.assert(fc.asyncProperty(fc.array(unitArbitrary, { maxLength: 25 }), fc.boolean(), agreesWithModel(openEmpty)), {
        numRuns: 40,
      });
    });
  });
  describe(`${name}: ledger`, () => {
    it("numbers entries without gaps, skipping refused units", withStore(numbersEntries));
    it("finds entries by each of their fields, oldest or newest first", withStore(findsEntries));
    it("seals every entry in a chained batch that verifies", withStore(sealsEntries));
    it("links every entry at rest to the one before it, also over batches and past a refused unit", withStore(linksEntries));
    it("drops whole batches only, and the rest still verifies", withStore(dropsBatches));
  });
  it(`${name}: refuses every use after it was closed, and closes twice`, async () => {
    const store = await openEmpty();
    await store.close();
    await store.close();
    await expect(store.commit(unitOf([]))).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    await expect(store.read([keyOf("a")])).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    await expect(store.entries({ limit: 1 })).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });
}

async function rowsRoundTrip(store: Store): Promise<void> {
  const body = { name: "Zoë \u{1F600}", nested: [1, null, { deep: true }], text: "a\u0000b" };
  await store.commit(unitOf([{ op: "put", key: keyOf("a"), body, dueMs: 5 }]));
  await store.commit(unitOf([{ op: "put", key: keyOf("b"), body: null }]));
  await store.commit(unitOf([{ op: "put", key: keyOf("b"), body: "two" }]));
  expect(await store.read([keyOf("b"), keyOf("none"), keyOf("a")])).toEqual([
    { ...keyOf("b"), version: 2, body: "two", dueMs: undefined },
    undefined,
    { ...keyOf("a"), version: 1, body, dueMs: 5 },
  ]);
  expect(await store.read([keyOf("a", "thing", "other"), keyOf("a", "other")])).toEqual([undefined, undefined]);
}

async function refusesExpectations(store: Store): Promise<void> {
  const row = { ...keyOf("a"), version: 1, body: 1, dueMs: undefined };
  await store.commit(unitOf([{ op: "put", key: keyOf("a"), body: 1, expect: "absent" }]));
  const refused = async (operation: Operation, shown: unknown): Promise<void> => {
    const result = await store.commit(unitOf([{ op: "put", key: keyOf("trace"), body: 1 }, operation], [draftOf("thing-done")]));
    expect(result).toEqual({ kind: "refused", reason: "row", index: 1, row: shown });
  };
  await refused({ op: "put", key: keyOf("a"), body: 2, expect: "absent" }, row);
  await refused({ op: "put", key: keyOf("a"), body: 2, expect: 2 }, row);
  await refused({ op: "put", key: keyOf("b"), body: 2, expect: 1 }, undefined);
  await refused({ op: "delete", key: keyOf("a"), expect: 7 }, row);
  await refused({ op: "expect", key: keyOf("a"), version: "absent" }, row);
  await refused({ op: "expect", key: keyOf("b"), version: "present" }, undefined);
  await refused({ op: "expect", key: keyOf("a"), version: 3 }, row);
  expect(await store.read([keyOf("trace"), keyOf("a")])).toEqual([undefined, row]);
  expect(await store.entries({ limit: 10 })).toEqual([]);
}

async function seesEarlierOperations(store: Store): Promise<void> {
  const result = await store.commit(
    unitOf([
      { op: "put", key: keyOf("a"), body: 1, expect: "absent" },
      { op: "put", key: keyOf("a"), body: 2, expect: 1 },
      { op: "expect", key: keyOf("a"), version: 2 },
      { op: "add", key: keyOf("c"), delta: 2, max: 3 },
      { op: "add", key: keyOf("c"), delta: 2, max: 3 },
    ]),
  );
  expect(result).toEqual({ kind: "refused", reason: "counter", index: 4, value: 2 });
  expect(await store.read([keyOf("a")])).toEqual([undefined]);
  expect(await store.counters([keyOf("c")])).toEqual([0]);
}

async function deletesRows(store: Store): Promise<void> {
  const put: Operation = { op: "put", key: keyOf("a"), body: 1 };
  await store.commit(unitOf([put]));
  await store.commit(unitOf([put]));
  expect(await store.commit(unitOf([{ op: "delete", key: keyOf("a"), expect: 2 }]))).toMatchObject({ kind: "committed" });
  expect(await store.commit(unitOf([{ op: "delete", key: keyOf("a") }]))).toMatchObject({ kind: "committed" });
  expect(await store.read([keyOf("a")])).toEqual([undefined]);
  await store.commit(unitOf([put]));
  await store.commit(unitOf([{ op: "delete", key: keyOf("a") }, put]));
  expect(await store.read([keyOf("a")])).toMatchObject([{ version: 1 }]);
}

async function scansRows(store: Store): Promise<void> {
  const keys = ["a", "a/1", "a/2", "a/\uFFFD", "a/\u{1F600}", "b", ""];
  await store.commit(unitOf(keys.map((key) => ({ op: "put", key: keyOf(key), body: key }))));
  await store.commit(unitOf([{ op: "put", key: keyOf("a/0", "thing", "other"), body: 0 }]));
  const scan = async (range: object): Promise<unknown> =>
    (await store.scan({ space: "thing", tenant: "acme", limit: 10, ...range })).map(({ key }) => key);
  expect(await scan({})).toEqual(["", "a", "a/1", "a/2", "a/\uFFFD", "a/\u{1F600}", "b"]);
  expect(await scan({ limit: 1000 })).toHaveLength(7);
  expect(await scan({ prefix: "a/" })).toEqual(["a/1", "a/2", "a/\uFFFD", "a/\u{1F600}"]);
  expect(await scan({ prefix: "a/", after: "a/1", limit: 2 })).toEqual(["a/2", "a/\uFFFD"]);
  expect(await scan({ prefix: "a/", ascending: false, after: "a/\uFFFD" })).toEqual(["a/2", "a/1"]);
}

async function listsDueRows(store: Store): Promise<void> {
  const put = (key: string, dueMs: number | undefined, tenant = "acme", space = "thing"): Operation => ({
    op: "put",
    key: keyOf(key, space, tenant),
    body: 0,
    dueMs,
  });
  await store.commit(
    unitOf([put("late", 30), put("soon", 10), put("never", undefined), put("mid", 20, "other"), put("alien", 1, "acme", "other")]),
  );
  const due = async (untilMs: number, limit = 10): Promise<unknown> =>
    (await store.due({ space: "thing", untilMs, limit })).map(({ key }) => key);
  expect(await due(9)).toEqual([]);
  expect(await due(20)).toEqual(["soon", "mid"]);
  expect(await due(99, 2)).toEqual(["soon", "mid"]);
  await store.commit(unitOf([put("soon", undefined)]));
  expect(await due(99)).toEqual(["mid", "late"]);
}

async function purgesDue(store: Store): Promise<void> {
  await store.commit(
    unitOf([
      { op: "put", key: keyOf("old"), body: 0, dueMs: 10 },
      { op: "put", key: keyOf("new"), body: 0, dueMs: 11 },
      { op: "put", key: keyOf("always"), body: 0 },
      { op: "add", key: keyOf("old"), delta: 3, dueMs: 10 },
      { op: "add", key: keyOf("new"), delta: 3, dueMs: 11 },
      { op: "put", key: keyOf("old", "other"), body: 0, dueMs: 10 },
    ]),
  );
  await store.commit(unitOf([{ op: "add", key: keyOf("old"), delta: 1 }]));
  expect(await store.purge({ space: "thing", untilMs: 10, limit: 10 })).toBe(2);
  expect(await store.counters([keyOf("old"), keyOf("new")])).toEqual([0, 3]);
  expect((await store.read(["old", "new", "always"].map((key) => keyOf(key)))).map((row) => row?.key)).toEqual([
    undefined,
    "new",
    "always",
  ]);
  // What was purged is absent for the next unit too, not only for readers.
  expect(
    await store.commit(
      unitOf([
        { op: "put", key: keyOf("old"), body: 1, expect: "absent" },
        { op: "add", key: keyOf("old"), delta: 5, max: 5 },
      ]),
    ),
  ).toMatchObject({ kind: "committed" });
  expect(await store.read([keyOf("old", "other")])).toMatchObject([{ version: 1 }]);
}

async function rejectsAmbiguousKeys(store: Store): Promise<void> {
  const put = async (key: RowKey): Promise<CommitResult> => await store.commit(unitOf([{ op: "put", key, body: 1 }]));
  await expect(put(keyOf("a", "thing", "ac\0me"))).rejects.toThrow("NUL");
  await expect(put(keyOf("\ud800"))).rejects.toThrow("surrogate");
  expect(await put(keyOf("a\0b"))).toMatchObject({ kind: "committed" });
}

async function countsExactly(store: Store): Promise<void> {
  const limit = 40;
  await store.commit(unitOf([{ op: "add", key: keyOf("c"), delta: limit - 1 }]));
  const add = unitOf([{ op: "add", key: keyOf("c"), delta: 1, max: limit }], [draftOf("call-intended")]);
  const results = await Promise.all(Array.from({ length: 100 }, async () => await store.commit(add)));
  expect(results.filter(({ kind }) => kind === "committed")).toHaveLength(1);
  expect(results[5]).toEqual({ kind: "refused", reason: "counter", index: 0, value: limit });
  expect(await store.counters([keyOf("c"), keyOf("d")])).toEqual([limit, 0]);
  expect(await store.entries({ limit: 10 })).toHaveLength(1);
}

async function clampsCounters(store: Store): Promise<void> {
  await store.commit(unitOf([{ op: "add", key: keyOf("c"), delta: 2 }]));
  await store.commit(unitOf([{ op: "add", key: keyOf("c"), delta: -5 }]));
  expect(await store.counters([keyOf("c")])).toEqual([0]);
  await expect(store.commit(unitOf([{ op: "add", key: keyOf("c"), delta: 0.5 }]))).rejects.toThrow("whole numbers");
}

async function claimsOnce(store: Store): Promise<void> {
  const results = await Promise.all(
    Array.from(
      { length: 100 },
      async (_, index) => await store.commit(unitOf([{ op: "put", key: keyOf("claim"), body: index, expect: "absent" }])),
    ),
  );
  expect(results.map(({ kind }) => kind === "committed").indexOf(true)).toBe(0);
  expect(results.filter(({ kind }) => kind === "committed")).toHaveLength(1);
  expect(results[99]).toMatchObject({ row: { body: 0, version: 1 } });
}

async function answersClaims(store: Store): Promise<void> {
  const claim: Unit = {
    operations: [{ op: "put", key: keyOf("a"), body: 1, expect: "absent" }],
    entries: [draftOf("call-intended")],
    wait: "claimed",
  };
  const [first, second] = await Promise.all([store.commit(claim), store.commit(claim)]);
  expect(first).toMatchObject({ kind: "committed", entries: [{ seq: 1 }] });
  expect(second).toMatchObject({ kind: "refused", index: 0, row: { version: 1 } });
  expect(await store.read([keyOf("a")])).toMatchObject([{ body: 1 }]);
  expect(await store.entries({ limit: 10 })).toHaveLength(1);
}

async function isolatesBadUnits(store: Store): Promise<void> {
  const notJson = { huge: Number.NaN } as Json;
  const results = await Promise.allSettled([
    store.commit(unitOf([{ op: "put", key: keyOf("a"), body: 1 }], [draftOf("thing-done")])),
    store.commit(
      unitOf(
        [
          { op: "put", key: keyOf("b"), body: 1 },
          { op: "add", key: keyOf("c"), delta: 1 },
        ],
        [draftOf("thing-done", { body: notJson })],
      ),
    ),
    store.commit(unitOf([{ op: "put", key: keyOf("d"), body: 1 }], [draftOf("thing-done")])),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect((await store.read(["a", "b", "d"].map((key) => keyOf(key)))).map((row) => row?.key)).toEqual(["a", undefined, "d"]);
  expect(await store.counters([keyOf("c")])).toEqual([0]);
  expect((await store.entries({ limit: 10 })).map(({ seq }) => seq)).toEqual([1, 2]);
}

async function numbersEntries(store: Store): Promise<void> {
  const result = await store.commit(unitOf([], [draftOf("a-done"), draftOf("b-done")]));
  const refused = store.commit(unitOf([{ op: "expect", key: keyOf("a"), version: "present" }], [draftOf("c-done")]));
  const [, next] = await Promise.all([refused, store.commit(unitOf([], [draftOf("d-done")]))]);
  const [head] = await store.writers();
  const place = { writer: head?.writer, epoch: head?.epoch };
  expect(result).toEqual({
    kind: "committed",
    entries: [
      { ...place, seq: 1 },
      { ...place, seq: 2 },
    ],
  });
  expect(next).toEqual({ kind: "committed", entries: [{ ...place, seq: 3 }] });
  expect(head?.seq).toBe(3);
}

async function linksEntries(store: Store): Promise<void> {
  await store.commit(unitOf([], [draftOf("a-done"), draftOf("b-done")]));
  await store.commit(unitOf([{ op: "expect", key: keyOf("a"), version: "present" }], [draftOf("c-done")]));
  await Promise.all([store.commit(unitOf([], [draftOf("d-done")])), store.commit(unitOf([], [draftOf("e-done"), draftOf("f-done")]))]);
  const texts = (await store.entries({ limit: 10 })).map(({ text }) => text);
  const links = texts.map((text) => (JSON.parse(text) as { readonly after?: string }).after);
  // Nothing of a memory store lies at rest, so there is nobody whose edit a link could tell.
  const isLinked = store.survivesRestart;
  expect(links).toEqual(texts.map((_, index) => (isLinked && index > 0 ? linkTo(leafHash(texts[index - 1] as string)) : undefined)));
}

async function findsEntries(store: Store): Promise<void> {
  const sealed = new Uint8Array([1, 2, 3]);
  await store.commit(
    unitOf(
      [],
      [
        draftOf("call-intended", { callId: "c1", sessionId: "s1", sealed }),
        draftOf("policy-changed", { tenant: "other", atMs: 1_700_000_000_500 }),
      ],
    ),
  );
  await store.commit(unitOf([], [draftOf("call-settled", { callId: "c1", runId: "r1", atMs: 1_700_000_001_000 })]));
  const find = async (query: object): Promise<number[]> => (await store.entries({ limit: 10, ...query })).map(({ seq }) => seq);
  const [writer] = await store.writers();
  expect(await find({})).toEqual([1, 2, 3]);
  expect(await find({ newestFirst: true, limit: 2 })).toEqual([3, 2]);
  expect(await find({ callId: "c1" })).toEqual([1, 3]);
  expect(await find({ sessionId: "s1" })).toEqual([1]);
  expect(await find({ runId: "r1" })).toEqual([3]);
  expect(await find({ kind: "call-settled" })).toEqual([3]);
  expect(await find({ kind: "policy-changed" })).toEqual([2]);
  expect(await find({ tenant: "acme" })).toEqual([1, 3]);
  expect(await find({ tenant: "acme", callId: "c1", afterSeq: 1 })).toEqual([3]);
  expect(await find({ sinceMs: 1_700_000_000_500 })).toEqual([2, 3]);
  expect(await find({ writer: writer?.writer, epoch: writer?.epoch })).toEqual([1, 2, 3]);
  expect(await find({ writer: "nobody" })).toEqual([]);
  expect(await find({ exceptWriter: "nobody" })).toEqual([1, 2, 3]);
  expect(await find({ exceptWriter: writer?.writer })).toEqual([]);
  expect(await find({ epoch: 99 })).toEqual([]);
  const [first] = await store.entries({ limit: 1 });
  expect(first).toMatchObject({ tenant: "acme", kind: "call-intended", callId: "c1", sessionId: "s1", runId: undefined });
  expect([...((first as Entry).sealed ?? [])]).toEqual([1, 2, 3]);
  expect(JSON.parse((first as Entry).text)).toEqual({
    at: "2023-11-14T22:13:20.000Z",
    body: { note: "call-intended" },
    callId: "c1",
    epoch: writer?.epoch,
    kind: "call-intended",
    seq: 1,
    sessionId: "s1",
    tenant: "acme",
    writer: writer?.writer,
  });
}

async function sealsEntries(store: Store): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(Array.from({ length: 7 }, async (_, index) => await store.commit(unitOf([], [draftOf(`call-${round}-${index}`)]))));
  }
  const batches = await expectWholeChain(store);
  expect(batches[0]).toMatchObject({ firstSeq: 1, previous: zeroHead });
  expect(batches.length).toBeLessThanOrEqual(3);
  const [{ writer, epoch } = { writer: "", epoch: 0 }] = await store.writers();
  expect(await store.batches({ writer, epoch, afterSeq: 1, limit: 1 })).toEqual(batches.slice(1, 2));
  expect(await store.batches({ writer: "nobody", epoch, limit: 9 })).toEqual([]);
}

async function dropsBatches(store: Store): Promise<void> {
  const [{ writer, epoch } = { writer: "", epoch: 0 }] = await store.writers();
  for (let round = 0; round < 3; round += 1) {
    await store.commit(unitOf([], [draftOf("a-done"), draftOf("b-done"), draftOf("c-done")]));
    await store.writers();
  }
  expect(await store.dropEntries({ writer: "nobody", epoch, throughSeq: 9 })).toBe(0);
  expect(await store.dropEntries({ writer, epoch, throughSeq: 5 })).toBe(3);
  expect((await store.entries({ limit: 10 })).map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8, 9]);
  await expectWholeChain(store);
  expect(await store.dropEntries({ writer, epoch, throughSeq: 9 })).toBe(6);
  const [head] = await store.writers();
  expect(head).toMatchObject({ seq: 9 });
  await store.commit(unitOf([], [draftOf("d-done")]));
  expect(await store.batches({ writer, epoch, limit: 9 })).toMatchObject([{ firstSeq: 10, previous: head?.head }]);
}
