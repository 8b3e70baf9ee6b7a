// What the pure operations compute, on constants as `Inst.imm` has them: i32 a signed number, i64 a signed bigint, floats
// as their unsigned bits. For constant folding, and for the tests' interpreter. Where WebAssembly leaves a NaN's bits
// open (core 4.3.3) the result is the canonical one.

import type { Inst, Op, Type } from './ir.ts';

export type Value = number | bigint;

const scratch = new DataView(new ArrayBuffer(8));

export function toFloat(type: Type, bits: Value): number {
  if (type === 'f32') {
    scratch.setUint32(0, bits as number);
    return scratch.getFloat32(0);
  }
  scratch.setBigUint64(0, bits as bigint);
  return scratch.getFloat64(0);
}

export function fromFloat(type: Type, x: number): Value {
  if (Number.isNaN(x)) return type === 'f32' ? 0x7fc00000 : 0x7ff8000000000000n;
  if (type === 'f32') {
    scratch.setFloat32(0, x);
    return scratch.getUint32(0);
  }
  scratch.setFloat64(0, x);
  return scratch.getBigUint64(0);
}

export function isNaNBits(type: Type, bits: Value): boolean {
  return (type === 'f32' || type === 'f64') && Number.isNaN(toFloat(type, bits));
}

/** The result, or undefined if the operation traps or is none that depends on its operands alone. */
export function evaluate(inst: Inst, args: Value[]): Value | undefined {
  const { op, type } = inst;
  const from = inst.args[0]?.type;
  if (op === 'select') return args[0] !== 0 ? args[1] : args[2];
  const compare = COMPARE[op];
  if (compare) return compare(from === 'i32' ? 32 : 64, args[0], args[1]) ? 1 : 0;
  const floatCompare = FLOAT_COMPARE[op];
  if (floatCompare) return floatCompare(toFloat(from, args[0]), toFloat(from, args[1])) ? 1 : 0;
  const float = FLOAT[op];
  if (float)
    return fromFloat(type, float(toFloat(type, args[0]), args.length > 1 ? toFloat(type, args[1]) : 0));
  if (type === 'f32' || type === 'f64') return toFloatType(op, type, from, args);
  if (op.startsWith('trunc')) return truncate(op, type, toFloat(from, args[0]));
  if (op === 'eqz') return BigInt(args[0]) === 0n ? 1 : 0;
  if (op === 'wrap') return Number(BigInt.asIntN(32, args[0] as bigint));
  if (op === 'sext') return BigInt(args[0]);
  if (op === 'zext') return BigInt((args[0] as number) >>> 0);
  if (op === 'bitcast')
    return type === 'i32' ? (args[0] as number) | 0 : BigInt.asIntN(64, args[0] as bigint);
  if (type === 'i32') return INT32[op]?.(args[0] as number, args[1] as number);
  return type === 'i64' ? int64(op, args[0] as bigint, args[1] as bigint) : undefined;
}

// --- integers ---

type Compare = (bits: number, a: Value, b: Value) => boolean;

function unsigned(bits: number, a: Value): bigint {
  return BigInt.asUintN(bits, BigInt(a));
}

const COMPARE: Partial<Record<Op, Compare>> = {
  eq: (_, a, b) => a === b,
  ne: (_, a, b) => a !== b,
  lts: (_, a, b) => a < b,
  gts: (_, a, b) => a > b,
  les: (_, a, b) => a <= b,
  ges: (_, a, b) => a >= b,
  ltu: (bits, a, b) => unsigned(bits, a) < unsigned(bits, b),
  gtu: (bits, a, b) => unsigned(bits, a) > unsigned(bits, b),
  leu: (bits, a, b) => unsigned(bits, a) <= unsigned(bits, b),
  geu: (bits, a, b) => unsigned(bits, a) >= unsigned(bits, b),
};

type Int32 = (a: number, b: number) => number | undefined;

const INT32: Partial<Record<Op, Int32>> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shrs: (a, b) => a >> b,
  shru: (a, b) => (a >>> b) | 0,
  rotl: (a, b) => (a << b) | (b & 31 && a >>> (32 - (b & 31))),
  rotr: (a, b) => (a >>> b) | (b & 31 && a << (32 - (b & 31))),
  divs: (a, b) => (b === 0 || (a === -0x80000000 && b === -1) ? undefined : (a / b) | 0),
  divu: (a, b) => (b === 0 ? undefined : ((a >>> 0) / (b >>> 0)) | 0),
  rems: (a, b) => (b === 0 ? undefined : (a % b) | 0),
  remu: (a, b) => (b === 0 ? undefined : ((a >>> 0) % (b >>> 0)) | 0),
  clz: (a) => Math.clz32(a),
  ctz: (a) => (a === 0 ? 32 : 31 - Math.clz32(a & -a)),
  popcnt: (a) => bitCount(BigInt(a >>> 0)),
  extend8s: (a) => (a << 24) >> 24,
  extend16s: (a) => (a << 16) >> 16,
};

function bitCount(a: bigint): number {
  let count = 0;
  for (let rest = a; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}

function int64(op: Op, a: bigint, b: bigint): bigint | undefined {
  const result = INT64[op]?.(a, b, BigInt.asUintN(64, a));
  return result === undefined ? undefined : BigInt.asIntN(64, result);
}

/** `u` is the first operand, unsigned. */
type Int64 = (a: bigint, b: bigint, u: bigint) => bigint | undefined;

const INT64: Partial<Record<Op, Int64>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << (b & 63n),
  shrs: (a, b) => a >> (b & 63n),
  shru: (_, b, u) => u >> (b & 63n),
  rotl: (_, b, u) => (u << (b & 63n)) | (u >> (64n - (b & 63n))),
  rotr: (_, b, u) => (u >> (b & 63n)) | (u << (64n - (b & 63n))),
  divs: (a, b) => (b === 0n || (a === -(2n ** 63n) && b === -1n) ? undefined : a / b),
  divu: (_, b, u) => (b === 0n ? undefined : u / BigInt.asUintN(64, b)),
  rems: (a, b) => (b === 0n ? undefined : a % b),
  remu: (_, b, u) => (b === 0n ? undefined : u % BigInt.asUintN(64, b)),
  mulhis: (a, b) => (a * b) >> 64n,
  mulhiu: (_, b, u) => (u * BigInt.asUintN(64, b)) >> 64n,
  clz: (_a, _b, u) => BigInt(64 - (u === 0n ? 0 : u.toString(2).length)),
  ctz: (_a, _b, u) => (u === 0n ? 64n : BigInt((u & -u).toString(2).length - 1)),
  popcnt: (_a, _b, u) => BigInt(bitCount(u)),
  extend8s: (a) => BigInt.asIntN(8, a),
  extend16s: (a) => BigInt.asIntN(16, a),
  extend32s: (a) => BigInt.asIntN(32, a),
};

// --- floats ---

const FLOAT_COMPARE: Partial<Record<Op, (a: number, b: number) => boolean>> = {
  feq: (a, b) => a === b,
  fne: (a, b) => a !== b,
  flt: (a, b) => a < b,
  fgt: (a, b) => a > b,
  fle: (a, b) => a <= b,
  fge: (a, b) => a >= b,
};

/** Computed in f64 and rounded once: exact for f32 too, as f64 has more than twice its precision. Math.min and
 * Math.max order zeros and propagate NaN just as WebAssembly does. */
const FLOAT: Partial<Record<Op, (a: number, b: number) => number>> = {
  fadd: (a, b) => a + b,
  fsub: (a, b) => a - b,
  fmul: (a, b) => a * b,
  fdiv: (a, b) => a / b,
  fmin: Math.min,
  fmax: Math.max,
  fsqrt: Math.sqrt,
  fceil: Math.ceil,
  ffloor: Math.floor,
  ftrunc: Math.trunc,
  fnearest: nearest,
};

/** Rounds to an integer, ties to even. Adding 2^52 and taking it away does that below 2^52. */
function nearest(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 2 ** 52)) return x;
  const rounded = magnitude + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

function toFloatType(op: Op, type: Type, from: Type, args: Value[]): Value | undefined {
  switch (op) {
    case 'fabs':
      return signed(type, args[0], 0n);
    case 'fneg':
      return signed(type, args[0], signOf(type, args[0]) ^ 1n);
    case 'fcopysign':
      return signed(type, args[0], signOf(type, args[1]));
    case 'bitcast':
      return type === 'f32' ? (args[0] as number) >>> 0 : BigInt.asUintN(64, args[0] as bigint);
    case 'demote':
    case 'promote':
      return fromFloat(type, toFloat(from, args[0]));
    case 'converts':
      return fromFloat(type, fromInteger(type, BigInt(args[0])));
    case 'convertu':
      return fromFloat(type, fromInteger(type, unsigned(from === 'i32' ? 32 : 64, args[0])));
    default:
      return undefined;
  }
}

function signOf(type: Type, bits: Value): bigint {
  return BigInt(bits) >> (type === 'f32' ? 31n : 63n);
}

function signed(type: Type, bits: Value, sign: bigint): Value {
  const at = type === 'f32' ? 31n : 63n;
  const result = BigInt.asUintN(Number(at), BigInt(bits)) | (sign << at);
  return type === 'f32' ? Number(result) : result;
}

/** Rounding to f64 first would round twice on the way to f32: the bits below the 53rd are kept as a sticky bit. */
function fromInteger(type: Type, x: bigint): number {
  if (type === 'f64' || (x < 2n ** 53n && x > -(2n ** 53n))) return Number(x);
  const sticky = (x & 0x7ffn) === 0n ? 0n : 1n;
  return Number((x >> 11n) | sticky) * 2048;
}

function truncate(op: Op, type: Type, x: number): Value | undefined {
  const saturate = op === 'truncsats' || op === 'truncsatu';
  const isSigned = op === 'truncs' || op === 'truncsats';
  const bits = type === 'i32' ? 32n : 64n;
  const min = isSigned ? -(1n << (bits - 1n)) : 0n;
  const max = isSigned ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  let result: bigint;
  if (Number.isFinite(x)) result = BigInt(Math.trunc(x));
  else if (!saturate) return undefined;
  else result = Number.isNaN(x) ? 0n : x < 0 ? min : max;
  if (result < min || result > max) {
    if (!saturate) return undefined;
    result = result < min ? min : max;
  }
  return type === 'i32' ? Number(BigInt.asIntN(32, result)) : BigInt.asIntN(64, result);
}
