// FNV-1a in 64 bits, over what a program computes: its result.

const OFFSET: u64 = ((<u64>0xcbf29ce4) << 32) | 0x84222325;
const PRIME: u64 = 0x100000001b3;

export const EMPTY: u64 = OFFSET;

export function mix(hash: u64, value: u64): u64 {
  return (hash ^ value) * PRIME;
}

export function mixBytes(hash: u64, at: usize, bytes: u32): u64 {
  for (let i: u32 = 0; i < bytes; i++) hash = mix(hash, load<u8>(at + i));
  return hash;
}
