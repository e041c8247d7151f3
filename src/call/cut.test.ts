import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "../base/canonical-json.ts";
import type { Json } from "../domain/json.ts";
import { verifies } from "../../test/verifies.ts";
import { cutJson, shortenText } from "./cut.ts";

test("leaves a short value alone", () => {
  expect(cutJson({ a: 1 }, '{"a":1}', 100)).toEqual({ text: '{"a":1}', cutChars: 0 });
});

test(verifies("CALL-14", "keeps head, tail and count of a long list"), () => {
  const value = Array.from({ length: 500 }, (_, index) => ({ id: `order-${index}` }));
  const cut = cutJson(value, canonicalJson(value), 2_000);
  expect(cut.text.length).toBeLessThanOrEqual(2_000);
  const parsed = JSON.parse(cut.text) as unknown[];
  expect(parsed[0]).toEqual({ id: "order-0" });
  expect(parsed.at(-1)).toEqual({ id: "order-499" });
  expect(cut.text).toMatch(/… \d+ of 500 items cut …/);
  expect(cut.cutChars).toBe(canonicalJson(value).length - cut.text.length);
});

test(verifies("CALL-14", "is valid JSON within the limit for every value"), () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 80, max: 500 }), (value, charsMax) => {
      const text = canonicalJson(value);
      const cut = cutJson(value as Json, text, charsMax);
      expect(cut.text.length).toBeLessThanOrEqual(charsMax);
      JSON.parse(cut.text);
    }),
  );
});

test("never splits a surrogate pair", () => {
  const cut = shortenText("😀".repeat(200), 51);
  expect(cut.isWellFormed()).toBe(true);
});
