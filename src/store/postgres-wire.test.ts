import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesArray, integerArray, readText, storedText, textArray } from "./postgres-wire.ts";
import { compareKeys } from "./row-key.ts";

const awkward = fc.string({ unit: fc.constantFrom("\u0000", "\u0001", "\u0002", "a", "é", "\u{1F600}"), maxLength: 6 });

describe("texts in PostgreSQL", () => {
  it("hold no NUL, come back as they were, and keep order and prefixes", () => {
    fc.assert(
      fc.property(awkward, awkward, (left, right) => {
        expect(storedText(left)).not.toContain("\u0000");
        expect(readText(storedText(left))).toBe(left);
        const order = Buffer.compare(Buffer.from(storedText(left)), Buffer.from(storedText(right)));
        expect(order).toBe(Math.sign(compareKeys(left, right)));
        expect(storedText(left).startsWith(storedText(right))).toBe(left.startsWith(right));
      }),
    );
    expect(storedText("a\u0000b\u0001")).toBe("a\u0001\u0001b\u0001\u0002");
    expect(readText("plain")).toBe("plain");
  });
});

describe("arrays for PostgreSQL", () => {
  it("have the binary form of the protocol", () => {
    expect(textArray(["é", undefined]).toString("hex")).toBe(
      `${"00000001".repeat(2)}00000019${"00000002"}00000001${"00000002"}c3a9ffffffff`,
    );
    expect(integerArray([-2]).toString("hex")).toBe(`${"00000001".repeat(2)}0000001400000001${"00000001"}00000008fffffffffffffffe`);
    expect(integerArray([2 ** 53 - 1]).readBigInt64BE(24)).toBe(BigInt(2 ** 53 - 1));
    expect(bytesArray([new Uint8Array([7])]).toString("hex")).toBe(`${"00000001".repeat(2)}0000001100000001${"00000001"}0000000107`);
    expect(textArray([]).toString("hex")).toBe("000000000000000100000019");
  });

  it("take safe integers only", () => {
    expect(() => integerArray([0.5])).toThrow("safe integer");
    expect(() => integerArray([2 ** 53])).toThrow("safe integer");
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(integerArray([value]).readBigInt64BE(24)).toBe(BigInt(value));
      }),
    );
  });
});
