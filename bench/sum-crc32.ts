// CRC-32 (IEEE 802.3, reflected) three ways: bit by bit, with one table, and with eight tables for eight bytes at a time.

import { fillRandom, seed } from './lib/random';

const POLYNOMIAL: u32 = 0xedb88320;
const BYTES: u32 = 65536;
const BITWISE_BYTES: u32 = 4096;
const data = heap.alloc(BYTES);
const tables = heap.alloc(8 * 256 * 4);

function entry(table: u32, byte: u32): u32 {
  return load<u32>(tables + (table << 10) + (byte << 2));
}

function step(crc: u32): u32 {
  for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
}

function makeTables(): void {
  for (let i: u32 = 0; i < 256; i++) store<u32>(tables + (i << 2), step(i));
  for (let i: u32 = 256; i < 8 * 256; i++) {
    const before = load<u32>(tables + ((i - 256) << 2));
    store<u32>(tables + (i << 2), (before >> 8) ^ entry(0, before & 255));
  }
}

function bitwise(at: usize, bytes: u32): u32 {
  let crc: u32 = ~0;
  for (let i: u32 = 0; i < bytes; i++) crc = step(crc ^ load<u8>(at + i));
  return ~crc;
}

function bytewise(at: usize, bytes: u32): u32 {
  let crc: u32 = ~0;
  for (let i: u32 = 0; i < bytes; i++) crc = (crc >> 8) ^ entry(0, (crc ^ load<u8>(at + i)) & 255);
  return ~crc;
}

function sliced(at: usize, bytes: u32): u32 {
  let crc: u32 = ~0;
  for (let i: u32 = 0; i < bytes; i += 8) {
    const low = crc ^ load<u32>(at + i);
    const high = load<u32>(at + i, 4);
    crc =
      entry(7, low & 255) ^
      entry(6, (low >> 8) & 255) ^
      entry(5, (low >> 16) & 255) ^
      entry(4, low >> 24) ^
      entry(3, high & 255) ^
      entry(2, (high >> 8) & 255) ^
      entry(1, (high >> 16) & 255) ^
      entry(0, high >> 24);
  }
  return ~crc;
}

/** All of the data's CRC in the upper half; the lower half tells whether the three ways agree. */
export function run(count: u32): u64 {
  seed(3);
  fillRandom(data, BYTES);
  makeTables();
  let crc: u32 = 0;
  let same: u32 = 1;
  for (let round: u32 = 0; round < count; round++) {
    store<u32>(data, round);
    crc = sliced(data, BYTES);
    if (bytewise(data, BYTES) !== crc) same = 0;
    if (bitwise(data, BITWISE_BYTES) !== sliced(data, BITWISE_BYTES)) same = 0;
  }
  return ((<u64>crc) << 32) | same;
}
