// How large an i32 can be at most, taken as unsigned, from the few instructions that make it. Tells when a sum or a
// scaled index cannot wrap around, so that the address of a memory operand can compute it.

import type { Inst } from '../ir/ir.ts';
import { possibleBits } from '../ir/known-bits.ts';
import { fullMask, LOW, largest, type Mask } from '../ir/mask.ts';

/** So many instructions are looked through. */
const DEPTH_MAX = 4;

export function unsignedMax(v: Inst): number {
  // A wrap may leave what it does not keep in the register.
  const clean = v.op !== 'wrap' || bits(v.args[0], DEPTH_MAX).hi === 0;
  return largest(clean ? bits(v, DEPTH_MAX) : LOW);
}

function bits(v: Inst, depth: number): Mask {
  return possibleBits(v, (a) => (depth > 0 || a.op === 'const' ? bits(a, depth - 1) : fullMask(a.type)));
}
