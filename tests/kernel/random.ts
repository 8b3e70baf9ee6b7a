// Seeded random integers: xorshift32 (Marsaglia 2003).

/** A function that gives integers from 0 to below its argument. */
export function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
