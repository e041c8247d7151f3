/**
 * How values travel to PostgreSQL: arrays in the binary form of its protocol, so that nothing is quoted, and texts without the one character that it
 * cannot hold.
 */
import { assert } from "../base/assert.ts";

const textOid = 25;
const integerOid = 20;
const bytesOid = 17;
/** @see PostgreSQL's `array_send`: dimensions, whether there are nulls, type, length and first index, 4 bytes each. */
const headerBytes = 20;

// U+0000 cannot be stored. It becomes U+0001 U+0001 and U+0001 becomes U+0001 U+0002, which keeps the order and the prefixes of texts.
// oxlint-disable-next-line no-control-regex -- the control characters are the subject
const special = /[\u0000\u0001]/g;
// oxlint-disable-next-line no-control-regex -- as above
const escaped = /\u0001([\u0001\u0002])/g;

/** A text in the form in which it is stored. Sorts as the text itself does. */
export function storedText(text: string): string {
  return text.replace(special, (character) => (character === "\u0000" ? "\u0001\u0001" : "\u0001\u0002"));
}

/** The text that was stored. */
export function readText(stored: string): string {
  if (!stored.includes("\u0001")) return stored;
  return stored.replace(escaped, (_, second: string) => (second === "\u0001" ? "\u0000" : "\u0001"));
}

/** A `text[]`; `undefined` is null. Texts go as they are: see `storedText`. */
export function textArray(values: readonly (string | undefined)[]): Buffer {
  const sizes = values.map((value) => (value === undefined ? -1 : Buffer.byteLength(value)));
  const { bytes, start } = openArray(textOid, sizes);
  let offset = start;
  for (const [index, value] of values.entries()) {
    const size = sizes[index] as number;
    offset = bytes.writeInt32BE(size, offset);
    if (value !== undefined) offset += bytes.write(value, offset, size, "utf8");
  }
  return bytes;
}

/** A `bigint[]` of safe integers; `undefined` is null. */
export function integerArray(values: readonly (number | undefined)[]): Buffer {
  const { bytes, start } = openArray(
    integerOid,
    values.map((value) => (value === undefined ? -1 : 8)),
  );
  let offset = start;
  for (const value of values) {
    offset = bytes.writeInt32BE(value === undefined ? -1 : 8, offset);
    if (value === undefined) continue;
    assert(Number.isSafeInteger(value), "a stored number is a safe integer");
    offset = bytes.writeInt32BE(Math.floor(value / 2 ** 32), offset);
    offset = bytes.writeUInt32BE(value >>> 0, offset);
  }
  return bytes;
}

/** A `bytea[]`; `undefined` is null. */
export function bytesArray(values: readonly (Uint8Array | undefined)[]): Buffer {
  const { bytes, start } = openArray(
    bytesOid,
    values.map((value) => value?.length ?? -1),
  );
  let offset = start;
  for (const value of values) {
    offset = bytes.writeInt32BE(value?.length ?? -1, offset);
    if (value === undefined) continue;
    bytes.set(value, offset);
    offset += value.length;
  }
  return bytes;
}

/** The header of a one-dimensional array: dimensions, whether nulls may follow, type of the items, their count, first index. */
function openArray(oid: number, sizes: readonly number[]): { readonly bytes: Buffer; readonly start: number } {
  const isEmpty = sizes.length === 0;
  const length = sizes.reduce((sum, size) => sum + 4 + Math.max(0, size), isEmpty ? 12 : headerBytes);
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeInt32BE(isEmpty ? 0 : 1, 0);
  bytes.writeInt32BE(1, 4);
  bytes.writeInt32BE(oid, 8);
  if (isEmpty) return { bytes, start: 12 };
  bytes.writeInt32BE(sizes.length, 12);
  bytes.writeInt32BE(1, 16);
  return { bytes, start: headerBytes };
}
