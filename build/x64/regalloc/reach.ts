// Where a value is live that is live far: found by dominators instead of block by block, for functions with many
// blocks and many such values. A value that is live into block b is defined in a block that dominates b, so in idom(b)
// or above. So it is live throughout every block from which b is reached without passing idom(b): those between the
// two. It is live out of idom(b) as well, where the same holds again unless that block defines it. The blocks between
// are intervals of the block order, and so are mostly all those together on the way from b up to some dominator: ways
// that come to few intervals are kept for pointers that skip dominators, and any way is put together from a number of
// them that is the logarithm of its length. Requires a Program; usable only where the control flow is reducible.

import type { Ancestors } from '../../ir/ancestors.ts';
import type { Cfg } from './cfg.ts';
import type { Program } from './program.ts';

/** How many intervals may be kept for each block. */
const INTERVALS_MAX = 8;
/** How many intervals a way may have that is kept. */
const WAY_MAX = 4;

export class Reach {
  /** Whether it can be used at all. */
  readonly usable: boolean;
  private readonly p: Program;
  private readonly tree: Ancestors;
  /** The blocks between each block and its dominator, in order: pairs of first and last. */
  private readonly between: number[][] = [];
  /** The same with the block itself, which is between only if it is the header of a loop. */
  private readonly whole: number[][] = [];
  /** The same for all from b up to, but not with, the dominator that the tree jumps to; null for more than WAY_MAX. */
  private readonly ways: (number[] | null)[] = [];
  /** The search in which a block was last seen. */
  private readonly seen: Int32Array;
  private search = 0;
  /** While all this is made: the header of a loop around each block, or the block itself. */
  private header: Int32Array | undefined;

  constructor(p: Program, cfg: Cfg) {
    const { tree, position } = cfg;
    this.p = p;
    this.tree = tree;
    this.seen = new Int32Array(p.preds.length);
    this.usable = !tree.parent.includes(-1) && this.build(position);
  }

  /** Adds to `found`, as pairs of first and last, where a value is live throughout that is live into `block`, or with
   * `through` out of it, and defined in `defBlock`, which is another. The same search may go on with more blocks. */
  collect(block: number, through: boolean, defBlock: number, found: number[]): void {
    if (through) {
      this.climb(block, defBlock, found);
      return;
    }
    for (const bound of this.between[block]) found.push(bound);
    this.climb(this.tree.parent[block], defBlock, found);
  }

  /** To be called before the first `collect` for a value. */
  begin(): void {
    this.search++;
  }

  private build(position: Int32Array): boolean {
    const { depth, parent } = this.tree;
    const order = new Int32Array(position.length).map((_, b) => b);
    this.header = order.slice();
    // What lies between b and its dominator is deeper, or as deep and earlier in a reverse post-order.
    order.sort((a, b) => depth[b] - depth[a] || position[a] - position[b]);
    let left = INTERVALS_MAX * order.length;
    for (const b of order) {
      if (b === 0) continue;
      this.begin();
      const found: number[] = [];
      for (const pred of this.p.preds[b])
        if (pred !== parent[b] && !this.enterFrom(b, pred, found)) return false;
      this.between[b] = merged(found);
      this.whole[b] = merged([...found, b, b]);
      left -= found.length >> 1;
      if (left < 0) return false;
    }
    this.header = undefined;
    return true;
  }

  /** Adds what lies between b and its dominator on the way in from `pred`; false if the flow is irreducible. */
  private enterFrom(b: number, pred: number, found: number[]): boolean {
    const { tree } = this;
    const top = tree.upTo(pred, tree.depth[b]);
    if (top === b) {
      found.push(b, b);
      this.climb(pred, b, found, b);
      return true;
    }
    if (!this.whole[top]) return false;
    this.climb(pred, tree.parent[b], found);
    return true;
  }

  /** Adds block `from`, its dominators below `top` and all between. What is live anywhere in a loop and defined above it
   * is live in all of it, so known loops are passed in one step; `loop` is the header of one that all this is in. */
  private climb(from: number, top: number, found: number[], loop?: number): void {
    const { seen, header } = this;
    const { depth, jump, parent } = this.tree;
    for (let b = this.outermost(from); b !== top; ) {
      if (depth[b] <= depth[top])
        throw new Error(`register allocation: a way around block ${top} of ${this.p.func.name}`);
      const way = depth[jump[b]] >= depth[top] ? this.wayFrom(b) : null;
      if (!way && seen[b] === this.search) return;
      seen[b] = this.search;
      for (const bound of way ?? this.whole[b]) found.push(bound);
      if (header && loop !== undefined) header[b] = loop;
      b = this.outermost(way ? jump[b] : parent[b]);
    }
  }

  /** The header of the outermost loop around `block` that is known and to be passed, or the block itself. Loops become
   * known from the deepest dominators up, so that all of them are below what is being looked at. */
  private outermost(block: number): number {
    const { header } = this;
    if (!header) return block;
    let b = block;
    while (header[b] !== b) {
      header[b] = header[header[b]];
      b = header[b];
    }
    return b;
  }

  private wayFrom(b: number): number[] | null {
    const { jump, parent } = this.tree;
    let way = this.ways[b];
    if (way !== undefined) return way;
    way = this.whole[b];
    // A long way is one step and two ways of half the length.
    if (jump[b] !== parent[b]) {
      const near = this.wayFrom(parent[b]);
      const far = this.wayFrom(jump[parent[b]]);
      way = near && far && merged([...way, ...near, ...far]);
    }
    if (way && way.length > 2 * WAY_MAX) way = null;
    this.ways[b] = way;
    return way;
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
