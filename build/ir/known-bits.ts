// Which bits of an integer can be set at all, from what computes it. Through block parameters by an optimistic fixed
// point: a loop's variables begin with what they have on entry, and gain what the loop can add.

import { bitsOf, COMPARISONS, extendedBits, type Func, type Inst, shiftCount } from './ir.ts';
import {
  ALL,
  and,
  fullMask,
  length,
  lowest,
  type Mask,
  maskOfConst,
  NONE,
  or,
  shiftLeft,
  shiftRight,
} from './mask.ts';

/** Rounds in which a loop's variables may still gain bits one by one; then they have all. */
const EXACT_ROUNDS_MAX = 3;
const ROUNDS_MAX = 6;

const BOOLEAN = { lo: 1, hi: 0 };

/** The bits of `inst` that can be set, given those of its operands. */
export function possibleBits(inst: Inst, of: (v: Inst) => Mask): Mask {
  const full = fullMask(inst.type);
  const [a, b, c] = inst.args;
  switch (inst.op) {
    case 'const':
      return maskOfConst(inst.imm);
    case 'and':
      return and(of(a), of(b));
    case 'or':
    case 'xor':
      return or(of(a), of(b));
    case 'add':
      return and(sum(of(a), of(b)), full);
    case 'mul':
      return and(lowest(length(of(a)) + length(of(b))), full);
    case 'shl':
    case 'shru':
    case 'shrs':
      return shifted(inst, of(a), full);
    case 'divu':
      return lowest(length(of(a)));
    case 'remu':
      return lowest(Math.min(length(of(a)), length(of(b))));
    case 'extend8s':
    case 'extend16s':
    case 'extend32s':
      return signExtended(of(a), extendedBits(inst.op), full);
    case 'sext':
      return signExtended(of(a), 32, full);
    case 'zext':
      return of(a);
    case 'wrap':
      return { lo: of(a).lo, hi: 0 };
    case 'select':
      return or(of(b), of(c));
    case 'clz':
    case 'ctz':
    case 'popcnt':
      return lowest(inst.type === 'i32' ? 6 : 7);
    case 'load':
    case 'aload':
    case 'ctxload':
    case 'nload':
    case 'armw':
    case 'acmpxchg':
      return inst.signed ? full : and(lowest(8 * inst.width), full);
    default:
      return COMPARISONS.has(inst.op) ? BOOLEAN : full;
  }
}

/** Without common bits there are no carries. */
function sum(a: Mask, b: Mask): Mask {
  const both = and(a, b);
  if (both.lo === 0 && both.hi === 0) return or(a, b);
  return lowest(Math.max(length(a), length(b)) + 1);
}

function shifted(inst: Inst, a: Mask, full: Mask): Mask {
  const { op } = inst;
  const [, count] = inst.args;
  const bits = bitsOf(inst.type);
  if (count.op !== 'const')
    return op === 'shru' || (op === 'shrs' && length(a) < bits) ? lowest(length(a)) : full;
  const n = shiftCount(inst);
  if (op === 'shl') return and(shiftLeft(a, n), full);
  const moved = shiftRight(a, n);
  if (op === 'shru' || length(a) < bits) return moved;
  return and(or(moved, shiftLeft(ALL, bits - 1 - n)), full);
}

function signExtended(a: Mask, bits: number, full: Mask): Mask {
  const low = and(a, lowest(bits));
  return length(low) < bits ? low : and(or(low, shiftLeft(ALL, bits - 1)), full);
}

/** For every value of the function. */
export class KnownBits {
  private readonly masks: Mask[];
  private readonly of: (v: Inst) => Mask;

  constructor(func: Func) {
    this.masks = new Array(func.nextValue).fill(NONE);
    this.of = (v) => this.masks[v.id];
    for (const p of func.blocks[0].params) this.masks[p.id] = fullMask(p.type);
    for (let round = 1; this.sweep(func, round) && round < ROUNDS_MAX; round++);
  }

  get(v: Inst): Mask {
    return this.masks[v.id] ?? fullMask(v.type);
  }

  /** Whether an edge back to a loop's header has added bits to its parameters. */
  private sweep(func: Func, round: number): boolean {
    const done = new Uint8Array(func.nextBlock);
    let changed = false;
    if (round === ROUNDS_MAX) this.giveUp(func);
    for (const block of func.blocks) {
      done[block.id] = 1;
      for (const inst of block.insts) {
        if (inst.type === 'i32' || inst.type === 'i64') this.masks[inst.id] = possibleBits(inst, this.of);
      }
      for (const { block: to, args } of block.terminator.targets) {
        for (let i = 0; i < args.length; i++) {
          if (this.join(to.params[i], this.masks[args[i].id], round) && done[to.id]) changed = true;
        }
      }
    }
    return changed;
  }

  private join(param: Inst, more: Mask, round: number): boolean {
    const before = this.masks[param.id];
    const after = or(before, more);
    if (after.lo === before.lo && after.hi === before.hi) return false;
    this.masks[param.id] = round > EXACT_ROUNDS_MAX ? fullMask(param.type) : after;
    return true;
  }

  private giveUp(func: Func): void {
    for (const { params } of func.blocks) for (const p of params) this.masks[p.id] = fullMask(p.type);
  }
}
