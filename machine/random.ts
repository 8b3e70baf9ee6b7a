// Seeded random integers: xorshift32 (Marsaglia 2003). The same seed gives the same run.

/** A function that gives integers from 0 to below its argument. */
export type Random = (below: number) => number;

export function randomOf(seed: number): Random {
  let state = (Math.imul(seed, 0x9e37_79b9) ^ 0x5bd1_e995) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
