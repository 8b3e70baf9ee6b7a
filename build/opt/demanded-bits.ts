// Which bits of an integer anybody looks at: the rest may be anything. Backwards from what has effects, through block
// parameters by a fixed point from below.

import { type Block, bitsOf, effectsOf, extendedBits, type Func, type Inst, shiftCount } from '../ir/ir.ts';
import {
  ALL,
  and,
  andNot,
  fullMask,
  isSubset,
  length,
  lowest,
  type Mask,
  maskOfConst,
  NONE,
  or,
  shiftLeft,
  shiftRight,
} from '../ir/mask.ts';
import { incomingArguments } from './dce.ts';

/** A value whose bits are asked for one by one, by a shift in a loop, is asked for all in the end. */
const RAISES_MAX = 4;

export class DemandedBits {
  private readonly masks: Mask[];
  private readonly raises: Uint8Array;
  private readonly incoming: Map<Block, Inst[][]>;
  private readonly work: Inst[] = [];

  constructor(func: Func) {
    this.masks = new Array(func.nextValue).fill(NONE);
    this.raises = new Uint8Array(func.nextValue);
    this.incoming = incomingArguments(func);
    for (const block of func.blocks) for (const inst of block.insts) if (isRoot(inst)) this.visit(inst);
    for (let v = this.work.pop(); v; v = this.work.pop()) this.visit(v);
  }

  get(v: Inst): Mask {
    return this.masks[v.id];
  }

  private visit(v: Inst): void {
    const wanted = this.masks[v.id];
    if (v.op === 'param') {
      for (const args of this.incoming.get(v.block!) ?? []) this.raise(args[v.index], wanted);
    } else {
      for (let i = 0; i < v.args.length; i++) this.raise(v.args[i], demandOn(v, i, wanted));
    }
  }

  private raise(v: Inst, wanted: Mask): void {
    const before = this.masks[v.id];
    const full = fullMask(v.type);
    const more = and(wanted, full);
    if (isSubset(more, before)) return;
    this.masks[v.id] = ++this.raises[v.id] > RAISES_MAX ? full : or(before, more);
    this.work.push(v);
  }
}

/** What is visited whether its result is asked for or not. */
function isRoot(inst: Inst): boolean {
  const { traps, pinned } = effectsOf(inst);
  return traps === true || pinned === true;
}

/** The bits of operand `i` that `wanted` bits of the result depend on. */
function demandOn(inst: Inst, i: number, wanted: Mask): Mask {
  const { op, args } = inst;
  const full = fullMask(args[i].type);
  const other = args.length === 2 && args[1 - i].op === 'const' ? args[1 - i] : undefined;
  switch (op) {
    case 'and':
      return other ? and(wanted, maskOfConst(other.imm)) : wanted;
    case 'or':
      return other ? andNot(wanted, maskOfConst(other.imm)) : wanted;
    case 'xor':
      return wanted;
    case 'add':
    case 'sub':
    case 'mul':
      return lowest(length(wanted));
    case 'shl':
    case 'shru':
    case 'shrs':
      return i === 0 ? demandOfShift(inst, wanted, full) : lowest(args[1].type === 'i32' ? 5 : 6);
    case 'extend8s':
    case 'extend16s':
    case 'extend32s':
      return demandOfExtension(wanted, extendedBits(op));
    case 'sext':
      return demandOfExtension(wanted, 32);
    case 'zext':
    case 'wrap':
      return { lo: wanted.lo, hi: 0 };
    case 'select':
      return i === 0 ? full : wanted;
    case 'store':
    case 'ctxstore':
    case 'nstore':
      return i === args.length - 1 ? lowest(8 * inst.width) : full;
    default:
      return ALL;
  }
}

function demandOfShift(inst: Inst, wanted: Mask, full: Mask): Mask {
  const { op } = inst;
  const [, count] = inst.args;
  if (count.op !== 'const') return op === 'shl' ? lowest(length(wanted)) : full;
  const bits = bitsOf(inst.type);
  const n = shiftCount(inst);
  if (op === 'shl') return shiftRight(wanted, n);
  const moved = and(shiftLeft(wanted, n), full);
  const sign = op === 'shrs' && length(wanted) > bits - n;
  return sign ? or(moved, andNot(full, lowest(bits - 1))) : moved;
}

function demandOfExtension(wanted: Mask, bits: number): Mask {
  const low = and(wanted, lowest(bits));
  return length(wanted) > bits ? or(low, andNot(lowest(bits), lowest(bits - 1))) : low;
}
