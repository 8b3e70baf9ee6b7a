// Values as bits, the operands at the edges of every type, and a seeded generator of random ones.

import type { ValType } from './wasm.ts';

/** A number's bits (unsigned), or an externref: its number, or null. */
export type Bits = bigint | null;

export type NumType = 'i32' | 'i64' | 'f32' | 'f64';

/** xorshift64*, seeded through splitmix64; the same numbers on every machine. */
export class Random {
  private state: bigint;

  constructor(seed: number) {
    let z = BigInt.asUintN(64, (BigInt(seed) + 1n) * 0x9e3779b97f4a7c15n);
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    this.state = z === 0n ? 1n : z;
  }

  u64(): bigint {
    let x = this.state;
    x ^= x >> 12n;
    x = BigInt.asUintN(64, x ^ (x << 25n));
    x ^= x >> 27n;
    this.state = x;
    return BigInt.asUintN(64, x * 0x2545f4914f6cdd1dn);
  }

  /** 0 … n-1. */
  below(n: number): number {
    return Number((this.u64() >> 16n) % BigInt(n));
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Every magnitude is as likely as any other; one in three is an edge. */
  bits(type: NumType): bigint {
    if (this.below(3) === 0) return this.pick(EDGES[type]);
    const width = widthOf(type);
    const bits = BigInt.asUintN(width, this.u64());
    return type === 'i32' || type === 'i64' ? bits >> BigInt(this.below(width)) : bits;
  }
}

export function widthOf(type: NumType): 32 | 64 {
  return type === 'i32' || type === 'f32' ? 32 : 64;
}

function integers(width: 32 | 64, list: (number | bigint)[]): bigint[] {
  return [...new Set(list.map((v) => BigInt.asUintN(width, BigInt(v))))];
}

const view = new DataView(new ArrayBuffer(8));

export function f32Bits(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}

export function f64Bits(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

export function f32FromBits(bits: bigint): number {
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

export function f64FromBits(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

const SMALL = [0, 1, 2, 3, 7, 8, 10, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 32767, 32768, 65535, 65536];
const NEGATIVE = [-1, -2, -3, -8, -31, -32, -33, -64, -128, -129, -32768, -32769];
const BORDERS_32 = [0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xaaaaaaaa, 0xdeadbeef];
const BORDERS_64 = [
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  -0x80000000n,
  -0x80000001n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0x8000000000000001n,
  0x123456789abcdef0n,
];

/** Where conversions to and from integers change, and what rounding has to get right. */
const NUMBERS = [
  0,
  1,
  0.5,
  1.5,
  2.5,
  3.5,
  0.49999997,
  0.9999999,
  4.5,
  7,
  100.25,
  8388607.5,
  8388608,
  16777215,
  16777217,
  2147483520,
  2147483647,
  2147483648,
  2147483904,
  4294967040,
  4294967295,
  4294967296,
  9007199254740991,
  2 ** 53,
  2 ** 52 - 0.5,
  2 ** 63 - 2 ** 39,
  2 ** 63 - 1024,
  2 ** 63,
  2 ** 63 + 2 ** 40,
  2 ** 64 - 2 ** 40,
  2 ** 64 - 2048,
  2 ** 64,
  1e10,
  3.4028234e38,
  1.17549435e-38,
  1e-40,
  1e300,
  Math.PI,
  Number.POSITIVE_INFINITY,
];
const NUMBERS_64 = [
  0.49999999999999994,
  2147483647.9,
  2147483648.9,
  4294967295.9,
  1.7976931348623157e308,
  2.2250738585072014e-308,
  5e-324,
  1 + 2 ** -24,
  2 ** 128 - 2 ** 103,
  2 ** -150,
];
const NEGATIVE_64 = [-2147483648.9, -2147483649, -0.9999999999999999];

const NAN_32 = [0x7fc00000n, 0xffc00000n, 0x7fc12345n, 0x7f800001n, 0xffa00000n, 0x7fffffffn];
const NAN_64 = [
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff8000012345678n,
  0x7ff0000000000001n,
  0xfff4000000000000n,
  0x7fffffffffffffffn,
];

/** Operands at the edges, as bits, without duplicates. */
export const EDGES: Record<NumType, bigint[]> = {
  i32: integers(32, [...SMALL, ...NEGATIVE, ...BORDERS_32]),
  i64: integers(64, [...SMALL, ...NEGATIVE, ...BORDERS_64]),
  f32: [
    ...new Set([
      ...NUMBERS.flatMap((n) => [f32Bits(n), f32Bits(-n)]),
      1n,
      0x80000001n,
      0x007fffffn,
      ...NAN_32,
    ]),
  ],
  f64: [
    ...new Set([...NUMBERS, ...NUMBERS_64].flatMap((n) => [f64Bits(n), f64Bits(-n)])),
    ...NEGATIVE_64.map(f64Bits),
    0x000fffffffffffffn,
    ...NAN_64,
  ],
};

/** The sharpest of them, for shapes where all pairs would be too many. */
export const SHARP: Record<NumType, bigint[]> = {
  i32: integers(
    32,
    [0, 1, -1, 2, 5, 8, 31, 32, 33, -32, 128, 255, 65535, 0x7fffffff, 0x80000000, 0xdeadbeef],
  ),
  i64: integers(64, [
    0,
    1,
    -1,
    5,
    31,
    32,
    63,
    64,
    65,
    -64,
    0x80000000n,
    0xffffffffn,
    -0x80000001n,
    1n << 32n,
    0x7fffffffffffffffn,
    0x8000000000000000n,
    0x123456789abcdef0n,
  ]),
  f32: [0, -0, 1, -1.5, 2.5, 0.49999997, 2147483648, -2147483904, 2 ** 64, 1e-40, Infinity, -Infinity]
    .map(f32Bits)
    .concat(0x7fc00000n, 0xffc12345n, 0x7f800001n),
  f64: [0, -0, 1, -1.5, 2.5, 2147483648, -2147483649, 4294967296, 2 ** 63, 5e-324, Infinity, -Infinity]
    .map(f64Bits)
    .concat(0x7ff8000000000000n, 0xfff8000012345678n, 0x7ff0000000000001n),
};

export function isNan(type: NumType, bits: bigint): boolean {
  if (type === 'f32') return (bits & 0x7fffffffn) > 0x7f800000n;
  return type === 'f64' && (bits & 0x7fffffffffffffffn) > 0x7ff0000000000000n;
}

/** The quiet bit is set (WebAssembly core 4.3.3.2). */
export function isArithmeticNan(type: NumType, bits: bigint): boolean {
  if (!isNan(type, bits)) return false;
  return type === 'f32' ? (bits & 0x400000n) !== 0n : (bits & 0x8000000000000n) !== 0n;
}

/** The quiet bit is the whole payload. */
export function isCanonicalNan(type: NumType, bits: bigint): boolean {
  if (type === 'f32') return (bits & 0x7fffffffn) === 0x7fc00000n;
  return type === 'f64' && (bits & 0x7fffffffffffffffn) === 0x7ff8000000000000n;
}

/** The text form of contract and command line: `i32:0x0000002a`. */
export function show(type: ValType, bits: Bits): string {
  if (type === 'funcref' || type === 'externref') return `${type}:${bits ?? 'null'}`;
  return `${type}:0x${bits!.toString(16).padStart(widthOf(type) / 4, '0')}`;
}
