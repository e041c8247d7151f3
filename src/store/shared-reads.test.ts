import { expect, test } from "vitest";
import { sharedReads } from "./shared-reads.ts";
import type { Row, RowKey } from "./store.ts";

const key = (name: string): RowKey => ({ space: "key", tenant: "acme", key: name });
const rowOf = (one: RowKey): Row | undefined => (one.key === "none" ? undefined : { ...one, version: 1, body: one.key, dueMs: undefined });

function watched(keysMax: number) {
  const asked: string[][] = [];
  const read = sharedReads((keys) => {
    asked.push(keys.map((one) => one.key));
    return keys.some((one) => one.key === "bad") ? Promise.reject(new Error("away")) : Promise.resolve(keys.map(rowOf));
  }, keysMax);
  return { asked, names: async (...names: string[]) => (await read(names.map(key))).map((row) => row?.body) };
}

test("answers each of the reads of one turn from one question, in its own order", async () => {
  const { asked, names } = watched(100);
  expect(await Promise.all([names("a", "none"), names(), names("b"), names("a", "c")])).toEqual([["a", undefined], [], ["b"], ["a", "c"]]);
  expect(asked).toEqual([["a", "none", "b", "a", "c"]]);
});

test("asks anew for a read that comes after the question was sent", async () => {
  const { asked, names } = watched(100);
  await names("a");
  await names("a");
  expect(asked).toEqual([["a"], ["a"]]);
});

test("sends a question as soon as it has `keysMax` keys", async () => {
  const { asked, names } = watched(2);
  await Promise.all([names("a"), names("b"), names("c"), names("d", "e")]);
  expect(asked).toEqual([
    ["a", "b"],
    ["c", "d", "e"],
  ]);
});

test("tells everybody who shared a question that it failed, and nobody else", async () => {
  const { names } = watched(2);
  const settled = await Promise.allSettled([names("a"), names("bad"), names("c")]);
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
});
