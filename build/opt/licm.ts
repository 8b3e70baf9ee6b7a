// Loop-invariant code motion: what a loop computes anew with the same result moves before it.
//
// Requires contiguous loops. What moves has no effect and cannot trap, or is a load at the head of the loop's header
// that would be the next thing to be done anyway; nothing in the loop may write what a load reads. A trap therefore
// comes when it came before. Left in the loop is what costs nothing there: constants, addresses that one
// instruction makes, and comparisons, which are part of their branches.

import { Dominators } from '../ir/dominators.ts';
import { type Block, COMPARISONS, effectsOf, type Func, type Inst, isTerminator, type Op } from '../ir/ir.ts';
import { type LoopNode, type LoopTree, loopTree } from '../ir/loop-tree.ts';
import { loopWrites, type Writes } from './loop-writes.ts';
import { memoryOf } from './memory-state.ts';

/** Values that one loop keeps in registers or spills for this: more would displace what the loop needs. */
const HOISTED_MAX = 8;

const STAY: ReadonlySet<Op> = new Set<Op>([
  ...(['const', 'ctxaddr', 'symaddr', 'membase', 'result', 'zext', 'wrap'] as const),
  ...COMPARISONS,
]);

export function hoistInvariants(func: Func): void {
  const tree = loopTree(func);
  if (tree.loops.length === 0) return;
  const dom = new Dominators(func);
  const writes = loopWrites(func, tree);
  const own = new Map<LoopNode, Block[]>(tree.loops.map((loop) => [loop, []]));
  func.blocks.forEach((block, i) => {
    own.get(tree.inner[i]!)?.push(block);
  });
  // Inner loops first: what leaves one may leave the next one too.
  for (const loop of tree.loops.toReversed()) {
    const before = dom.immediateDominator(loop.header)!;
    new Hoister(tree, loop, before, writes.get(loop)!).run(own.get(loop)!);
  }
}

class Hoister {
  private readonly tree: LoopTree;
  private readonly loop: LoopNode;
  private readonly before: Block;
  private readonly writes: Writes;
  private readonly hoisted: Inst[] = [];

  constructor(tree: LoopTree, loop: LoopNode, before: Block, writes: Writes) {
    this.tree = tree;
    this.loop = loop;
    this.before = before;
    this.writes = writes;
  }

  /** `blocks` are those directly in the loop. */
  run(blocks: Block[]): void {
    for (const block of blocks) {
      // Only the loop follows, and nothing has been done in it yet.
      let first = block === this.loop.header && this.before.terminator.op === 'jump';
      block.insts = block.insts.filter((inst) => {
        const moves = this.hoisted.length < HOISTED_MAX && this.mayMove(inst, first);
        if (moves) this.hoisted.push(inst);
        else if (effectsOf(inst).traps || effectsOf(inst).pinned) first = false;
        return !moves;
      });
    }
    for (const inst of this.hoisted) inst.block = this.before;
    this.before.insts.splice(-1, 0, ...this.hoisted);
  }

  private mayMove(inst: Inst, first: boolean): boolean {
    if (STAY.has(inst.op) || isTerminator(inst.op) || !inst.args.every((a) => this.isInvariant(a)))
      return false;
    const { reads, writes, traps, pinned } = effectsOf(inst);
    if (writes || pinned || (traps && inst.op !== 'load')) return false;
    // A load of native memory is guarded by a bounds check.
    if ((inst.op === 'load' || inst.op === 'nload') && !first) return false;
    return !reads || (memoryOf(inst) !== undefined && !this.writes.mayWrite(inst));
  }

  private isInvariant(value: Inst): boolean {
    const at = this.tree.position[value.block!.id];
    return at < this.loop.first || at > this.loop.last || this.hoisted.includes(value);
  }
}
