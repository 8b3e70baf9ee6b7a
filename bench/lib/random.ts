// Marsaglia's xorshift32, the same as in random.h and build/bench/oracles.ts: every runner sees the same data.

let state: u32 = 1;

export function seed(value: u32): void {
  state = value;
}

export function random(): u32 {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

export function fillRandom(at: usize, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(at + i, random() >> 24);
}
