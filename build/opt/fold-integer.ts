// Rules for integer arithmetic and comparisons. A constant operand is on the right after the first rule has run.

import { bitsOf, extendedBits, INVERSE, type Inst, type Op } from '../ir/ir.ts';
import { constOf, type Folder, isConst, type Rule } from './fold.ts';

function widthOf(v: Inst): bigint {
  return BigInt(bitsOf(v.type));
}

/** The exponent if `n`, unsigned, is a power of two. */
function log2(n: bigint, bits: bigint): bigint | undefined {
  const u = BigInt.asUintN(Number(bits), n);
  if (u === 0n || (u & (u - 1n)) !== 0n) return undefined;
  return BigInt(u.toString(2).length - 1);
}

/** Whether the value is an i32 that is known to be 0 or 1. */
function isBoolean(v: Inst): boolean {
  if (v.type !== 'i32') return false;
  return (
    v.op in INVERSE || v.op in FLOAT_COMPARES || v.op === 'eqz' || (v.op === 'and' && isConst(v.args[1], 1))
  );
}

/** Intrinsics that bring in less than an i32 (docs/abi.md §6). */
const NARROW_RESULT: Record<string, bigint | undefined> = {
  in8: 0xffn,
  in16: 0xffffn,
  load8: 0xffn,
  load16: 0xffffn,
  peek8: 0xffn,
};

/** Zero-extended to more than it holds: the bits that may be set. */
function maskOf(v: Inst): bigint | undefined {
  if (v.op === 'load' && !v.signed && v.width < Number(widthOf(v)) / 8)
    return (1n << BigInt(8 * v.width)) - 1n;
  if (v.op === 'and') return constOf(v.args[1]);
  return v.op === 'x86' ? NARROW_RESULT[v.intrinsic] : undefined;
}

const SWAPPED: Partial<Record<Op, Op>> = {
  add: 'add',
  mul: 'mul',
  and: 'and',
  or: 'or',
  xor: 'xor',
  eq: 'eq',
  ne: 'ne',
  lts: 'gts',
  gts: 'lts',
  les: 'ges',
  ges: 'les',
  ltu: 'gtu',
  gtu: 'ltu',
  leu: 'geu',
  geu: 'leu',
};
/** With the inverse where it has one: a comparison with NaN is false, and so is the opposite one. */
const FLOAT_COMPARES: Partial<Record<Op, Op | null>> = {
  feq: 'fne',
  fne: 'feq',
  flt: null,
  fgt: null,
  fle: null,
  fge: null,
};

const constantRight: Rule = (f, inst) => {
  const [a, b] = inst.args;
  return a.op === 'const' && b.op !== 'const' ? f.become(inst, SWAPPED[inst.op]!, b, a) : undefined;
};

const add: Rule = (f, inst) => {
  const [a, b] = inst.args;
  const c = constOf(b);
  if (c === undefined) return undefined;
  if (c === 0n) return a;
  const inner = a.op === 'add' ? constOf(a.args[1]) : undefined;
  return inner === undefined ? undefined : f.become(inst, 'add', a.args[0], f.constant(inst.type, inner + c));
};

const sub: Rule = (f, inst) => {
  const [a, b] = inst.args;
  if (a === b) return f.becomeConst(inst, inst.type === 'i32' ? 0 : 0n);
  const c = constOf(b);
  return c === undefined ? undefined : f.become(inst, 'add', a, f.constant(inst.type, -c));
};

const mul: Rule = (f, inst) => {
  const [a, b] = inst.args;
  const c = constOf(b);
  if (c === undefined) return undefined;
  if (c === 0n) return b;
  const shift = log2(c, widthOf(inst));
  if (shift === undefined) return undefined;
  return shift === 0n ? a : f.become(inst, 'shl', a, f.constant(inst.type, shift));
};

const and: Rule = (f, inst) => {
  const [a, b] = inst.args;
  if (a === b) return a;
  const c = constOf(b);
  if (c === undefined) return undefined;
  if (c === 0n) return b;
  if (c === -1n || (c === 1n && isBoolean(a))) return a;
  const may = maskOf(a);
  if (may === undefined) return undefined;
  if ((BigInt.asUintN(64, may) & ~BigInt.asUintN(64, c)) === 0n) return a;
  return a.op === 'and' ? f.become(inst, 'and', a.args[0], f.constant(inst.type, may & c)) : undefined;
};

const or: Rule = (_, inst) => {
  const [a, b] = inst.args;
  if (a === b || isConst(b, 0)) return a;
  return isConst(b, -1) ? b : undefined;
};

const xor: Rule = (f, inst) => {
  const [a, b] = inst.args;
  if (isConst(b, 0)) return a;
  return a === b ? f.becomeConst(inst, inst.type === 'i32' ? 0 : 0n) : undefined;
};

/** The count of a shift or rotation by a constant, as the processor takes it. */
function countOf(inst: Inst): bigint | undefined {
  const n = constOf(inst.args[1]);
  return n === undefined ? undefined : n & (widthOf(inst) - 1n);
}

const shift: Rule = (f, inst) => {
  const [a] = inst.args;
  const n = countOf(inst);
  if (n === 0n || isConst(a, 0)) return a;
  if (n === undefined || a.op !== 'shl' || countOf(a) !== n) return undefined;
  // Up and down by the same count: the value's low part, extended.
  const low = widthOf(inst) - n;
  if (inst.op === 'shru' && low < 32n)
    return f.become(inst, 'and', a.args[0], f.constant(inst.type, (1n << low) - 1n));
  const extend: Op | undefined = inst.op !== 'shrs' ? undefined : EXTENDS[String(low)];
  return extend ? f.become(inst, extend, a.args[0]) : undefined;
};

const EXTENDS: Record<string, Op | undefined> = { 8: 'extend8s', 16: 'extend16s', 32: 'extend32s' };

const divu: Rule = (f, inst) => {
  const [a, b] = inst.args;
  const shiftBy = divisor(inst);
  if (shiftBy === undefined) return undefined;
  return shiftBy === 0n ? a : f.become(inst, 'shru', a, f.constant(b.type, shiftBy));
};

const remu: Rule = (f, inst) => {
  const [a, b] = inst.args;
  const shiftBy = divisor(inst);
  return shiftBy === undefined
    ? undefined
    : f.become(inst, 'and', a, f.constant(b.type, (1n << shiftBy) - 1n));
};

function divisor(inst: Inst): bigint | undefined {
  const c = constOf(inst.args[1]);
  return c === undefined ? undefined : log2(c, widthOf(inst));
}

const divs: Rule = (_, inst) => (isConst(inst.args[1], 1) ? inst.args[0] : undefined);

const rems: Rule = (f, inst) =>
  isConst(inst.args[1], 1) ? f.becomeConst(inst, inst.type === 'i32' ? 0 : 0n) : undefined;

const TRUE_ON_EQUAL: ReadonlySet<Op> = new Set(['eq', 'les', 'leu', 'ges', 'geu']);

const compare: Rule = (f, inst) => {
  const [a, b] = inst.args;
  if (a === b) return f.becomeConst(inst, TRUE_ON_EQUAL.has(inst.op) ? 1 : 0);
  if (isConst(b, 0)) return compareWithZero(f, inst, a);
  if (isConst(b, 1)) return compareWithOne(f, inst, a);
  return undefined;
};

function compareWithZero(f: Folder, inst: Inst, a: Inst): Inst | undefined {
  switch (inst.op) {
    case 'eq':
    case 'leu':
      return f.become(inst, 'eqz', a);
    case 'ne':
      return isBoolean(a) ? a : undefined;
    case 'gtu':
      return f.become(inst, 'ne', a, inst.args[1]);
    case 'ltu':
      return f.becomeConst(inst, 0);
    case 'geu':
      return f.becomeConst(inst, 1);
    default:
      return undefined;
  }
}

function compareWithOne(f: Folder, inst: Inst, a: Inst): Inst | undefined {
  if (inst.op === 'ltu') return f.become(inst, 'eqz', a);
  if (inst.op === 'geu') return f.become(inst, 'ne', a, f.constant(a.type, 0n));
  if (inst.op === 'eq' && isBoolean(a)) return a;
  return inst.op === 'ne' && isBoolean(a) ? f.become(inst, 'eqz', a) : undefined;
}

const eqz: Rule = (f, inst) => {
  const [a] = inst.args;
  if (a.op === 'eqz')
    return isBoolean(a.args[0]) ? a.args[0] : f.become(inst, 'ne', a.args[0], f.constant(a.args[0].type, 0n));
  const inverse = INVERSE[a.op] ?? FLOAT_COMPARES[a.op];
  return inverse ? f.become(inst, inverse, ...a.args) : undefined;
};

/** Sign extensions: of a value that is extended already, or whose upper bits were only masked off. */
const extend: Rule = (f, inst) => {
  const [a] = inst.args;
  const width = extendedBits(inst.op) / 8;
  if (a.op === 'load' && a.signed && a.width <= width) return a;
  if (a.op.startsWith('extend') && extendedBits(a.op) / 8 <= width) return a;
  const mask = a.op === 'and' ? constOf(a.args[1]) : undefined;
  const low = (1n << BigInt(8 * width)) - 1n;
  if (mask !== undefined && (mask & low) === low) return f.become(inst, inst.op, a.args[0]);
  if (width === 4 && a.op === 'sext') return a;
  return width === 4 && a.op === 'zext' ? f.become(inst, 'sext', a.args[0]) : undefined;
};

/** The first rule that applies. */
function either(first: Rule, second: Rule): Rule {
  return (f, inst) => first(f, inst) ?? second(f, inst);
}

export const INTEGER_RULES: Partial<Record<Op, Rule>> = {
  add: either(constantRight, add),
  sub,
  mul: either(constantRight, mul),
  and: either(constantRight, and),
  or: either(constantRight, or),
  xor: either(constantRight, xor),
  shl: shift,
  shrs: shift,
  shru: shift,
  rotl: shift,
  rotr: shift,
  divs,
  divu,
  rems,
  remu,
  eqz,
  extend8s: extend,
  extend16s: extend,
  extend32s: extend,
  wrap: (_, inst) =>
    inst.args[0].op === 'sext' || inst.args[0].op === 'zext' ? inst.args[0].args[0] : undefined,
};
for (const op of Object.keys(INVERSE) as Op[]) INTEGER_RULES[op] = either(constantRight, compare);
