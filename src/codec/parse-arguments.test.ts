import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { defaultLimits } from "../base/limits.ts";
import { checkArguments } from "./check-arguments.ts";
import { parseArguments, type ParsedArguments } from "./parse-arguments.ts";

function message(read: ParsedArguments): string {
  expect(read.kind).toBe("malformed");
  if (read.kind !== "malformed") return "";
  expect(read.error.code).toBe("CALL_MALFORMED");
  expect(read.error.message).not.toMatch(/[\n\r]/);
  return read.error.message;
}

const refused = (text: string): string => message(parseArguments(text, defaultLimits));
const isUsable = (value: unknown): boolean => !JSON.stringify(value).match(/"(__proto__|constructor|prototype)":/);
const safeJson = fc.jsonValue({ maxDepth: 6 }).map((value) => dropHugeNumbers(value));

function dropHugeNumbers(value: unknown): unknown {
  if (typeof value === "number") return Math.abs(value) > Number.MAX_SAFE_INTEGER ? 1 : value;
  if (Array.isArray(value)) return value.map(dropHugeNumbers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, dropHugeNumbers(member)]));
}

describe("parseArguments", () => {
  it("takes no text for no arguments", () => {
    for (const text of ["", " \n"]) expect(parseArguments(text, defaultLimits)).toEqual({ kind: "parsed", value: {} });
  });

  it.each([
    ['{"a":1,"b":{"c":1,"c":2}}', "line 1, column 19 (offset 18): the key `c` appears twice"],
    ['{"a":1,"\\u0061":2}', "the key `a` appears twice"],
    ['{"a:":":","x":1,"x":2}', "the key `x` appears twice"],
    ['{"x":"\\u003a","y":1,"y":2}', "the key `y` appears twice"],
    ['{"a":"\\ud83d"}', "half of a surrogate pair"],
    ['{"a":"\ud83d"}', "half of a surrogate pair"],
    ['{"a":"\\ude00\\ud83d"}', "half of a surrogate pair"],
    ['{"\\uDC00":1}', "half of a surrogate pair"],
    ['{"id":9007199254740993}', "(offset 6): the number `9007199254740993` cannot be kept exactly"],
    ['{"id":-12345678901234567890.0}', "cannot be kept exactly"],
    ['{"n":1e400}', "cannot be kept exactly"],
    ['{"n":1e-400}', "cannot be kept exactly"],
    [`{"n":0.${"0".repeat(400)}1}`, "cannot be kept exactly"],
    ['{"n":NaN}', "found `NaN`"],
    ['{"n":-Infinity}', "expected a JSON value"],
    ['{"b":True}', "found `True`"],
    ['{"__proto__":{"x":1}}', "the key `__proto__` is not allowed"],
    ['{"a":[{"constructor":1}]}', "the key `constructor` is not allowed"],
    ['{"\\u0070rototype":1}', "the key `prototype` is not allowed"],
    ["{'a':1}", "expected a key in double quotes, found `'`"],
    ['{"a":1,}', "a comma before `}`"],
    ['{"a":1}{"b":2}', "column 8 (offset 7): text after the end"],
    ['{"a":"x\ny"}', "a control character (`\\u{a}`) inside a string"],
    ['{"a":"\\x"}', "no escape `\\x`"],
    ['{"a":01}', "expected `,` or `}`, found `1`"],
    ['{\n  "a": 1\n  "b": 2}', "line 3, column 3 (offset 13): expected `,` or `}`"],
    ["[1]", "the arguments are an array; expected a JSON object"],
    ["null", "the arguments are null"],
    ['"{\\"a\\":1}"', "JSON text inside a JSON string"],
    ["\ufeff", "expected a JSON value"],
  ])("refuses %j and says where and why", (text, words) => {
    expect(refused(text)).toContain(words);
  });

  it.each(['{"a":"b', '{"a":"b\\', '{"a":"b\\u00', '{"a"', '{"a":', '{"a":[1,', '{"a":tru', '{"a":-', '{"a":1.', '{"a":1e+', "{"])(
    "says that %j was cut off",
    (text) => {
      expect(refused(text)).toMatch(/end inside an? \S+ at line 1, column \d+ .*probably cut off: send a shorter call/);
    },
  );

  it("says inside what it was cut off", () => {
    expect(refused('{"a":"b')).toContain("end inside a string at line 1, column 8 (offset 7)");
  });

  it("holds the bounds exactly", () => {
    const limits = { ...defaultLimits, argumentsBytesMax: 20, argumentsDepthMax: 3, argumentsKeysMax: 2 };
    expect(parseArguments('{"a":"ééééé","b":1}', { ...limits, argumentsBytesMax: 24 }).kind).toBe("parsed");
    expect(message(parseArguments('{"a":"ééééé","b":1}', { ...limits, argumentsBytesMax: 23 }))).toContain("larger than 23 bytes");
    expect(parseArguments('{"a":[[1]]}', limits).kind).toBe("parsed");
    expect(message(parseArguments('{"a":[[{}]]}', limits))).toContain("more than 3 levels");
    expect(message(parseArguments('{"a":[[[]]]}', limits))).toContain("more than 3 levels");
    expect(message(parseArguments('{"a":{"b":1,"c":2}}', limits))).toContain("more than 2 keys");
  });

  it("takes large numbers that declare themselves approximate", () => {
    expect(parseArguments('{"n":6.02e23,"m":-0,"k":9007199254740991}', defaultLimits).kind).toBe("parsed");
  });

  it("does not crash on bombs", () => {
    const limits = { ...defaultLimits, argumentsBytesMax: 50_000_000 };
    expect(message(parseArguments(`{"a":${"[".repeat(100_000)}`, limits))).toContain("levels deep");
    expect(message(parseArguments(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, limits))).toContain("levels deep");
    expect(message(parseArguments(`{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`).join(",")}}`, limits))).toContain(
      "more than 1000 keys",
    );
  });

  it("agrees with JSON.parse on every valid object within the limits", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), safeJson), fc.constantFrom(undefined, 2), (value, indent) => {
        fc.pre(isUsable(value));
        const text = JSON.stringify(value, undefined, indent);
        expect(parseArguments(text, defaultLimits)).toEqual({ kind: "parsed", value: JSON.parse(text) as unknown });
      }),
    );
  });

  it("never takes an object in which any key appears twice", () => {
    const hostile = fc.string({ unit: fc.constantFrom(":", '"', "\\", "a", "\n", "é", ",") });
    fc.assert(
      fc.property(fc.dictionary(hostile, hostile, { minKeys: 1 }), hostile, fc.nat(), (value, other, pick) => {
        const keys = Object.keys(value);
        const again = keys[pick % keys.length] as string;
        const text = `${JSON.stringify(value).slice(0, -1)},${JSON.stringify(again)}:${JSON.stringify(other)}}`;
        expect(parseArguments(text, defaultLimits).kind).toBe("malformed");
      }),
    );
  });

  it("never takes what JSON.parse refuses, and never throws", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      '"',
      ":",
      ",",
      "1",
      "-",
      "e",
      ".",
      "\\",
      "u",
      "d83d",
      "true",
      "nul",
      " ",
      "\n",
      "é",
      "a",
      "\ud800",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: anyCodePoint }),
          fc.array(piece).map((pieces) => `{"a":${pieces.join("")}`),
        ),
        (text) => {
          const read = parseArguments(text, defaultLimits);
          if (read.kind === "malformed" || text.trim() === "") return;
          expect(read.value).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("never takes any true prefix of an object", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), safeJson, { minKeys: 1 }), fc.nat(), (value, pick) => {
        fc.pre(isUsable(value));
        const text = JSON.stringify(value);
        const cut = text.slice(0, 1 + (pick % (text.length - 1)));
        expect(refused(cut)).toContain("cut off");
      }),
    );
  });
});

describe("checkArguments", () => {
  const refusedValue = (value: unknown): string => message(checkArguments(value, defaultLimits));

  it("takes what the text form takes, and the same value", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: anyCodePoint }), safeJson), (value) => {
        fc.pre(isUsable(value));
        const text = JSON.stringify(value);
        const parsed: unknown = JSON.parse(text);
        expect(checkArguments(parsed, defaultLimits).kind).toBe(parseArguments(text, defaultLimits).kind);
        const checked = checkArguments(parsed, defaultLimits);
        if (checked.kind === "parsed") expect(checked.value).toEqual(parsed);
      }),
    );
  });

  it("returns a copy that a later change does not reach", () => {
    const inner = { amount: 1 };
    const read = checkArguments({ inner }, defaultLimits);
    inner.amount = 1_000;
    expect(read).toEqual({ kind: "parsed", value: { inner: { amount: 1 } } });
  });

  it("takes absent arguments for none and leaves out what is undefined", () => {
    expect(checkArguments(undefined, defaultLimits)).toEqual({ kind: "parsed", value: {} });
    expect(checkArguments({ a: undefined, b: 1 }, defaultLimits)).toEqual({ kind: "parsed", value: { b: 1 } });
  });

  it.each([
    [null, "are null"],
    [[], "are an array"],
    ['{"a":1}', "JSON text inside a JSON string"],
    [JSON.parse('{"a":{"__proto__":1}}'), "at `/a`: the key `__proto__` is not allowed"],
    [{ "a/b": { c: 2 ** 53 } }, "at `/a~1b/c`: the number `9007199254740992`"],
    [{ a: [1, Number.NaN] }, "at `/a/1`: found `NaN`"],
    [{ a: "\ud800" }, "half of a surrogate pair"],
    [{ a: new Map() }, "an object of a class"],
    [{ a: () => 1 }, "expected a JSON value, found a function"],
    [{ a: 1n }, "expected a JSON value, found a bigint"],
  ])("refuses %o", (value, words) => {
    expect(refusedValue(value)).toContain(words);
  });

  it("refuses cycles, shared bombs and values that throw when they are read", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(refusedValue(cycle)).toContain("levels deep");
    let bomb: unknown[] = [];
    for (let level = 0; level < 30; level += 1) bomb = [bomb, bomb];
    expect(refusedValue({ bomb })).toContain("larger than");
    const trap = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("secret words");
      },
    });
    expect(refusedValue(trap)).not.toContain("secret");
    expect(refusedValue({ a: "x".repeat(defaultLimits.argumentsBytesMax) })).toContain("larger than");
    expect(refusedValue({ a: "é".repeat(defaultLimits.argumentsBytesMax / 2) })).toContain("larger than");
  });
});
