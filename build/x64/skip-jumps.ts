// Leaves out blocks that only jump on: those that split a critical edge and were given no moves, mostly.
// Requires: an allocated function, whose edges carry nothing. Guarantees: every block but the first is some edge's target.

import type { MBlock, MFunc } from './mir.ts';

export function skipJumps(func: MFunc): void {
  const onward = new Map<MBlock, MBlock>();
  for (let i = 1; i < func.blocks.length; i++) {
    const [only] = func.blocks[i].insts;
    if (only.op === 'jmp') onward.set(func.blocks[i], only.targets[0].block);
  }
  if (onward.size > 0) {
    for (const b of func.blocks) {
      for (const t of b.insts[b.insts.length - 1].targets)
        if (onward.has(t.block)) t.block = destination(t.block, onward);
    }
  }
  removeUnreachable(func);
}

/** Where a chain of jumps ends; shortens it for all of its blocks. */
function destination(block: MBlock, onward: Map<MBlock, MBlock>): MBlock {
  const passed = new Set<MBlock>();
  let end = block;
  for (let next = onward.get(end); next; next = onward.get(end)) {
    if (passed.has(end)) {
      onward.delete(end); // an empty endless loop: this block stays
      break;
    }
    passed.add(end);
    end = next;
  }
  for (const b of passed) if (b !== end) onward.set(b, end);
  return end;
}

/** Makes `preds` anew, without the blocks that nothing reaches. */
export function removeUnreachable(func: MFunc): void {
  const reached = new Set<MBlock>([func.blocks[0]]);
  for (const b of func.blocks) b.preds = [];
  for (const b of reached) {
    for (const t of b.insts[b.insts.length - 1].targets) {
      reached.add(t.block);
      t.block.preds.push(b);
    }
  }
  func.blocks = func.blocks.filter((b) => reached.has(b));
}
