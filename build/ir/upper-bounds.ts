// How large a value can be at most, taken as unsigned: from what computes it, and for a loop's variables from how often
// the loop goes round (induction.ts). Worked out for what is asked, once: nearly free where nothing is.
//
// Requires contiguous loops, and that the function does not change meanwhile.

import { boundInduction, U32_MAX } from './induction.ts';
import { computePreds, type Func, type Inst, shiftCount } from './ir.ts';
import { possibleBits } from './known-bits.ts';
import { layoutPositions } from './loops.ts';
import { fullMask, largest, type Mask } from './mask.ts';

/** So many instructions are looked through, one behind the other. */
const DEPTH_MAX = 24;

export class UpperBounds {
  private readonly func: Func;
  /** Known ones, and those in the making: what a loop's variable may get from itself is not limited. */
  private readonly known = new Map<Inst, number>();
  private positions: Int32Array | undefined;
  private depth = 0;

  constructor(func: Func) {
    this.func = func;
  }

  /** At most 2^32 - 1 for an i32; of an i64 beyond 2^53 infinity. */
  get(v: Inst): number {
    if (v.op === 'const') return constantBound(v);
    const known = this.known.get(v);
    if (known !== undefined) return known;
    const limit = v.type === 'i32' ? U32_MAX : Infinity;
    if (this.depth === DEPTH_MAX) return limit;
    this.known.set(v, provisional(v, limit));
    this.depth++;
    const bound = v.op === 'param' ? this.ofParam(v) : this.ofResult(v);
    this.depth--;
    const safe = bound <= limit && bound <= Number.MAX_SAFE_INTEGER ? bound : limit;
    this.known.set(v, safe);
    return safe;
  }

  private ofParam(param: Inst): number {
    const block = param.block!;
    if (block === this.func.blocks[0]) return Infinity;
    if (!this.positions) {
      computePreds(this.func);
      this.positions = layoutPositions(this.func);
    }
    const bound = boundInduction(param, this.positions, (v) => this.get(v));
    if (bound !== undefined) return bound;
    let largest = 0;
    for (const pred of block.preds) {
      for (const edge of pred.terminator.targets) {
        const arg = edge.args[param.index];
        if (edge.block === block && arg !== param) largest = Math.max(largest, this.get(arg));
      }
    }
    return largest;
  }

  private ofResult(v: Inst): number {
    const [a, b, c] = v.args;
    switch (v.op) {
      case 'add':
        return this.get(a) + this.get(b);
      case 'mul':
        return this.get(a) * this.get(b);
      case 'and':
        return Math.min(this.get(a), this.get(b));
      case 'or':
      case 'xor':
        return allOnes(Math.max(this.get(a), this.get(b)));
      case 'shl':
        return b.op === 'const' ? this.get(a) * 2 ** shiftCount(v) : Infinity;
      case 'shru':
        return b.op === 'const' ? Math.floor(this.get(a) / 2 ** shiftCount(v)) : this.get(a);
      case 'divu':
        return b.op === 'const' && b.imm > 0 ? Math.floor(this.get(a) / Number(b.imm)) : this.get(a);
      case 'remu':
        return Math.min(this.get(a), Math.max(this.get(b) - 1, 0));
      case 'select':
        return Math.max(this.get(b), this.get(c));
      case 'zext':
        return this.get(a);
      case 'wrap':
        // What does not fit may stay in the register: selector.ts.
        return this.get(a);
      case 'clz':
      case 'ctz':
      case 'popcnt':
        return 64;
      default:
        return largest(possibleBits(v, anyBits));
    }
  }
}

function anyBits({ type }: Inst): Mask {
  return fullMask(type);
}

/** For who asks for a value while it is being worked out, as a loop's variable does for what becomes of it. */
function provisional({ op, args }: Inst, limit: number): number {
  return op === 'and' && args[1].op === 'const' ? Math.min(constantBound(args[1]), limit) : limit;
}

/** The largest number of as many bits. */
function allOnes(n: number): number {
  return n > U32_MAX ? Infinity : 2 ** (32 - Math.clz32(n)) - 1;
}

function constantBound({ type, imm }: Inst): number {
  if (type === 'i32') return Number(imm) >>> 0;
  const value = Number(BigInt.asUintN(64, BigInt(imm)));
  return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
}
