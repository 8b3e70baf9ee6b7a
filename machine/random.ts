// Random numbers that are the same for the same seed everywhere: splitmix32, whose state is a counter, so that any seed
// is as good as another.

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** 32 bits. */
  next(): number {
    this.state = (this.state + 0x9e37_79b9) | 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
    return (z ^ (z >>> 16)) >>> 0;
  }

  /** 0 to `end` - 1. */
  below(end: number): number {
    return Math.floor((this.next() / 2 ** 32) * end);
  }

  /** `first` to `last`. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  shuffle<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const other = this.below(i + 1);
      [result[i], result[other]] = [result[other], result[i]];
    }
    return result;
  }

  /** Numbers at which code goes wrong: powers of two and their neighbours, extremes; else any of `bits` bits. */
  edge(bits: 8 | 16 | 32): number {
    const any = this.next();
    const power = 2 ** this.below(bits);
    const value = this.pick([0, 1, -1, power, power - 1, power + 1, -power, any]);
    return (value & (2 ** bits - 1)) >>> 0;
  }
}
