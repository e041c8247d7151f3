import fc from "fast-check";

/**
 * Any code point but half of a surrogate pair, for `fc.string({ unit: anyCodePoint })`. It is what the library calls `binary`, which takes a second of
 * computing where it is first used in a file.
 */
export const anyCodePoint: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10_f7_ff })
  .map((number) => String.fromCodePoint(number < 0xd8_00 ? number : number + 0x8_00));
