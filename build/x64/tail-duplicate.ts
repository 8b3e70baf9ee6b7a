// Copies the dispatch of an interpreter's loop, a block that ends in a jump table, to the ends of the blocks that jump to
// it: the processor predicts each copy's jump from where it stands, and a round has one jump less (Ertl and Gregg,
// "The structure and performance of efficient interpreters", 2003). The copies share one table.
//
// Requires: an allocated function, whose edges carry nothing. Guarantees: nothing but copies of whole blocks, within
// the limits below.

import { type MBlock, type MFunc, MInst } from './mir.ts';
import { removeUnreachable } from './skip-jumps.ts';

/** A dispatch that is worth it: in a loop, with many ways on and back. */
const CASES_MIN = 8;
const DISPATCH_INSTRUCTIONS_MAX = 24;
/** Instructions of all copies together: a share of the function, or this many in a small one. */
const GROWTH_MAX = 0.5;
const SMALL_GROWTH_MAX = 128;

export function duplicateTails(func: MFunc): void {
  const dispatches = func.blocks.filter(isDispatch);
  if (dispatches.length === 0) return;
  const size = func.blocks.reduce((n, b) => n + b.insts.length, 0);
  let budget = Math.max(GROWTH_MAX * size, SMALL_GROWTH_MAX);
  for (const dispatch of dispatches) {
    const from = dispatch.preds.filter((p) => p !== dispatch && p.loopDepth > 0 && endsInJump(p));
    const growth = from.length * dispatch.insts.length;
    if (growth > budget) continue;
    for (const block of from) append(block, dispatch);
    budget -= growth;
  }
  removeUnreachable(func);
}

function isDispatch(block: MBlock): boolean {
  const last = block.insts[block.insts.length - 1];
  return (
    last.op === 'switchtable' &&
    block.loopDepth > 0 &&
    last.targets.length > CASES_MIN &&
    block.insts.length <= DISPATCH_INSTRUCTIONS_MAX
  );
}

function endsInJump(block: MBlock): boolean {
  return block.insts[block.insts.length - 1].op === 'jmp';
}

/** The instructions of `tail` in place of the jump to it. Its operands are locations, which hold there as well. */
function append(block: MBlock, tail: MBlock): void {
  block.insts.pop();
  const share = Math.min(block.frequency / tail.frequency, 1);
  for (const inst of tail.insts) {
    const copy = new MInst(inst.op, inst.ops, inst.data, inst.loc);
    copy.targets = inst.targets.map((t) => {
      const frequency = t.frequency! * share;
      t.frequency! -= frequency;
      return { ...t, frequency };
    });
    block.insts.push(copy);
  }
  tail.frequency -= tail.frequency * share;
}
