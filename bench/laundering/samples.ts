/** Numbers in [0, 1) from a seed: the same seed makes the same attacks. */
export type Samples = () => number;

/** Samples from a seed. @see "mulberry32", T. Ettinger, public domain. */
export function samplesFrom(seed: number): Samples {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const syllables = ["ba", "co", "di", "fu", "ga", "lo", "mi", "nu", "pe", "ra", "so", "tu", "vi", "zo"];

/** A made-up word of three syllables. */
export function wordOf(samples: Samples): string {
  return Array.from({ length: 3 }, () => syllables[Math.floor(samples() * syllables.length)] as string).join("");
}

/** So many digits. */
export function digitsOf(samples: Samples, count: number): string {
  return Array.from({ length: count }, () => String(Math.floor(samples() * 10))).join("");
}
