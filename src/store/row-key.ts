import { assert } from "../base/assert.ts";
import type { RowKey } from "./store.ts";

/**
 * One string per row or counter, for maps. Refuses what two stores could read differently: a NUL in space or tenant (the separator), and lone
 * surrogates, which a database replaces, so that two keys would become one.
 */
export function rowId(key: RowKey): string {
  return KeptKey.idOf(key);
}

/** The same key, whose string is made only once, when it is first needed: for keys that are named again and again. */
export function keptKey(key: RowKey): RowKey {
  return new KeptKey(key);
}

class KeptKey implements RowKey {
  readonly space: string;
  readonly tenant: string;
  readonly key: string;
  #id: string | undefined;

  constructor({ space, tenant, key }: RowKey) {
    this.space = space;
    this.tenant = tenant;
    this.key = key;
  }

  static idOf(key: RowKey): string {
    return #id in key ? (key.#id ??= makeId(key)) : makeId(key);
  }
}

function makeId(key: RowKey): string {
  assert(!key.space.includes("\0") && !key.tenant.includes("\0"), "a space or tenant holds a NUL character");
  const id = `${key.space}\0${key.tenant}\0${key.key}`;
  assert(id.isWellFormed(), "a row key holds a lone surrogate");
  return id;
}

/** Order of keys in every store: by code point, which is the byte order of UTF-8. Negative when `left` comes first. */
export function compareKeys(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return codePointRank(a) - codePointRank(b);
  }
  return left.length - right.length;
}

// Surrogates stand for code points above U+FFFF, so they sort after every other code unit.
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}

/** The smallest string greater than every string that starts with `prefix`; `undefined` when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10_ffff) continue;
    // U+D800 to U+DFFF are no characters.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}
