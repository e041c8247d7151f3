import { randomBytes } from "node:crypto";
import { fixedBounds } from "./fixed-bounds.ts";

/** Randomness as a parameter, so that a seed can replay a run. */
export interface Random {
  /** A sample in [0, 1), for jitter and sampling. Not for secrets. */
  sample(): number;
  /** `length` unpredictable bytes, for ids, salts and keys. */
  bytes(length: number): Buffer;
}

let pool = Buffer.alloc(0);
let used = 0;

/** The operating system's generator; small requests are served from a pool, because a call to it costs more than a call of ours may. */
export const systemRandom: Random = {
  sample: () => Math.random(),
  bytes: (length) => {
    if (length > 64) return randomBytes(length);
    if (used + length > pool.length) {
      pool = randomBytes(fixedBounds.randomPoolBytes);
      used = 0;
    }
    const slice = pool.subarray(used, used + length);
    used += length;
    return slice;
  },
};
