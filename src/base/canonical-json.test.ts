import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { canonicalJson } from "./canonical-json.ts";

/** RFC 8785 as it is written down, without any short cut. */
function plainly(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => plainly(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${plainly(member)}`).join(",")}}`;
}

const keys = fc.oneof(
  fc.string({ unit: anyCodePoint }),
  fc.constantFrom("10", "9", "a", "b", "ab", "toJSON", "__proto__", "\ufb33", "\ud83d\ude00"),
);
const values = fc.letrec<{ readonly value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: anyCodePoint }),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.constantFrom(null, true, false, -0, 1e21, 5e-324),
    fc.array(fc.oneof(tie("value"), fc.constant(undefined))),
    fc.dictionary(keys, fc.oneof(tie("value"), fc.constant(undefined)), { maxKeys: 40 }),
  ),
})).value;

describe("canonical JSON", () => {
  test("writes every value as the standard says, whether or not its members are in order", () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = canonicalJson(value);
        expect(text).toBe(plainly(value));
        // What was read back from it is in order where its keys are no numbers, and takes the other way.
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  test("sorts by UTF-16 code unit, keys that look like numbers as well", () => {
    expect(canonicalJson({ 9: 1, 10: 2, "\ufb33": 3, "\ud83d\ude00": 4 })).toBe('{"10":2,"9":1,"\ud83d\ude00":4,"\ufb33":3}');
    expect(canonicalJson({ b: [{ z: 1, a: -0 }], a: undefined })).toBe('{"b":[{"a":0,"z":1}]}');
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`k${39 - index}`, index]));
    expect(canonicalJson(many)).toBe(plainly(many));
  });

  test("refuses what JSON cannot hold, wherever it stands", () => {
    for (const odd of [Number.NaN, Infinity, 1n, () => 1, Symbol("odd")]) {
      expect(() => canonicalJson(odd)).toThrow(TypeError);
      expect(() => canonicalJson({ a: [odd] })).toThrow(TypeError);
      expect(() => canonicalJson({ b: 1, a: odd })).toThrow(TypeError);
    }
  });

  test("asks no value what it looks like as JSON", () => {
    expect(canonicalJson({ a: new Date(0), b: 1 })).toBe('{"a":{},"b":1}');
    expect(canonicalJson({ a: Object.create({ toJSON: () => "other" }) as object })).toBe('{"a":{}}');
    expect(() => canonicalJson({ toJSON: () => "other" })).toThrow(TypeError);
    const list = Object.assign([1], { toJSON: () => "other" });
    expect(canonicalJson({ a: list })).toBe('{"a":[1]}');
  });
});
