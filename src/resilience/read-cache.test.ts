import fc from "fast-check";
import { expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { createReadCache, type CacheOrigin } from "./read-cache.ts";

const origin: CacheOrigin = { tenant: "acme", tool: "crm.get", source: "crm" };

function cacheOf(changes: Partial<Limits> = {}) {
  const cache = createReadCache({ ...defaultLimits, ...changes });
  const keep = (key: string, text: string, parts: { begun?: number; untilMs?: number; origin?: CacheOrigin } = {}): void =>
    cache.keep({
      key,
      origin: parts.origin ?? origin,
      begun: parts.begun ?? cache.begin(),
      untilMs: parts.untilMs ?? 1_000,
      result: { callId: key, atMs: 0, text },
    });
  return { cache, keep };
}

it(verifies("EXEC-08", "gives a result until its time is over, and no longer"), () => {
  const { cache, keep } = cacheOf();
  keep("a", "1");
  expect(cache.find("a", 999)).toEqual({ callId: "a", atMs: 0, text: "1" });
  expect(cache.find("a", 1_000)).toBeUndefined();
  expect(cache.size()).toEqual({ entries: 0, bytes: 0 });
});

it(
  verifies("EXEC-08", "holds at most `cacheEntriesMax` results and `cacheBytesMax` bytes, the least recently used go first (property)"),
  () => {
    const step = fc.record({ key: fc.integer({ min: 0, max: 12 }), length: fc.integer({ min: 1, max: 40 }), isFind: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { cache, keep } = cacheOf({ cacheEntriesMax: 5, cacheBytesMax: 60, cacheResultBytesMax: 30 });
        const used: string[] = [];
        for (const { key: number, length, isFind } of steps) {
          const key = String(number);
          const isThere = isFind ? cache.find(key, 0) !== undefined : true;
          if (!isFind) keep(key, "x".repeat(length));
          if (isThere && (isFind || length <= 30)) used.splice(0, used.length, ...used.filter((each) => each !== key), key);
          expect(cache.size().entries).toBeLessThanOrEqual(5);
          expect(cache.size().bytes).toBeLessThanOrEqual(60);
        }
        const last = used.at(-1);
        if (last !== undefined) expect(cache.find(last, 0)).toBeDefined();
      }),
    );
  },
);

it("does not keep a result larger than `cacheResultBytesMax`", () => {
  const { cache, keep } = cacheOf({ cacheResultBytesMax: 3 });
  keep("a", "1234");
  keep("b", "123");
  expect([cache.find("a", 0), cache.find("b", 0)?.text]).toEqual([undefined, "123"]);
});

it(verifies("EXEC-08", "a write makes what it touches old, also what was being read meanwhile, and nothing else"), () => {
  const { cache, keep } = cacheOf();
  const other = { ...origin, tool: "shop.get", source: "shop" };
  const [begun, begunOther] = [cache.begin(), cache.begin()];
  keep("kept", "1");
  cache.forget((each) => each.source === "crm");
  keep("read", "2", { begun });
  keep("other", "3", { begun: begunOther, origin: other });
  keep("later", "4");
  expect(["kept", "read", "other", "later"].map((key) => cache.find(key, 0)?.text)).toEqual([undefined, undefined, "3", "4"]);
});

it("never keeps a read that began before the writes that are still known, `cacheWritesMax` of them", () => {
  const { cache, keep } = cacheOf({ cacheWritesMax: 4 });
  const begun = cache.begin();
  for (let write = 0; write < 4; write += 1) cache.forget(() => false);
  keep("known", "1", { begun });
  cache.forget(() => false);
  keep("forgotten", "2", { begun });
  expect([cache.find("known", 0)?.text, cache.find("forgotten", 0)]).toEqual(["1", undefined]);
});
