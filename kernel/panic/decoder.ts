// Reads what build/object/adaptive-coder.ts has written: bits in as little space as their probabilities allow, which both
// sides learn from the bits before (docs/abi.md §4). By integers only.

import { WORK_START } from '../mm/layout.ts';
import * as x86 from '../x86.ts';

// Slots: what is known of one bit. A probability that it is 1, of 2^12, and how often that was looked at, up to 15. In memory
// it is 0 before the first time.
const SLOT_BYTES: u32 = 2;
const SLOTS_PER_KIND: u32 = 128;
const KINDS_MAX: u32 = 24;
const NEAR_SLOTS: u32 = 1 << 14;
const FAR_SLOTS: u32 = 1 << 16;
const INITIAL: u32 = 0x8000;
const HALF: u32 = 0x800;
const CERTAIN: i32 = 0xfff;
const USES_MAX: i32 = 15;

/** In a kind of numbers: where the digits are, behind how many there are. */
const DIGITS: u32 = 32;
const DIGITS_MAX: u32 = 30;
const LAST_THREE: u32 = (1 << 21) - 1;

const NEAR: u32 = WORK_START + KINDS_MAX * SLOTS_PER_KIND * SLOT_BYTES;
const FAR: u32 = NEAR + NEAR_SLOTS * SLOT_BYTES;
const CHECKS: u32 = FAR + FAR_SLOTS * SLOT_BYTES;
/** What a decoder needs of the memory from WORK_START on ends here. */
export const DECODER_END: u32 = CHECKS + FAR_SLOTS * 2;

export class Decoder {
  private at: u64 = 0;
  private end: u64 = 0;
  /** Bits are there as they are. */
  private plain: bool = false;
  private low: u32 = 0;
  private high: u32 = u32.MAX_VALUE;
  private window: u32 = 0;
  /** Bits left in the window, if they are plain. */
  private left: u32 = 0;

  /** At the beginning of a part, which is in native memory. One decoder can be used at a time. */
  open(at: u64, bytes: u32, plain: bool): Decoder {
    this.at = at;
    this.end = at + bytes;
    this.plain = plain;
    this.low = 0;
    this.high = u32.MAX_VALUE;
    this.left = 0;
    if (plain) return this;
    memory.fill(WORK_START, 0, DECODER_END - WORK_START);
    for (let i = 0; i < 4; i++) this.window = (this.window << 8) | this.byte();
    return this;
  }

  flag(kind: u32, variant: u32 = 0): bool {
    return this.learnt(kind, variant) !== 0;
  }

  number(kind: u32): u32 {
    let digits: u32 = 0;
    while (digits < DIGITS_MAX && this.flag(kind, digits)) digits++;
    let successor: u32 = 1;
    for (let i = digits; i > 0; i--) {
      const learnt = successor < 4;
      const bit: u32 = learnt ? this.learnt(kind, DIGITS + digits * 3 + successor - 1) : this.bit(HALF);
      successor = (successor << 1) | bit;
    }
    return successor - 1;
  }

  /** Stores characters and the 0 behind them at `to`, but none at `limit`; `last`: the three before, 7 bits each. Returns its end. */
  text(to: u32, limit: u32, last: u32): u32 {
    while (to < limit) {
      const code = this.character(last & LAST_THREE);
      store<u8>(to++, code as u8);
      if (code === 0) break;
      last = (last << 7) | code;
    }
    return to;
  }

  private character(last: u32): u32 {
    let known: u32 = 1;
    while (known < 0x80) {
      const near = NEAR + (((last & 0x7f) << 7) | known) * SLOT_BYTES;
      const far = farSlot((last << 7) | known);
      // What was not met before is taken to be as after the last character.
      if ((load<u16>(far) & USES_MAX) === 0) store<u16>(far, load<u16>(near) & 0xfff0);
      const bit = this.bit(probability(far));
      learn(near, bit);
      learn(far, bit);
      known = (known << 1) | bit;
    }
    return known & 0x7f;
  }

  private learnt(kind: u32, variant: u32): u32 {
    const slot = WORK_START + (kind * SLOTS_PER_KIND + variant) * SLOT_BYTES;
    const bit = this.bit(probability(slot));
    learn(slot, bit);
    return bit;
  }

  private bit(probability: u32): u32 {
    if (this.plain) return this.plainBit();
    const middle = this.low + ((this.high - this.low) >> 12) * probability;
    const bit: u32 = this.window <= middle ? 1 : 0;
    if (bit !== 0) this.high = middle;
    else this.low = middle + 1;
    while ((this.low ^ this.high) >> 24 === 0) {
      this.low <<= 8;
      this.high = (this.high << 8) | 0xff;
      this.window = (this.window << 8) | this.byte();
    }
    return bit;
  }

  private plainBit(): u32 {
    if (this.left === 0) {
      this.window = this.byte();
      this.left = 8;
    }
    return (this.window >> --this.left) & 1;
  }

  /** 0 behind the end. */
  private byte(): u32 {
    return this.at < this.end ? (x86.peek8(this.at++) as u32) : 0;
  }
}

function probability(slot: u32): u32 {
  return ((load<u16>(slot) as u32) ^ INITIAL) >> 4;
}

function learn(slot: u32, bit: u32): void {
  const known = (load<u16>(slot) as u32) ^ INITIAL;
  const uses: i32 = known & USES_MAX;
  const before: i32 = known >> 4;
  const distance: i32 = (bit !== 0 ? CERTAIN : 0) - before;
  const after = before + (distance * 2) / (2 * uses + 3);
  store<u16>(slot, (((after << 4) | min(uses + 1, USES_MAX)) ^ INITIAL) as u16);
}

/** The slot that a hash has chosen for these bits, cleared if it was for others. */
function farSlot(bits: u32): u32 {
  const hash: u32 = bits * 0x9e37_79b1;
  const slot = FAR + (hash >> 16) * SLOT_BYTES;
  const check = CHECKS + (hash >> 16) * 2;
  if (load<u16>(check) !== (hash as u16)) store<u16>(slot, 0);
  store<u16>(check, hash as u16);
  return slot;
}
