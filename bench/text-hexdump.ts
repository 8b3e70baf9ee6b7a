// Dumps memory as the kernel does on its serial line: address, sixteen bytes in hexadecimal, the same as characters;
// and numbers in decimal, padded.

import { EMPTY, mixBytes } from './lib/hash';
import { fillRandom, seed } from './lib/random';

const BYTES: u32 = 4096;
const COLUMNS: u32 = 16;
const data = heap.alloc(BYTES);
const text = heap.alloc(BYTES * 8);
let end: usize = text;

function putChar(code: u32): void {
  store<u8>(end++, code);
}

function putHex(value: u64, digits: u32): void {
  for (let shift = <i32>digits * 4 - 4; shift >= 0; shift -= 4) {
    const digit = <u32>(value >> shift) & 15;
    putChar(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}

function putDecimal(value: u32, width: u32): void {
  let digits: u32 = 1;
  for (let rest = value; rest >= 10; rest /= 10) digits++;
  for (let i = digits; i < width; i++) putChar(0x20);
  end += digits;
  let at = end;
  do {
    store<u8>(--at, 0x30 + (value % 10));
    value /= 10;
  } while (value !== 0);
}

function putLine(from: usize): void {
  putHex(from - data, 8);
  putChar(0x2d);
  for (let i: u32 = 0; i < COLUMNS; i++) {
    putChar(0x20);
    putHex(load<u8>(from + i), 2);
  }
  putChar(0x20);
  for (let i: u32 = 0; i < COLUMNS; i++) {
    const code: u32 = load<u8>(from + i);
    putChar(code >= 0x20 && code < 0x7f ? code : 0x2e);
  }
  putDecimal(load<u32>(from), 12);
  putChar(0x0a);
}

export function run(count: u32): u64 {
  seed(11);
  fillRandom(data, BYTES);
  let hash = EMPTY;
  for (let round: u32 = 0; round < count; round++) {
    end = text;
    store<u32>(data, round);
    for (let at: u32 = 0; at < BYTES; at += COLUMNS) putLine(data + at);
    if (round % 64 === 0) hash = mixBytes(hash, text, <u32>(end - text));
  }
  return hash;
}
