// Replaces operations that the processor lacks by sequences of others. Required before selection.

import { bitsOf, type Func, type Inst, type Op } from '../ir/ir.ts';
import { Replacements } from '../ir/params.ts';
import type { Features } from './passes.ts';
import { Sequence } from './sequence.ts';

const ROUNDING: ReadonlySet<Op> = new Set(['fceil', 'ffloor', 'ftrunc', 'fnearest']);

export function legalise(func: Func, features: Features): void {
  const replaced = new Replacements(func.nextValue);
  for (const block of func.blocks) {
    if (!block.insts.some((inst) => expander(inst, features))) continue;
    const out: Inst[] = [];
    for (const inst of block.insts) {
      const expand = expander(inst, features);
      if (expand) replaced.set(inst, expand(new Sequence(func, out, inst), inst));
      else out.push(inst);
    }
    block.insts = out;
  }
  if (replaced.count > 0) replaced.rewrite(func);
}

type Expander = (b: Sequence, inst: Inst) => Inst;

function expander(inst: Inst, features: Features): Expander | undefined {
  if (inst.op === 'popcnt' && !features.popcnt) return countBits;
  return ROUNDING.has(inst.op) && !features.sse41 ? round : undefined;
}

/** Sums of neighbouring 1, 2, then 4 bits in place; a multiplication adds up the bytes. */
function countBits(b: Sequence, { type, args: [x] }: Inst): Inst {
  const bits = bitsOf(type);
  const masked = (v: Inst, mask: bigint) => b.emit('and', type, v, b.int(type, mask));
  const shifted = (v: Inst, n: number) => b.shift('shru', v, n);
  const pairs = b.emit('sub', type, x, masked(shifted(x, 1), 0x5555555555555555n));
  const low = masked(pairs, 0x3333333333333333n);
  const nibbles = b.emit('add', type, low, masked(shifted(pairs, 2), 0x3333333333333333n));
  const bytes = masked(b.emit('add', type, nibbles, shifted(nibbles, 4)), 0x0f0f0f0f0f0f0f0fn);
  return shifted(b.emit('mul', type, bytes, b.int(type, 0x0101010101010101n)), bits - 8);
}

/**
 * Adding 2^52 (2^23 for f32) to a magnitude below it rounds to an integer, ties to even; taking it away again is
 * exact. From there one step in the wanted direction may be missing. Larger values are integers already, and
 * a multiplication by one leaves them alone but makes a signalling NaN quiet (WebAssembly core 4.3.3).
 */
function round(b: Sequence, { op, type, args: [x] }: Inst): Inst {
  const limit = type === 'f32' ? b.const(type, 0x4b000000) : b.const(type, 0x4330000000000000n);
  const one = type === 'f32' ? b.const(type, 0x3f800000) : b.const(type, 0x3ff0000000000000n);
  const magnitude = b.emit('fabs', type, x);
  const nearest = b.emit('fsub', type, b.emit('fadd', type, magnitude, limit), limit);
  const rounded = b.emit('fcopysign', type, corrected(b, op, x, magnitude, nearest, one), x);
  const small = b.emit('flt', 'i32', magnitude, limit);
  return b.emit('select', type, small, rounded, b.emit('fmul', type, x, one));
}

/** The value whose magnitude is the result's, and its sign too unless that is zero. */
function corrected(b: Sequence, op: Op, x: Inst, magnitude: Inst, nearest: Inst, one: Inst): Inst {
  const { type } = x;
  if (op === 'fnearest') return nearest;
  if (op === 'ftrunc') {
    const over = b.emit('fgt', 'i32', nearest, magnitude);
    return b.emit('select', type, over, b.emit('fsub', type, nearest, one), nearest);
  }
  const signed = b.emit('fcopysign', type, nearest, x);
  const [beyond, step]: [Op, Op] = op === 'ffloor' ? ['fgt', 'fsub'] : ['flt', 'fadd'];
  const off = b.emit(beyond, 'i32', signed, x);
  return b.emit('select', type, off, b.emit(step, type, signed, one), signed);
}
