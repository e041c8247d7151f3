import fc from "fast-check";
import { expect, test } from "vitest";
import { keptKey, rowId } from "./row-key.ts";

const piece = fc.string({ maxLength: 5 });

test("a kept key is the same row as the key it was made of, and no other", () => {
  const key = fc.record({ space: piece, tenant: piece, key: piece });
  fc.assert(
    fc.property(key, key, (one, other) => {
      expect(rowId(keptKey(one))).toBe(rowId(one));
      expect(keptKey(one)).toEqual(one);
      expect(rowId(keptKey(one)) === rowId(other)).toBe(one.space === other.space && one.tenant === other.tenant && one.key === other.key);
    }),
  );
});

test("the string of a kept key is made once", () => {
  let readCount = 0;
  const space = { toString: () => "thing", includes: () => (readCount += 1) < 0 } as unknown as string;
  const kept = keptKey({ space, tenant: "acme", key: "a" });
  expect(readCount).toBe(0);
  expect([rowId(kept), rowId(kept), rowId(kept)]).toEqual(["thing\0acme\0a", "thing\0acme\0a", "thing\0acme\0a"]);
  expect(readCount).toBe(1);
});
