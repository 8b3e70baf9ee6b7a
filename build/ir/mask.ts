// Sets of bits of a 64-bit value, as two halves: BigInt would be several times slower.

export interface Mask {
  readonly lo: number;
  readonly hi: number;
}

export const NONE: Mask = { lo: 0, hi: 0 };
export const LOW: Mask = { lo: -1, hi: 0 };
export const ALL: Mask = { lo: -1, hi: -1 };

/** The bits of an integer of the type. */
export function fullMask(type: string): Mask {
  return type === 'i32' ? LOW : ALL;
}

/** A constant's bits. */
export function maskOfConst(imm: number | bigint): Mask {
  if (typeof imm === 'number') return { lo: imm | 0, hi: 0 };
  return { lo: Number(BigInt.asIntN(32, imm)), hi: Number(BigInt.asIntN(32, imm >> 32n)) };
}

export function isNone(a: Mask): boolean {
  return a.lo === 0 && a.hi === 0;
}

export function isSubset(a: Mask, b: Mask): boolean {
  return (a.lo & ~b.lo) === 0 && (a.hi & ~b.hi) === 0;
}

export function and(a: Mask, b: Mask): Mask {
  return { lo: a.lo & b.lo, hi: a.hi & b.hi };
}

export function or(a: Mask, b: Mask): Mask {
  return { lo: a.lo | b.lo, hi: a.hi | b.hi };
}

export function andNot(a: Mask, b: Mask): Mask {
  return { lo: a.lo & ~b.lo, hi: a.hi & ~b.hi };
}

export function shiftLeft({ lo, hi }: Mask, n: number): Mask {
  if (n === 0) return { lo, hi };
  return n >= 32 ? { lo: 0, hi: lo << (n - 32) } : { lo: lo << n, hi: (hi << n) | (lo >>> (32 - n)) };
}

export function shiftRight({ lo, hi }: Mask, n: number): Mask {
  if (n === 0) return { lo, hi };
  return n >= 32 ? { lo: hi >>> (n - 32), hi: 0 } : { lo: (lo >>> n) | (hi << (32 - n)), hi: hi >>> n };
}

/** Bits up to the highest one in the set. */
export function length({ lo, hi }: Mask): number {
  return hi === 0 ? 32 - Math.clz32(lo) : 64 - Math.clz32(hi);
}

/** The lowest `n` bits. */
export function lowest(n: number): Mask {
  if (n >= 64) return ALL;
  if (n >= 32) return { lo: -1, hi: n === 32 ? 0 : -1 >>> (64 - n) };
  return { lo: n === 0 ? 0 : -1 >>> (32 - n), hi: 0 };
}

/** The largest number with no bits outside the set; beyond 2^53 rounded up. */
export function largest({ lo, hi }: Mask): number {
  return (hi >>> 0) * 2 ** 32 + (lo >>> 0);
}
