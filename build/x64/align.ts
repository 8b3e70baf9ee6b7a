// Short loops begin at a multiple of 32 bytes: processors fetch and keep decoded instructions by such windows, and a
// loop that lies across one more than it needs can take twice as long (AMD, Software Optimization Guide for the 17h
// family, 2.9; Intel's Optimization Manual, 3.4.1.4). In long loops it makes no difference, and before calls neither.
//
// Requires: blocks in their final order. Guarantees: only marks blocks, and the function that has such ones.

import type { MBlock, MFunc } from './mir.ts';

export const LOOP_ALIGN = 32;
/** About three windows. */
const LOOP_INSTS_MAX = 24;
/** Of the runs of a loop's top, the share that may fall into it, through the padding. */
const FALLS_IN_MAX = 0.25;

export function alignLoops(func: MFunc): void {
  const { blocks } = func;
  const position = new Map(blocks.map((b, i) => [b, i]));
  /** Instructions before each block; a call counts as a long loop. */
  const before = [0];
  for (const { insts } of blocks) {
    const called = insts.some((m) => m.op === 'call');
    before.push(before[before.length - 1] + (called ? LOOP_INSTS_MAX : insts.length));
  }
  blocks.forEach(({ insts }, i) => {
    for (const { block } of insts[insts.length - 1].targets) {
      const top = position.get(block)!;
      if (top > i || before[i + 1] - before[top] > LOOP_INSTS_MAX) continue;
      if (top === 0 || fallsInto(blocks[top - 1], block) > FALLS_IN_MAX * block.frequency) continue;
      block.aligned = true;
      func.aligned = true;
    }
  });
}

/** How often control goes from a block straight on to the next. */
function fallsInto({ insts }: MBlock, next: MBlock): number {
  const edges = insts[insts.length - 1].targets.filter((t) => t.block === next);
  return edges.reduce((sum, t) => sum + (t.frequency ?? 0), 0);
}
