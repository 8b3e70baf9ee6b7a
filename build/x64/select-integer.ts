// Selection of integer arithmetic, comparisons and select. Conditions are never made into flags that live on:
// each consumer (branch, setcc, cmov, trap) carries its comparison in `FlagsSpec`.

import type { Inst, IntCompare } from '../ir/ir.ts';
import { type MMem, Operand, RAX, RCX, RDX } from './mir.ts';
import { isPinnedBase, memOperand } from './select-memory.ts';
import { immediate, isConst, type Selector, scaledIndex, sizeOf } from './selector.ts';

/** A comparison that sets the flags for its consumer; operand positions refer to the consumer's `ops`. */
export interface FlagsSpec {
  kind: 'cmp' | 'test' | 'ucomis';
  size: 1 | 2 | 4 | 8;
  /** Position of the left operand, or -1 when `mem` stands in its place. */
  a: number;
  /** Position of the right operand, or -1: an immediate (`imm`) or `mem`. */
  b: number;
  imm?: number;
  mem?: MMem;
}

/** Condition codes of the processor, and the two that need the parity flag as well (float equality). */
export type Cond =
  | 'b'
  | 'ae'
  | 'e'
  | 'ne'
  | 'be'
  | 'a'
  | 's'
  | 'ns'
  | 'l'
  | 'ge'
  | 'le'
  | 'g'
  | 'p'
  | 'np'
  | 'e_np'
  | 'ne_p';

const INVERSE: Record<Cond, Cond> = {
  b: 'ae',
  ae: 'b',
  e: 'ne',
  ne: 'e',
  be: 'a',
  a: 'be',
  s: 'ns',
  ns: 's',
  l: 'ge',
  ge: 'l',
  le: 'g',
  g: 'le',
  p: 'np',
  np: 'p',
  e_np: 'ne_p',
  ne_p: 'e_np',
};

export function invert(cond: Cond): Cond {
  return INVERSE[cond];
}

const INT_COND: Record<IntCompare, Cond> = {
  eq: 'e',
  ne: 'ne',
  lts: 'l',
  ltu: 'b',
  gts: 'g',
  gtu: 'a',
  les: 'le',
  leu: 'be',
  ges: 'ge',
  geu: 'ae',
};

/** The condition when the operands are exchanged. */
const SWAPPED: Partial<Record<Cond, Cond>> = {
  e: 'e',
  ne: 'ne',
  l: 'g',
  g: 'l',
  b: 'a',
  a: 'b',
  le: 'ge',
  ge: 'le',
  be: 'ae',
  ae: 'be',
};

/** Appends to `ops` what it takes to test whether i32 `v` is not zero; returns how to test it. */
export function condition(s: Selector, v: Inst, ops: Operand[]): { cond: Cond; flags: FlagsSpec } {
  if (v.op === 'eqz' && s.foldableCompare(v)) {
    return s.below(v, () => {
      const x = v.args[0];
      if (x.type === 'i32') {
        const inner = condition(s, x, ops);
        return { cond: invert(inner.cond), flags: inner.flags };
      }
      return { cond: 'e', flags: testZero(s, x, ops) };
    });
  }
  if (v.op in INT_COND && s.foldableCompare(v)) {
    return s.below(v, () => compare(s, INT_COND[v.op as IntCompare], v.args[0], v.args[1], ops));
  }
  const float = FLOAT_COMPARE[v.op];
  if (float && s.foldableCompare(v)) {
    return s.below(v, () => {
      const [x, y] = float.swap ? [v.args[1], v.args[0]] : v.args;
      ops.push(s.use(x), s.use(y));
      const flags: FlagsSpec = { kind: 'ucomis', size: sizeOf(x.type), a: ops.length - 2, b: ops.length - 1 };
      return { cond: float.cond, flags };
    });
  }
  return { cond: 'ne', flags: testZero(s, v, ops) };
}

/** ucomis leaves CF, ZF and PF: "above" and "above or equal" are false on NaN, so the operands are put in that order. */
const FLOAT_COMPARE: Record<string, { cond: Cond; swap: boolean } | undefined> = {
  feq: { cond: 'e_np', swap: false },
  fne: { cond: 'ne_p', swap: false },
  fgt: { cond: 'a', swap: false },
  fge: { cond: 'ae', swap: false },
  flt: { cond: 'a', swap: true },
  fle: { cond: 'ae', swap: true },
};

function testZero(s: Selector, x: Inst, ops: Operand[]): FlagsSpec {
  const size = sizeOf(x.type);
  if (x.op === 'and' && s.foldable(x)) {
    const [a, b] = constantRight(x.args[0], x.args[1]);
    const imm = immediate(b);
    if (imm !== undefined && testsMemory(s, a, imm)) {
      const narrow = a.width as 1 | 4 | 8;
      return { kind: 'test', size: narrow, a: -1, b: -1, imm, mem: memOperand(s, a, ops) };
    }
    ops.push(s.use(a));
    const first = ops.length - 1;
    if (imm !== undefined) return { kind: 'test', size, a: first, b: -1, imm };
    ops.push(s.use(b));
    return { kind: 'test', size, a: first, b: first + 1 };
  }
  const width = x.width as 1 | 2 | 4 | 8;
  if (s.foldableLoad(x, width)) {
    return { kind: 'cmp', size: width, a: -1, b: -1, imm: 0, mem: memOperand(s, x, ops) };
  }
  ops.push(s.use(x));
  return { kind: 'test', size, a: ops.length - 1, b: ops.length - 1 };
}

/** Whether `load & mask` can be tested in memory: no bit of the mask lies beyond what is loaded. */
function testsMemory(s: Selector, load: Inst, mask: number): boolean {
  if (!s.foldableLoad(load, load.width)) return false;
  if (load.width === 1) return mask >= 0 && mask <= 0xff;
  return load.width === sizeOf(load.type);
}

/** As `compare` with a constant, for a byte or halfword in memory: what extends it must not change the outcome. */
function compareNarrow(s: Selector, cond: Cond, x: Inst, imm: number, ops: Operand[]) {
  const width = x.width as 1 | 2;
  if (width > 2 || !s.foldableLoad(x, width)) return undefined;
  const bits = 8 * width;
  const fits = x.signed ? Math.abs(2 * imm + 1) < 2 ** bits : imm >= 0 && imm < 2 ** bits;
  // A 16-bit immediate changes the instruction's length for the decoder, which stalls (Intel's Optimization
  // Manual, 3.4.2.3).
  if (!fits || (width === 2 && (imm << 24) >> 24 !== imm)) return undefined;
  const unsigned = UNSIGNED[cond];
  if (x.signed ? unsigned === cond && cond !== 'e' && cond !== 'ne' : !unsigned) return undefined;
  const flags: FlagsSpec = { kind: 'cmp', size: width, a: -1, b: -1, imm, mem: memOperand(s, x, ops) };
  return { cond: x.signed ? cond : unsigned!, flags };
}

/** Of values that are not negative, the signed conditions are the unsigned ones. */
const UNSIGNED: Partial<Record<Cond, Cond>> = {
  e: 'e',
  ne: 'ne',
  b: 'b',
  ae: 'ae',
  be: 'be',
  a: 'a',
  l: 'b',
  ge: 'ae',
  le: 'be',
  g: 'a',
};

function compare(
  s: Selector,
  cond: Cond,
  x: Inst,
  y: Inst,
  ops: Operand[],
): { cond: Cond; flags: FlagsSpec } {
  if (isConst(x) && !isConst(y)) return compare(s, SWAPPED[cond]!, y, x, ops);
  const size = sizeOf(x.type);
  const imm = immediate(y);
  if (imm === 0 && (cond === 'e' || cond === 'ne')) return { cond, flags: testZero(s, x, ops) };
  const narrow = imm === undefined ? undefined : compareNarrow(s, cond, x, imm, ops);
  if (narrow) return narrow;
  if (imm === 0 && (cond === 'l' || cond === 'ge')) {
    ops.push(s.use(x));
    const at = ops.length - 1;
    return { cond: cond === 'l' ? 's' : 'ns', flags: { kind: 'test', size, a: at, b: at } };
  }
  if (imm !== undefined) {
    if (s.foldableLoad(x, size))
      return { cond, flags: { kind: 'cmp', size, a: -1, b: -1, imm, mem: memOperand(s, x, ops) } };
    ops.push(s.use(x, 'any'));
    return { cond, flags: { kind: 'cmp', size, a: ops.length - 1, b: -1, imm } };
  }
  if (s.foldableLoad(y, size)) {
    ops.push(s.use(x));
    const a = ops.length - 1;
    return { cond, flags: { kind: 'cmp', size, a, b: -1, mem: memOperand(s, y, ops) } };
  }
  if (s.foldableLoad(x, size)) return compareLoadLeft(s, cond, x, y, size, ops);
  ops.push(s.use(x), s.use(y, 'any'));
  return { cond, flags: { kind: 'cmp', size, a: ops.length - 2, b: ops.length - 1 } };
}

function compareLoadLeft(s: Selector, cond: Cond, x: Inst, y: Inst, size: 4 | 8, ops: Operand[]) {
  ops.push(s.use(y));
  const a = ops.length - 1;
  const flags: FlagsSpec = { kind: 'cmp', size, a, b: -1, mem: memOperand(s, x, ops) };
  return { cond: SWAPPED[cond]!, flags };
}

function constantRight(a: Inst, b: Inst): [Inst, Inst] {
  return isConst(a) ? [b, a] : [a, b];
}

// --- arithmetic ---

const ALU: Record<string, string | undefined> = { add: 'add', sub: 'sub', and: 'and', or: 'or', xor: 'xor' };
const SHIFT: Record<string, string | undefined> = {
  shl: 'shl',
  shrs: 'sar',
  shru: 'shr',
  rotl: 'rol',
  rotr: 'ror',
};

export function lowerInteger(s: Selector, inst: Inst): boolean {
  const op = inst.op;
  if (op === 'add' || op === 'sub') return lowerAddSub(s, inst);
  if (ALU[op]) return lowerAlu(s, inst, ALU[op]);
  if (op === 'mul') return lowerMul(s, inst);
  if (SHIFT[op]) return lowerShift(s, inst, SHIFT[op]);
  if (op === 'divs' || op === 'divu' || op === 'rems' || op === 'remu') return lowerDivision(s, inst);
  if (op === 'mulhis' || op === 'mulhiu') return lowerMulHigh(s, inst);
  if (op in INT_COND || op === 'eqz' || FLOAT_COMPARE[op]) return lowerSetcc(s, inst);
  if (op === 'select') return lowerSelect(s, inst);
  return lowerIntUnary(s, inst);
}

function lowerAddSub(s: Selector, inst: Inst): boolean {
  const size = sizeOf(inst.type);
  const [a, b] = inst.op === 'add' ? constantRight(inst.args[0], inst.args[1]) : inst.args;
  const imm = immediate(b);
  if (inst.op === 'sub') {
    if (imm !== undefined && imm !== -0x80000000) return addImmediate(s, inst, a, -imm);
    if (immediate(a) === 0) {
      s.emit('unary', [s.def(inst, 'reuse', 1), s.use(b)], { unary: 'neg', size });
      return true;
    }
    return lowerAlu(s, inst, 'sub');
  }
  if (imm !== undefined) return addImmediate(s, inst, a, imm);
  if (isPinnedBase(s, a)) {
    const mem: MMem = { base: -1, index: 1, scale: 1, disp: 0, pinned: true };
    s.emit('lea', [s.def(inst), s.use(b)], { size, mem });
    return true;
  }
  const scaledB = scaledIndex(s, b);
  if (scaledB) return leaScaled(s, inst, a, scaledB);
  const scaledA = scaledIndex(s, a);
  if (scaledA) return leaScaled(s, inst, b, scaledA);
  if (s.foldableLoad(a, size) || s.foldableLoad(b, size)) return lowerAlu(s, inst, 'add');
  s.emit('lea', [s.def(inst), s.use(a), s.use(b)], { size, mem: { base: 1, index: 2, scale: 1, disp: 0 } });
  return true;
}

function addImmediate(s: Selector, inst: Inst, a: Inst, imm: number): boolean {
  const size = sizeOf(inst.type);
  if (a.op === 'add' && s.foldable(a) && !isConst(a.args[0]) && !isConst(a.args[1])) {
    const ops = [s.def(inst)];
    const right = scaledIndex(s, a.args[1]);
    const scaled = right ?? scaledIndex(s, a.args[0]);
    const base = scaled && !right ? a.args[1] : a.args[0];
    ops.push(s.use(base), s.use(scaled ? scaled.index : a.args[1]));
    s.emit('lea', ops, { size, mem: { base: 1, index: 2, scale: scaled?.scale ?? 1, disp: imm } });
    return true;
  }
  s.emit('lea', [s.def(inst), s.use(a)], { size, mem: { base: 1, index: -1, scale: 1, disp: imm } });
  return true;
}

function leaScaled(s: Selector, inst: Inst, base: Inst, scaled: { index: Inst; scale: 2 | 4 | 8 }): boolean {
  const mem: MMem = { base: 1, index: 2, scale: scaled.scale, disp: 0 };
  s.emit('lea', [s.def(inst), s.use(base), s.use(scaled.index)], { size: sizeOf(inst.type), mem });
  return true;
}

function lowerAlu(s: Selector, inst: Inst, alu: string): boolean {
  const size = sizeOf(inst.type);
  const commutes = alu !== 'sub';
  let [a, b] = commutes ? constantRight(inst.args[0], inst.args[1]) : inst.args;
  const imm = immediate(b);
  if (imm !== undefined) {
    if (alu === 'and' && (imm === 0xff || imm === 0xffff)) {
      s.emit('movzx', [s.def(inst), s.use(a)], { width: imm === 0xff ? 1 : 2 });
    } else if (alu === 'xor' && imm === -1) {
      s.emit('unary', [s.def(inst, 'reuse', 1), s.use(a)], { unary: 'not', size });
    } else {
      s.emit('alu', [s.def(inst, 'reuse', 1), s.use(a)], { alu, size, imm });
    }
    return true;
  }
  if (commutes && (s.foldableLoad(a, size) || s.usesOf(a) > 1) && !s.foldableLoad(b, size)) [a, b] = [b, a];
  if (s.foldableLoad(b, size)) {
    const ops = [s.def(inst, 'reuse', 1), s.use(a)];
    s.emit('alu', ops, { alu, size, mem: memOperand(s, b, ops) });
    return true;
  }
  s.emit('alu', [s.def(inst, 'reuse', 1), s.use(a), s.use(b, 'any')], { alu, size }).commutative = commutes;
  return true;
}

function lowerMul(s: Selector, inst: Inst): boolean {
  const size = sizeOf(inst.type);
  const [a, b] = constantRight(inst.args[0], inst.args[1]);
  const imm = immediate(b);
  if (imm === 3 || imm === 5 || imm === 9) {
    const x = s.value(a);
    const ops = [s.def(inst), new Operand(x, 'use'), new Operand(x, 'use')];
    s.emit('lea', ops, { size, mem: { base: 1, index: 2, scale: (imm - 1) as 2 | 4 | 8, disp: 0 } });
  } else if (imm !== undefined) {
    s.emit('imulimm', [s.def(inst), s.use(a, 'any')], { size, imm });
  } else if (s.foldableLoad(b, size)) {
    const ops = [s.def(inst, 'reuse', 1), s.use(a)];
    s.emit('imul', ops, { size, mem: memOperand(s, b, ops) });
  } else {
    s.emit('imul', [s.def(inst, 'reuse', 1), s.use(a), s.use(b, 'any')], { size }).commutative = true;
  }
  return true;
}

function lowerShift(s: Selector, inst: Inst, shift: string): boolean {
  const size = sizeOf(inst.type);
  const [a, count] = inst.args;
  if (isConst(count)) {
    const n = Number(BigInt.asUintN(size === 4 ? 5 : 6, BigInt(count.imm)));
    s.emit('shift', [s.def(inst, 'reuse', 1), s.use(a)], { shift, size, imm: n });
    return true;
  }
  s.emit('shift', [s.def(inst, 'reuse', 1), s.use(a), s.use(count, 'fixed', RCX)], { shift, size });
  return true;
}

/** div and idiv: rdx:rax by a register, quotient in rax, remainder in rdx. The divisor must be a register: the trap
 * handler reads it to tell division by zero from overflow. */
function lowerDivision(s: Selector, inst: Inst): boolean {
  const size = sizeOf(inst.type);
  const signed = inst.op === 'divs' || inst.op === 'rems';
  const wantsRemainder = inst.op === 'rems' || inst.op === 'remu';
  const [a, b] = inst.args;
  const ops = [s.def(inst, 'fixed', wantsRemainder ? RDX : RAX), s.use(a, 'fixed', RAX), s.lateUse(b)];
  const divisor = immediate(b);
  // A remainder by -1 is 0, but idiv overflows on the smallest dividend (WebAssembly core 4.3.2, irem_s).
  const checkMinusOne = inst.op === 'rems' && (divisor === undefined || divisor === -1);
  const m = s.emit('div', ops, { size, signed, checkMinusOne, trap: 'division' });
  m.clobbers = (1 << (wantsRemainder ? RAX : RDX)) >>> 0;
  return true;
}

/** mul and imul: rax by a register or slot, the upper half of the product in rdx. */
function lowerMulHigh(s: Selector, inst: Inst): boolean {
  const [a, b] = inst.args;
  const ops = [s.def(inst, 'fixed', RDX), s.use(a, 'fixed', RAX), s.use(b, 'any')];
  s.emit('mulhigh', ops, { size: 8, signed: inst.op === 'mulhis' }).clobbers = (1 << RAX) >>> 0;
  return true;
}

function lowerSetcc(s: Selector, inst: Inst): boolean {
  const ops = [s.def(inst)];
  // The comparison is the root itself: its own operands may be folded freely.
  const { cond, flags } = rootCondition(s, inst, ops);
  s.emit('setcc', ops, { cond, flags });
  return true;
}

function rootCondition(s: Selector, v: Inst, ops: Operand[]): { cond: Cond; flags: FlagsSpec } {
  if (v.op === 'eqz') {
    const x = v.args[0];
    if (x.type === 'i64') return { cond: 'e', flags: testZero(s, x, ops) };
    const inner = condition(s, x, ops);
    return { cond: invert(inner.cond), flags: inner.flags };
  }
  if (v.op in INT_COND) return compare(s, INT_COND[v.op as IntCompare], v.args[0], v.args[1], ops);
  const float = FLOAT_COMPARE[v.op]!;
  const [x, y] = float.swap ? [v.args[1], v.args[0]] : v.args;
  ops.push(s.use(x), s.use(y));
  return {
    cond: float.cond,
    flags: { kind: 'ucomis', size: sizeOf(x.type), a: ops.length - 2, b: ops.length - 1 },
  };
}

function lowerSelect(s: Selector, inst: Inst): boolean {
  const [c, yes, no] = inst.args;
  const size = sizeOf(inst.type);
  const float = inst.type === 'f32' || inst.type === 'f64';
  const ops = [s.def(inst, 'reuse', 1), s.use(no), float ? s.use(yes) : s.use(yes, 'any')];
  const { cond, flags } = condition(s, c, ops);
  if (cond !== 'e_np' || float) {
    s.emit(float ? 'fselect' : 'cmov', ops, { cond, flags, size });
    return true;
  }
  // Equal and ordered takes two conditions at once; its inverse takes either of two, which two cmovs can do.
  const [reuse, other] = [s.use(yes), s.use(no, 'any')];
  ops[1] = reuse;
  ops[2] = other;
  s.emit('cmov', ops, { cond: 'ne_p', flags, size });
  return true;
}

function lowerIntUnary(s: Selector, inst: Inst): boolean {
  const [a] = inst.args;
  const size = a ? sizeOf(a.type) : 4;
  switch (inst.op) {
    case 'clz':
      s.emit('clz', [s.def(inst), s.lateUse(a)], { size });
      return true;
    case 'ctz':
      s.emit('ctz', [s.def(inst), s.lateUse(a)], { size });
      return true;
    case 'popcnt':
      s.emit('popcnt', [s.def(inst), s.use(a, 'any')], { size });
      return true;
    case 'extend8s':
    case 'extend16s':
    case 'extend32s': {
      const width = inst.op === 'extend8s' ? 1 : inst.op === 'extend16s' ? 2 : 4;
      s.emit('movsx', [s.def(inst), s.use(a)], { width, size });
      return true;
    }
    case 'sext':
      s.emit('movsx', [s.def(inst), s.use(a)], { width: 4, size: 8 });
      return true;
    case 'zext':
      // Reached only for a constant operand: other zexts share their operand's register.
      s.emit('mov32', [s.def(inst), s.use(a)]);
      return true;
    case 'wrap':
      s.emit('mov32', [s.def(inst), s.use(a)]);
      return true;
    default:
      return false;
  }
}
