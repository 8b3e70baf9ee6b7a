// Random numbers by a seed: xorshift32 (Marsaglia 2003), which a host repeats in three lines.

export class Random {
  private state: u32;

  constructor(seed: u32) {
    this.state = seed | 1; // from 0 it would stay 0
  }

  next(): u32 {
    let state = this.state;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    this.state = state;
    return state;
  }

  below(limit: u32): u32 {
    return this.next() % limit;
  }
}
