// Converts text from UTF-16 to UTF-8 and back, with validation (Unicode 15, tables 3-6 and 3-7): letters of one to
// four bytes in turn, as in real text with runs of one kind.

import { EMPTY, mixBytes } from './lib/hash';
import { random, seed } from './lib/random';

const UNITS: u32 = 16384;
const source = heap.alloc(UNITS * 2);
const utf8 = heap.alloc(UNITS * 3);
const back = heap.alloc(UNITS * 2);
const REPLACEMENT: u32 = 0xfffd;

function makeText(): void {
  let at: u32 = 0;
  while (at < UNITS - 40) {
    const kind = random() % 8;
    for (let run = random() % 32; run > 0; run--) {
      const r = random() >> 8;
      if (kind < 4) store<u16>(source + at++ * 2, 0x20 + (r % 95));
      else if (kind < 6) store<u16>(source + at++ * 2, 0x80 + (r % 0x700));
      else if (kind === 6) store<u16>(source + at++ * 2, 0x800 + (r % 0xd000));
      else if (run > 1) {
        store<u16>(source + at++ * 2, 0xd800 + (r % 0x400));
        store<u16>(source + at++ * 2, 0xdc00 + ((r >> 10) % 0x400));
      }
    }
  }
  while (at < UNITS) store<u16>(source + at++ * 2, 0x2e);
}

/** Returns the number of bytes. */
function toUtf8(): u32 {
  let to = utf8;
  const end = source + UNITS * 2;
  for (let from = source; from < end; from += 2) {
    let code: u32 = load<u16>(from);
    if (code < 0x80) {
      store<u8>(to++, code);
      continue;
    }
    if (code < 0x800) {
      store<u8>(to, 0xc0 | (code >> 6));
      store<u8>(to, 0x80 | (code & 63), 1);
      to += 2;
      continue;
    }
    if ((code & 0xf800) === 0xd800) {
      const low: u32 = from + 2 < end ? load<u16>(from, 2) : 0;
      if (code < 0xdc00 && (low & 0xfc00) === 0xdc00) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        from += 2;
        store<u8>(to, 0xf0 | (code >> 18));
        store<u8>(to, 0x80 | ((code >> 12) & 63), 1);
        store<u8>(to, 0x80 | ((code >> 6) & 63), 2);
        store<u8>(to, 0x80 | (code & 63), 3);
        to += 4;
        continue;
      }
      code = REPLACEMENT;
    }
    store<u8>(to, 0xe0 | (code >> 12));
    store<u8>(to, 0x80 | ((code >> 6) & 63), 1);
    store<u8>(to, 0x80 | (code & 63), 2);
    to += 3;
  }
  return <u32>(to - utf8);
}

function isTail(byte: u32): bool {
  return (byte & 0xc0) === 0x80;
}

/** Returns the number of units, or -1 at a byte that is not UTF-8. */
function toUtf16(bytes: u32): i32 {
  let to = back;
  const end = utf8 + bytes;
  for (let from = utf8; from < end; ) {
    const first: u32 = load<u8>(from);
    if (first < 0x80) {
      store<u16>(to, first);
      from++;
      to += 2;
    } else if (first < 0xe0) {
      if (first < 0xc2 || from + 2 > end || !isTail(load<u8>(from, 1))) return -1;
      store<u16>(to, ((first & 31) << 6) | (load<u8>(from, 1) & 63));
      from += 2;
      to += 2;
    } else if (first < 0xf0) {
      if (from + 3 > end || !isTail(load<u8>(from, 1)) || !isTail(load<u8>(from, 2))) return -1;
      const code = ((first & 15) << 12) | ((load<u8>(from, 1) & 63) << 6) | (load<u8>(from, 2) & 63);
      if (code < 0x800 || (code & 0xf800) === 0xd800) return -1;
      store<u16>(to, code);
      from += 3;
      to += 2;
    } else {
      if (first > 0xf4 || from + 4 > end || !isTail(load<u8>(from, 1))) return -1;
      if (!isTail(load<u8>(from, 2)) || !isTail(load<u8>(from, 3))) return -1;
      const high = ((first & 7) << 18) | ((load<u8>(from, 1) & 63) << 12);
      const code = high | ((load<u8>(from, 2) & 63) << 6) | (load<u8>(from, 3) & 63);
      if (code < 0x10000 || code > 0x10ffff) return -1;
      store<u16>(to, 0xd7c0 + (code >> 10));
      store<u16>(to, 0xdc00 | (code & 0x3ff), 2);
      from += 4;
      to += 4;
    }
  }
  return <i32>((to - back) >> 1);
}

export function run(count: u32): u64 {
  seed(13);
  let bytes: u32 = 0;
  let failures: u64 = 0;
  for (let round: u32 = 0; round < count; round++) {
    if (round % 64 === 0) makeText();
    bytes = toUtf8();
    if (toUtf16(bytes) !== <i32>UNITS || memory.compare(source, back, UNITS * 2) !== 0) failures++;
  }
  return mixBytes(EMPTY, utf8, bytes) ^ failures;
}
