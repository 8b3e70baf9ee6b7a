// An arithmetic coder for bits whose probabilities are learnt while it goes: what is as expected takes a fraction of a bit
// (Witten, Neal, Cleary, Arithmetic Coding for Data Compression, 1987). kernel/panic/decoder.ts does the same backwards, by
// integers only.

import { ByteWriter } from './bytes.ts';

/** Numbers of a kind learn together. Each kind has slots of its own. */
export const SLOTS_PER_KIND = 128;
/** In a kind: where the digits begin behind the number of digits. */
const DIGITS = 32;
/** Characters are of 7 bits. Each bit of one has a slot by the bits before it and the last character … */
const NEAR_SLOTS = 1 << 14;
/** … and one by those and the last three, which a hash chooses. */
const FAR_SLOTS = 1 << 16;

/** Three characters. */
const LAST_THREE = (1 << 21) - 1;

/** Of 2^12: the probability that a bit is 1. */
const HALF = 1 << 11;
const CERTAIN = (1 << 12) - 1;
/** How often a slot was used, as far as that counts. */
const USES_MAX = 15;

export class AdaptiveEncoder {
  private readonly out = new ByteWriter();
  private low = 0;
  private high = 0xffff_ffff;
  /** The first slot for texts. */
  private readonly near: number;
  private readonly far: number;
  private readonly probability: Uint16Array;
  private readonly uses: Uint8Array;
  /** Of a slot that a hash has chosen: for which other part of the hash. */
  private readonly check = new Uint16Array(FAR_SLOTS);

  /** `kinds`: how many there are. */
  constructor(kinds: number) {
    this.near = kinds * SLOTS_PER_KIND;
    this.far = this.near + NEAR_SLOTS;
    this.probability = new Uint16Array(this.far + FAR_SLOTS).fill(HALF);
    this.uses = new Uint8Array(this.probability.length);
  }

  end(): Uint8Array {
    for (let i = 3; i >= 0; i--) this.out.u8(this.low >>> (8 * i));
    return this.out.written();
  }

  /** A truth, of a kind that is used for nothing else; `variant` tells what else is known. */
  flag(kind: number, value: boolean, variant = 0): void {
    const slot = kind * SLOTS_PER_KIND + variant;
    const bit = value ? 1 : 0;
    this.code(this.probability[slot], bit);
    this.learn(slot, bit);
  }

  /** From 0 to 2^31 - 2: how many digits its successor has, then these. The first two behind the leading 1 are learnt. */
  number(kind: number, value: number): void {
    const successor = value + 1;
    const digits = 31 - Math.clz32(successor);
    for (let i = 0; i < digits; i++) this.flag(kind, true, i);
    this.flag(kind, false, digits);
    for (let i = digits - 1; i >= 0; i--) {
      const before = successor >>> (i + 1);
      const bit = (successor >>> i) & 1;
      if (before < 4) this.flag(kind, bit === 1, DIGITS + digits * 3 + before - 1);
      else this.code(HALF, bit);
    }
  }

  /** Characters, and a 0 that ends them. `before`: what stands before them already. */
  text(characters: string, before: string): void {
    let last = 0;
    for (const code of codesOf(before)) last = (last << 7) | code;
    for (const code of [...codesOf(characters), 0]) {
      this.character(code, last & LAST_THREE);
      last = (last << 7) | code;
    }
  }

  private character(code: number, last: number): void {
    let known = 1;
    for (let i = 6; i >= 0; i--) {
      const bit = (code >>> i) & 1;
      const near = this.near + (((last & 0x7f) << 7) | known);
      const far = this.farSlot(last, known);
      // What was not met before is taken to be as after the last character.
      if (this.uses[far] === 0) this.probability[far] = this.probability[near];
      this.code(this.probability[far], bit);
      this.learn(near, bit);
      this.learn(far, bit);
      known = (known << 1) | bit;
    }
  }

  /** By multiplicative hashing (Knuth, The Art of Computer Programming 3, §6.4). Who comes last has a slot for itself. */
  private farSlot(last: number, known: number): number {
    const hash = Math.imul((last << 7) | known, 0x9e37_79b1);
    const number = hash >>> 16;
    const check = hash & 0xffff;
    if (this.check[number] !== check) this.uses[this.far + number] = 0;
    this.check[number] = check;
    return this.far + number;
  }

  private learn(slot: number, bit: number): void {
    const uses = this.uses[slot];
    const distance = (bit === 1 ? CERTAIN : 0) - this.probability[slot];
    this.probability[slot] += Math.trunc((distance * 2) / (2 * uses + 3));
    if (uses < USES_MAX) this.uses[slot]++;
  }

  /** Narrows the interval to the part that stands for this bit, and writes the digits that both ends share. */
  private code(probability: number, bit: number): void {
    const middle = this.low + ((this.high - this.low) >>> 12) * probability;
    if (bit === 1) this.high = middle;
    else this.low = middle + 1;
    while (this.low >>> 24 === this.high >>> 24) {
      this.out.u8(this.low >>> 24);
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 0xff) >>> 0;
    }
  }
}

/** Others than ASCII's are told as `?`. */
function codesOf(text: string): number[] {
  return Array.from(text, (character) => (character < '\x80' ? character.charCodeAt(0) : 0x3f));
}
