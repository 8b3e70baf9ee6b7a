// memory.copy and memory.fill of many sizes and alignments, with and without overlap.

import { EMPTY, mixBytes } from './lib/hash';
import { fillRandom, random, seed } from './lib/random';

const BYTES: u32 = 1 << 16;
const LARGE: u32 = 24576;
const data = heap.alloc(BYTES);

/** Most are short, as in real programs. */
function size(): u32 {
  const r = random();
  switch (r & 15) {
    case 0:
      return (r >> 8) % LARGE;
    case 1:
    case 2:
      return (r >> 8) % 1024;
    case 3:
    case 4:
    case 5:
      return (r >> 8) % 128;
    default:
      return (r >> 8) % 24;
  }
}

export function run(count: u32): u64 {
  seed(23);
  fillRandom(data, BYTES);
  for (let i: u32 = 0; i < count; i++) {
    const bytes = size();
    const to = data + (random() % (BYTES - LARGE));
    if (i % 3 === 0) memory.fill(to, <u8>i, bytes);
    else if (i % 3 === 1) memory.copy(to, data + (random() % (BYTES - LARGE)), bytes);
    else memory.copy(to, to + (i % 9), bytes);
  }
  return mixBytes(EMPTY, data, BYTES);
}
