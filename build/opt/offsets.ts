// Constants that are added to an address become part of the offset of the loads and stores that use it, which the
// processor adds for nothing: where the sum cannot wrap around at 2^32, which the offset does not do. A sum that
// something else needs too is left alone, as it is in a register anyway.
//
// Requires contiguous loops, and constants on the right (fold). What is accessed, and what traps, stays the same.

import { U32_MAX } from '../ir/induction.ts';
import type { Func, Inst, Op } from '../ir/ir.ts';
import { UpperBounds } from '../ir/upper-bounds.ts';

/** What fits in the processor's displacement. */
const OFFSET_MAX = 0x7fffffff;

const ACCESSES: ReadonlySet<Op> = new Set<Op>(['load', 'store', 'aload', 'astore', 'armw', 'acmpxchg']);

export function foldOffsets(func: Func): void {
  const bounds = new UpperBounds(func);
  const accesses: Inst[] = [];
  for (const { insts } of func.blocks) {
    for (const inst of insts) if (ACCESSES.has(inst.op) && canFold(inst, bounds)) accesses.push(inst);
  }
  if (accesses.length === 0) return;
  const needed = otherwiseUsed(func);
  for (const inst of accesses) {
    for (let sum = inst.args[0]; !needed[sum.id] && canFold(inst, bounds); sum = inst.args[0]) {
      inst.offset += addend(sum);
      inst.args[0] = sum.args[0];
    }
  }
}

/** Whether the access's address is a sum that cannot wrap, nor make its offset too large. */
function canFold({ args: [sum], offset }: Inst, bounds: UpperBounds): boolean {
  if (!isSum(sum)) return false;
  const more = addend(sum);
  return offset + more <= OFFSET_MAX && bounds.get(sum.args[0]) + more <= U32_MAX;
}

function addend(sum: Inst): number {
  return Number(sum.args[1].imm) >>> 0;
}

function isSum({ op, args }: Inst): boolean {
  return op === 'add' && args[1].op === 'const' && args[0].op !== 'const';
}

/** Which values are used for something else than as an address. */
function otherwiseUsed(func: Func): Uint8Array {
  const used = new Uint8Array(func.nextValue);
  for (const { insts } of func.blocks) {
    for (const { op, args, targets } of insts) {
      for (let i = ACCESSES.has(op) ? 1 : 0; i < args.length; i++) used[args[i].id] = 1;
      for (const edge of targets) for (const arg of edge.args) used[arg.id] = 1;
    }
  }
  return used;
}
