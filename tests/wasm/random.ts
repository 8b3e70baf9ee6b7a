// Random numbers for tests that must be repeatable: SEED=number in the environment chooses them, and the seed is printed.

export function seedFor(test: string): number {
  const given = Number(process.env.SEED ?? Number.NaN);
  const seed = Number.isInteger(given) ? given >>> 0 : Math.floor(Math.random() * 2 ** 32);
  console.log(`${test}: SEED=${seed}`);
  return seed;
}

/** xorshift32 (Marsaglia, "Xorshift RNGs", 2003), scrambled by a multiplication. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ 0x9e3779b9) | 0 || 1;
  }

  u32(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.imul(x, 0x9e3779b1) >>> 0;
  }

  below(n: number): number {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}
