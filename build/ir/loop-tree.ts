// The loops of a function as a tree, read off the layout: which blocks are directly in which loop, and where a loop
// begins and ends. Requires what arrangeLoops (loops.ts) leaves: contiguous loops and right depths.

import { type Block, computePreds, type Func } from './ir.ts';
import { layoutPositions } from './loops.ts';

export interface LoopNode {
  header: Block;
  parent: LoopNode | undefined;
  /** Positions in the layout of its first block, the header, and of its last. */
  first: number;
  last: number;
}

export interface LoopTree {
  /** Outer loops before inner ones. */
  loops: LoopNode[];
  /** The innermost loop of the block at each position. */
  inner: (LoopNode | undefined)[];
  position: Int32Array;
}

/** Also makes every block's `preds`. */
export function loopTree(func: Func): LoopTree {
  computePreds(func);
  const position = layoutPositions(func);
  const loops: LoopNode[] = [];
  const inner: (LoopNode | undefined)[] = [];
  const stack: LoopNode[] = [];
  func.blocks.forEach((block, i) => {
    const isHeader = block.preds.some((p) => position[p.id] >= i);
    const around = isHeader ? block.loopDepth - 1 : block.loopDepth;
    while (stack.length > around) stack.pop();
    if (isHeader) {
      const loop = { header: block, parent: stack.at(-1), first: i, last: i };
      loops.push(loop);
      stack.push(loop);
    }
    inner.push(stack.at(-1));
    if (stack.length > 0) stack[stack.length - 1].last = i;
  });
  for (let k = loops.length - 1; k >= 0; k--) {
    const { parent, last } = loops[k];
    if (parent) parent.last = Math.max(parent.last, last);
  }
  return { loops, inner, position };
}
