// The control-flow graph as the allocator needs it: which block boundaries share a location, and dominators.
// Requires critical edges to be split. Guarantees: the end of a block and the starts of its successors have the same
// boundary number, so that a value that is in one place at a boundary needs no move on the edges.

import { Ancestors } from '../../ir/ancestors.ts';
import { type Program, terminatorOf } from './program.ts';

export class Cfg {
  /** Boundary number of each block's start and end. */
  readonly entry: Int32Array;
  readonly exit: Int32Array;
  readonly boundaries: number;
  private readonly p: Program;
  private dominators: Dominators | undefined;

  constructor(p: Program) {
    this.p = p;
    const blocks = p.func.blocks.length;
    // A union-find over starts (2b) and ends (2b + 1).
    const parent = new Int32Array(blocks * 2).map((_, i) => i);
    const find = (x: number): number => {
      let at = x;
      while (parent[at] !== at) {
        parent[at] = parent[parent[at]];
        at = parent[at];
      }
      return at;
    };
    for (let b = 0; b < blocks; b++) for (const pred of p.preds[b]) parent[find(2 * b)] = find(2 * pred + 1);
    this.entry = new Int32Array(blocks);
    this.exit = new Int32Array(blocks);
    for (let b = 0; b < blocks; b++) {
      this.entry[b] = find(2 * b);
      this.exit[b] = find(2 * b + 1);
    }
    this.boundaries = blocks * 2;
  }

  /** The tree of dominators. Where the control flow is irreducible only its parents are right. */
  get tree(): Ancestors {
    this.dominators ??= computeDominators(this.p);
    return this.dominators.tree;
  }

  /** The immediate dominator of each block; the entry's is itself. */
  get idom(): Int32Array {
    return this.tree.parent;
  }

  /** Each block's position in reverse post-order: a block's dominators stand before it. */
  get position(): Int32Array {
    this.dominators ??= computeDominators(this.p);
    return this.dominators.position;
  }
}

interface Dominators {
  tree: Ancestors;
  position: Int32Array;
}

/** One pass in reverse post-order is enough unless the control flow is irreducible. */
function computeDominators(p: Program): Dominators {
  const blocks = p.func.blocks.length;
  const order = reversePostOrder(p);
  const position = new Int32Array(blocks);
  for (let i = 0; i < order.length; i++) position[order[i]] = i;
  const tree = new Ancestors(blocks, 0);
  for (let i = 1; i < order.length; i++) {
    const b = order[i];
    let dom = -1;
    for (const pred of p.preds[b]) {
      if (position[pred] < i) dom = dom < 0 ? pred : tree.meet(dom, pred);
    }
    tree.link(b, dom);
  }
  if (!isReducible(p, position, tree)) iterate(p, order, position, tree.parent);
  return { tree, position };
}

/** Whether every edge that leads back leads to a dominator of its source. */
function isReducible(p: Program, position: Int32Array, tree: Ancestors): boolean {
  return p.preds.every((preds, b) =>
    preds.every((pred) => position[pred] < position[b] || tree.upTo(pred, tree.depth[b]) === b),
  );
}

/** The algorithm of Cooper, Harvey and Kennedy ("A simple, fast dominance algorithm", 2001), for any graph. */
function iterate(p: Program, order: number[], position: Int32Array, idom: Int32Array): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const b of order) {
      if (b === 0) continue;
      let [dom] = p.preds[b];
      for (const pred of p.preds[b]) dom = intersect(idom, position, dom, pred);
      if (idom[b] === dom) continue;
      idom[b] = dom;
      changed = true;
    }
  }
}

function intersect(idom: Int32Array, position: Int32Array, x: number, y: number): number {
  let a = x;
  let b = y;
  while (a !== b) {
    while (position[a] > position[b]) a = idom[a];
    while (position[b] > position[a]) b = idom[b];
  }
  return a;
}

function reversePostOrder(p: Program): number[] {
  const seen = new Uint8Array(p.func.blocks.length);
  const next = new Int32Array(p.func.blocks.length);
  const order: number[] = [];
  const stack = [0];
  seen[0] = 1;
  while (stack.length > 0) {
    const b = stack[stack.length - 1];
    const { targets } = terminatorOf(p.func.blocks[b]);
    if (next[b] === targets.length) {
      order.push(b);
      stack.pop();
      continue;
    }
    const to = p.blockIndex.get(targets[next[b]++].block)!;
    if (seen[to] === 0) {
      seen[to] = 1;
      stack.push(to);
    }
  }
  return order.reverse();
}
