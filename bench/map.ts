// AssemblyScript's Map and Set under churn, and an open-addressing table with deletion by moving back.

import { EMPTY, mix } from './lib/hash';
import { random, seed } from './lib/random';

const SLOTS: u32 = 1 << 14;
const MASK: u32 = SLOTS - 1;
const keys = new StaticArray<u32>(SLOTS);
const values = new StaticArray<u32>(SLOTS);
let used: u32 = 0;

function slotOf(key: u32): u32 {
  return (key * 0x9e3779b1) >> 18;
}

/** The key's slot, or the free one where it belongs. Key 0 is a free slot. */
function find(key: u32): u32 {
  let at = slotOf(key);
  while (keys[at] !== 0 && keys[at] !== key) at = (at + 1) & MASK;
  return at;
}

function put(key: u32, value: u32): void {
  const at = find(key);
  if (keys[at] === 0) used++;
  keys[at] = key;
  values[at] = value;
}

function remove(key: u32): void {
  let hole = find(key);
  if (keys[hole] === 0) return;
  used--;
  for (let at = (hole + 1) & MASK; keys[at] !== 0; at = (at + 1) & MASK) {
    const home = slotOf(keys[at]);
    if (((at - home) & MASK) < ((at - hole) & MASK)) continue;
    keys[hole] = keys[at];
    values[hole] = values[at];
    hole = at;
  }
  keys[hole] = 0;
}

function churnTable(): u64 {
  keys.fill(0);
  used = 0;
  let found: u64 = 0;
  for (let i: u32 = 0; i < 60000; i++) {
    const key = 1 + (random() % 12000);
    if (i % 3 === 0) remove(key);
    else if (keys[find(key)] !== 0) found += values[find(key)];
    else put(key, i);
  }
  return mix(found, used);
}

function churnMap(): u64 {
  const map = new Map<u32, u64>();
  const set = new Set<u64>();
  let sum: u64 = 0;
  for (let i: u32 = 0; i < 20000; i++) {
    const key = random() % 3000;
    if (map.has(key)) {
      sum += map.get(key);
      if (i % 4 === 0) map.delete(key);
    } else map.set(key, i);
    set.add(sum & 1023);
  }
  return mix(sum, <u64>map.size * 100000 + set.size);
}

export function run(count: u32): u64 {
  seed(19);
  let hash = EMPTY;
  for (let round: u32 = 0; round < count; round++) hash = mix(mix(hash, churnTable()), churnMap());
  return hash;
}
