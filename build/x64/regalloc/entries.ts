// The edges into a stretch of the block order that come from elsewhere, found without looking at every block of it: a
// tree over the blocks has for each of its nodes the first and the last predecessor of the blocks below it.
// Requires a Program.

import type { Program } from './program.ts';

/** Stretches of no more blocks than this are simply looked through. */
const FEW = 16;

export class Entries {
  private readonly p: Program;
  /** Leaves of the tree, a power of two; node n has the children 2n and 2n + 1. */
  private leaves = 0;
  private firstPred: Int32Array | undefined;
  private lastPred: Int32Array | undefined;

  constructor(p: Program) {
    this.p = p;
  }

  /** Calls `enter` in ascending order for all blocks from `first` to `last` that have a predecessor outside of those
   * from `firstInside` to `lastInside`; for few blocks it may be called for others as well. */
  forEach(
    first: number,
    last: number,
    firstInside: number,
    lastInside: number,
    enter: (b: number) => void,
  ): void {
    if (last - first < FEW) {
      for (let b = first; b <= last; b++) enter(b);
      return;
    }
    const firstPred = this.firstPred ?? this.build();
    const lastPred = this.lastPred!;
    const visit = (node: number, from: number, size: number): void => {
      if (from > last || from + size <= first) return;
      if (firstPred[node] >= firstInside && lastPred[node] <= lastInside) return;
      if (size === 1) {
        enter(from);
        return;
      }
      const half = size >> 1;
      visit(2 * node, from, half);
      visit(2 * node + 1, from + half, half);
    };
    visit(1, 0, this.leaves);
  }

  /** The last predecessor of all blocks from `first` to `last`; -1 if they have none. */
  lastPredecessor(first: number, last: number): number {
    if (!this.lastPred) this.build();
    const lastPred = this.lastPred!;
    let found = -1;
    // From the leaves up, at both ends what the node above would have too much of.
    let from = first + this.leaves;
    for (let to = last + this.leaves + 1; from < to; from >>= 1, to >>= 1) {
      if (from & 1) found = Math.max(found, lastPred[from++]);
      if (to & 1) found = Math.max(found, lastPred[--to]);
    }
    return found;
  }

  private build(): Int32Array {
    const { preds } = this.p;
    let leaves = 1;
    while (leaves < preds.length) leaves *= 2;
    const firstPred = new Int32Array(2 * leaves).fill(preds.length);
    const lastPred = new Int32Array(2 * leaves).fill(-1);
    for (let b = 0; b < preds.length; b++) {
      for (const pred of preds[b]) {
        firstPred[leaves + b] = Math.min(firstPred[leaves + b], pred);
        lastPred[leaves + b] = Math.max(lastPred[leaves + b], pred);
      }
    }
    for (let n = leaves - 1; n > 0; n--) {
      firstPred[n] = Math.min(firstPred[2 * n], firstPred[2 * n + 1]);
      lastPred[n] = Math.max(lastPred[2 * n], lastPred[2 * n + 1]);
    }
    this.leaves = leaves;
    this.lastPred = lastPred;
    this.firstPred = firstPred;
    return firstPred;
  }
}
