// How large an i32 can be at most, taken as unsigned, from the few instructions that make it. Tells when a sum or a
// scaled index cannot wrap around, so that the address of a memory operand can compute it.

import type { Inst } from '../ir/ir.ts';

const MAX = 0xffffffff;
/** So many instructions are looked through. */
const DEPTH_MAX = 4;

export function unsignedMax(v: Inst, depth = DEPTH_MAX): number {
  if (v.op === 'const') return Number(v.imm) >>> 0;
  if (v.op === 'load' && !v.signed && v.width < 4) return 2 ** (8 * v.width) - 1;
  if (depth === 0) return MAX;
  const [a, b] = v.args;
  const of = (x: Inst): number => unsignedMax(x, depth - 1);
  switch (v.op) {
    case 'and':
      return Math.min(of(a), of(b));
    case 'shru':
      return b.op === 'const' ? of(a) >>> (Number(b.imm) & 31) : of(a);
    case 'shl':
      return b.op === 'const' ? bounded(of(a) * 2 ** (Number(b.imm) & 31)) : MAX;
    case 'add':
      return bounded(of(a) + of(b));
    case 'mul':
      return bounded(of(a) * of(b));
    case 'select':
      return Math.max(of(b), of(v.args[2]));
    default:
      return MAX;
  }
}

function bounded(n: number): number {
  return n > MAX ? MAX : n;
}
