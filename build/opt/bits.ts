// Removes what does not change a bit (masks and extensions of what has no more bits, comparisons with what a value can never
// reach) and what only changes bits that nobody looks at. Signed operations on what is never negative become the
// unsigned ones, and 64-bit divisions of 32-bit values get as short as they are.
//
// Requires constants on the right (fold). First constants lose the bits that nobody looks at, so that less is known
// to be set. Masks are dropped by what is known before they are by what is looked at: of two that each make the other
// superfluous, the one in the loop comes from the one before it, and goes. Each step works from an analysis of the
// function as it finds it: dropping a mask makes bits appear.

import { bitsOf, extendedBits, type Func, type Inst, type Op, shiftCount } from '../ir/ir.ts';
import { KnownBits } from '../ir/known-bits.ts';
import { and, isNone, isSubset, largest, length, type Mask, maskOfConst } from '../ir/mask.ts';
import { Replacements } from '../ir/params.ts';
import { DemandedBits } from './demanded-bits.ts';
import { forgetChanged } from './forget-bits.ts';
import { Sequence } from './sequence.ts';

export function simplifyBits(func: Func): void {
  if (hasAny(func, hasLongConstant)) {
    const demanded = new DemandedBits(func);
    rewrite(func, (inst, b) => shrinkConstant(inst, demanded.get(inst), b), demanded);
  }
  const known = new KnownBits(func);
  rewrite(func, (inst, b) => dropKnown(inst, known, b));
  if (hasAny(func, isDroppable)) {
    const demanded = new DemandedBits(func);
    rewrite(func, (inst) => dropUndemanded(inst, demanded.get(inst)), demanded);
  }
}

function hasAny(func: Func, is: (inst: Inst) => boolean): boolean {
  return func.blocks.some((block) => block.insts.some(is));
}

/** `simplify` returns another value for an integer, or the integer itself if it has changed that in place; what that needs
 * goes into `b`. Only the bits that are `demanded`, if given, stay as they were. */
function rewrite(
  func: Func,
  simplify: (inst: Inst, b: () => Sequence) => Inst | undefined,
  demanded?: DemandedBits,
): void {
  const replaced = new Replacements(func.nextValue);
  const changed: Inst[] = [];
  for (const block of func.blocks) {
    const out: Inst[] = [];
    for (const inst of block.insts) {
      const integer = inst.type === 'i32' || inst.type === 'i64';
      const by = integer ? simplify(inst, () => new Sequence(func, out, inst)) : undefined;
      if (by) changed.push(inst);
      if (by && by !== inst) replaced.set(inst, by);
      else out.push(inst);
    }
    block.insts = out;
  }
  if (demanded && changed.length > 0) forgetChanged(func, changed, demanded);
  if (replaced.count > 0) replaced.rewrite(func);
}

function constantOf(v: Inst | undefined): Mask | undefined {
  return v?.op === 'const' ? maskOfConst(v.imm) : undefined;
}

// --- constants ---

/** In an instruction of its own width any 32 bits are as good; a byte, sign-extended, is shorter. */
function hasLongConstant({ op, type, args: [, y] }: Inst): boolean {
  return (op === 'or' || op === 'xor') && y.op === 'const' && y.imm < (type === 'i32' ? -128 : -0x80000000);
}

function shrinkConstant(inst: Inst, wanted: Mask, b: () => Sequence): Inst | undefined {
  if (!hasLongConstant(inst) || isNone(wanted)) return undefined;
  const left = and(maskOfConst(inst.args[1].imm), wanted);
  if (left.hi !== 0 || (inst.type === 'i64' && left.lo < 0)) return undefined;
  inst.args = [inst.args[0], b().int(inst.type, BigInt(left.lo))];
  return inst;
}

// --- bits that nobody looks at ---

/** What dropUndemanded may do something about. */
function isDroppable({ op, signed, args: [, y] }: Inst): boolean {
  if (op === 'and' || op === 'or' || op === 'xor' || op === 'shrs') return y.op === 'const';
  return op === 'load' ? signed : op === 'sext' || op.startsWith('extend');
}

function dropUndemanded(inst: Inst, wanted: Mask): Inst | undefined {
  if (isNone(wanted)) return undefined;
  const [x, y] = inst.args;
  switch (inst.op) {
    case 'and': {
      const c = constantOf(y);
      return c && isSubset(wanted, c) ? x : undefined;
    }
    case 'or':
    case 'xor': {
      const c = constantOf(y);
      return c && isNone(and(c, wanted)) ? x : undefined;
    }
    case 'extend8s':
    case 'extend16s':
    case 'extend32s':
      return length(wanted) <= extendedBits(inst.op) ? x : undefined;
    case 'sext':
      if (wanted.hi !== 0) return undefined;
      inst.op = 'zext';
      return inst;
    case 'shrs':
      if (y.op !== 'const' || length(wanted) + shiftCount(inst) > bitsOf(inst.type)) return undefined;
      inst.op = 'shru';
      return inst;
    case 'load':
      if (!inst.signed || length(wanted) > 8 * inst.width) return undefined;
      inst.signed = false;
      return inst;
    default:
      return undefined;
  }
}

// --- bits that are known ---

const UNSIGNED: Partial<Record<Op, Op>> = {
  lts: 'ltu',
  gts: 'gtu',
  les: 'leu',
  ges: 'geu',
  divs: 'divu',
  rems: 'remu',
};

function dropKnown(inst: Inst, known: KnownBits, b: () => Sequence): Inst | undefined {
  const [x, y] = inst.args;
  const unsigned = UNSIGNED[inst.op];
  if (unsigned && isNeverNegative(x, known) && isNeverNegative(y, known)) inst.op = unsigned;
  switch (inst.op) {
    case 'and':
      if (isNone(known.get(inst))) return b().int(inst.type, 0n);
      return y.op === 'const' && isSubset(known.get(x), maskOfConst(y.imm)) ? x : undefined;
    case 'extend8s':
    case 'extend16s':
    case 'extend32s':
      return length(known.get(x)) < extendedBits(inst.op) ? x : undefined;
    case 'sext':
      if (isNeverNegative(x, known)) inst.op = 'zext';
      return undefined;
    case 'shrs':
      if (isNeverNegative(x, known)) inst.op = 'shru';
      return undefined;
    case 'divu':
    case 'remu':
      return divideShort(inst, known, b);
    default:
      return decide(inst, known, b);
  }
}

function isNeverNegative(v: Inst, known: KnownBits): boolean {
  return length(known.get(v)) < bitsOf(v.type);
}

/** The processor takes several times longer for 64 bits. */
function divideShort(inst: Inst, known: KnownBits, b: () => Sequence): Inst | undefined {
  const [x, y] = inst.args;
  if (inst.type === 'i32' || known.get(x).hi !== 0 || known.get(y).hi !== 0) return undefined;
  const s = b();
  const dividend = s.wrap(x);
  const divisor = y.op === 'const' ? s.int('i32', y.imm as bigint) : s.wrap(y);
  return s.emit('zext', 'i64', s.emit(inst.op, 'i32', dividend, divisor));
}

/** A comparison with a constant whose outcome is certain. */
function decide(inst: Inst, known: KnownBits, b: () => Sequence): Inst | undefined {
  const [x, y] = inst.args;
  const c = constantOf(y);
  const outcome = c && OUTCOMES[inst.op]?.(known.get(x), c);
  return outcome === undefined ? undefined : b().int('i32', outcome ? 1n : 0n);
}

/** Of a value with the possible bits `x` and a constant: undefined where it may go either way. */
const OUTCOMES: Partial<Record<Op, (x: Mask, c: Mask) => boolean | undefined>> = {
  eq: (x, c) => (isSubset(c, x) ? undefined : false),
  ne: (x, c) => (isSubset(c, x) ? undefined : true),
  ltu: (x, c) => (isLess(x, c) ? true : undefined),
  geu: (x, c) => (isLess(x, c) ? false : undefined),
  gtu: (x, c) => (isLess(x, c) ? false : undefined),
  leu: (x, c) => (isLess(x, c) ? true : undefined),
};

/** Whether the largest number of these bits is less, both rounded as `largest` does. */
function isLess(x: Mask, c: Mask): boolean {
  return largest(x) < largest(c);
}
