/** Numbers that a seed decides. */
export interface Seeded {
  /** In [0, 1). */
  sample(): number;
  /** A whole number in [0, bound). */
  below(bound: number): number;
}

/** The mulberry32 generator of T. Ettinger: 32 bits of state, good enough to choose kill points. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const sample = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { sample, below: (bound) => Math.floor(sample() * bound) };
}
