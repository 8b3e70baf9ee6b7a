// Where a value is live that is live far: found by dominators instead of block by block, for functions with many
// blocks and many such values. A value that is live into block b is defined in a block that dominates b, so in idom(b)
// or above. So it is live throughout every block from which b is reached without passing idom(b): those between the
// two. It is live out of idom(b) as well, where the same holds again unless that block defines it. The blocks between
// are intervals of the block order, mostly a single one from idom(b) + 1 on: then all those on the way from b up to
// some dominator d are one interval too, from d + 1 to the greatest end, which pointers that skip dominators find in
// the logarithm of the way. Requires a Program; usable only where the control flow is reducible.

import type { Cfg } from './cfg.ts';
import type { Program } from './program.ts';

/** How many intervals may be kept for each block. */
const INTERVALS_MAX = 8;
/** A greatest end that is not yet known, and one of a way with more than one interval. */
const UNKNOWN = -2;
const BROKEN = -1;

export class Reach {
  /** Whether it can be used at all. */
  readonly usable: boolean;
  private readonly p: Program;
  private readonly idom: Int32Array;
  private readonly depth: Int32Array;
  /** A dominator further up: as in a skew-binary list, so that any is found in the logarithm of the depth. */
  private readonly skip: Int32Array;
  /** The last block of b and those between, where these are idom(b) + 1 to it; else BROKEN. */
  private readonly end: Int32Array;
  /** The greatest `end` from b up to, but not with, skip(b). */
  private readonly skipEnd: Int32Array;
  /** 1 where the blocks between include b itself: the header of a loop. */
  private readonly cyclic: Uint8Array;
  /** The blocks between, where `end` is BROKEN: pairs of first and last. */
  private readonly between: number[][] = [];
  /** The search in which a block was last seen. */
  private readonly seen: Int32Array;
  private search = 0;

  constructor(p: Program, cfg: Cfg) {
    const { idom, position } = cfg;
    const blocks = p.preds.length;
    this.p = p;
    this.idom = idom;
    this.depth = new Int32Array(blocks);
    this.skip = new Int32Array(blocks);
    this.end = new Int32Array(blocks).fill(UNKNOWN);
    this.skipEnd = new Int32Array(blocks).fill(UNKNOWN);
    this.cyclic = new Uint8Array(blocks);
    this.seen = new Int32Array(blocks);
    this.usable = !idom.includes(-1) && this.build(position);
  }

  /** Adds to `found`, as pairs of first and last, where a value is live throughout that is live into `block`, or with
   * `through` out of it, and defined in `defBlock`, which is another. The same search may go on with more blocks. */
  collect(block: number, through: boolean, defBlock: number, found: number[]): void {
    if (through) {
      this.climb(block, defBlock, found);
      return;
    }
    this.addBetween(block, found);
    this.climb(this.idom[block], defBlock, found);
  }

  /** To be called before the first `collect` for a value. */
  begin(): void {
    this.search++;
  }

  private build(position: Int32Array): boolean {
    const { depth, idom } = this;
    const order = new Int32Array(position.length);
    for (let b = 0; b < order.length; b++) order[position[b]] = b;
    for (const b of order) if (b !== 0) this.link(b);
    // What lies between b and its dominator is deeper, or as deep and earlier in a reverse post-order.
    const upwards = order.sort((a, b) => depth[b] - depth[a] || position[a] - position[b]);
    let left = INTERVALS_MAX * order.length;
    for (const b of upwards) {
      if (b === 0) continue;
      this.begin();
      const found: number[] = [];
      for (const pred of this.p.preds[b])
        if (pred !== idom[b] && !this.enterFrom(b, pred, found)) return false;
      left -= this.keep(b, merged(found)) >> 1;
      if (left < 0) return false;
    }
    return true;
  }

  private link(b: number): void {
    const { depth, idom, skip } = this;
    const d = idom[b];
    depth[b] = depth[d] + 1;
    const far = skip[skip[d]];
    skip[b] = depth[d] - depth[skip[d]] === depth[skip[d]] - depth[far] ? far : d;
  }

  /** Adds what lies between b and its dominator on the way in from `pred`; false if the flow is irreducible. */
  private enterFrom(b: number, pred: number, found: number[]): boolean {
    const { depth, idom, skip, end } = this;
    let top = pred;
    while (depth[top] > depth[b]) top = depth[skip[top]] >= depth[b] ? skip[top] : idom[top];
    if (top === b) {
      this.cyclic[b] = 1;
      found.push(b, b);
      this.climb(pred, b, found);
      return true;
    }
    if (end[top] === UNKNOWN) return false;
    this.climb(pred, idom[b], found);
    return true;
  }

  /** Notes what lies between b and its dominator; returns how much had to be kept. */
  private keep(b: number, between: number[]): number {
    const all = merged([...between, b, b]);
    if (all.length === 2 && all[0] === this.idom[b] + 1) {
      this.end[b] = all[1];
      return 0;
    }
    this.end[b] = BROKEN;
    this.between[b] = between;
    return between.length;
  }

  /** Adds block `from`, its dominators below `top` and all between. */
  private climb(from: number, top: number, found: number[]): void {
    const { depth, idom, skip, seen } = this;
    for (let b = from; b !== top; ) {
      if (depth[b] <= depth[top])
        throw new Error(`register allocation: a way around block ${top} of ${this.p.func.name}`);
      const far = skip[b];
      if (depth[far] >= depth[top] && this.endTo(b) !== BROKEN) {
        found.push(far + 1, this.skipEnd[b]);
        b = far;
        continue;
      }
      if (seen[b] === this.search) return;
      seen[b] = this.search;
      if (this.cyclic[b] === 0) found.push(b, b);
      this.addBetween(b, found);
      b = idom[b];
    }
  }

  private addBetween(b: number, found: number[]): void {
    const end = this.end[b];
    if (end === BROKEN) {
      for (const bound of this.between[b]) found.push(bound);
    } else if (this.cyclic[b] === 1) found.push(this.idom[b] + 1, end);
    else {
      if (this.idom[b] + 1 < b) found.push(this.idom[b] + 1, b - 1);
      if (b < end) found.push(b + 1, end);
    }
  }

  private endTo(b: number): number {
    const { idom, skip, end, skipEnd } = this;
    if (skipEnd[b] !== UNKNOWN) return skipEnd[b];
    let last = end[b];
    // A long way is one step and two ways of half the length.
    if (skip[b] !== idom[b]) {
      const near = this.endTo(idom[b]);
      const far = this.endTo(skip[idom[b]]);
      last = last === BROKEN || near === BROKEN || far === BROKEN ? BROKEN : Math.max(last, near, far);
    }
    skipEnd[b] = last;
    return last;
  }
}

/** Sorts intervals, given as pairs of first and last, and joins those that touch. */
function merged(intervals: number[]): number[] {
  const order: number[] = [];
  for (let i = 0; i < intervals.length; i += 2) order.push(i);
  order.sort((a, b) => intervals[a] - intervals[b]);
  const joined: number[] = [];
  for (const i of order) {
    const last = joined.length - 1;
    if (last > 0 && intervals[i] <= joined[last] + 1) joined[last] = Math.max(joined[last], intervals[i + 1]);
    else joined.push(intervals[i], intervals[i + 1]);
  }
  return joined;
}
