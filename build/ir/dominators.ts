// The dominator tree over the blocks that can be reached, and numbers that answer "does a dominate b" in constant time
// (after Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", 2001, but that common dominators are found in
// the logarithm of the depth). One pass is enough: WebAssembly's graphs are reducible, and there the edges that lead back to a dominator change nothing. In an irreducible graph some
// edge that leads back would go to a block that does not dominate its source, here as in truth: the verifier sees it.

import { Ancestors } from './ancestors.ts';
import type { Block, Func } from './ir.ts';

/** The reachable blocks in reverse post-order. */
export function reversePostOrder(func: Func): Block[] {
  const entry = func.blocks[0];
  const seen = new Uint8Array(func.nextBlock);
  const order: Block[] = [];
  const stack = [{ block: entry, next: 0 }];
  seen[entry.id] = 1;
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const { targets } = top.block.terminator;
    if (top.next === targets.length) {
      order.push(top.block);
      stack.pop();
      continue;
    }
    // The last successor first, so that the first one comes first in the result.
    const to = targets[targets.length - 1 - top.next++].block;
    if (seen[to.id]) continue;
    seen[to.id] = 1;
    stack.push({ block: to, next: 0 });
  }
  return order.reverse();
}

export class Dominators {
  /** Reachable blocks in reverse post-order. */
  readonly order: Block[];
  /** Position of each block in `order` by block id, -1 if it cannot be reached. */
  readonly position: Int32Array;
  /** Position of the immediate dominator, by position. */
  private readonly parent: Int32Array;
  /** Numbers of a walk of the tree: a dominates b if a's interval holds b's. By position. */
  private readonly first: Int32Array;
  private readonly last: Int32Array;

  constructor(func: Func) {
    this.order = reversePostOrder(func);
    const n = this.order.length;
    this.position = new Int32Array(func.nextBlock).fill(-1);
    for (let i = 0; i < n; i++) this.position[this.order[i].id] = i;
    this.parent = this.solve(this.predecessors());
    this.first = new Int32Array(n);
    this.last = new Int32Array(n);
    this.number();
  }

  /** Positions of each block's predecessors, ascending, without those of back edges. */
  private predecessors(): number[][] {
    const preds: number[][] = this.order.map(() => []);
    this.order.forEach((b, i) => {
      for (const { block } of b.terminator.targets) {
        const to = this.position[block.id];
        const list = preds[to];
        if (to > i && list[list.length - 1] !== i) list.push(i);
      }
    });
    return preds;
  }

  private solve(preds: number[][]): Int32Array {
    const tree = new Ancestors(this.order.length, 0);
    for (let i = 1; i < preds.length; i++) {
      const list = preds[i];
      let common = list[0];
      for (let k = 1; k < list.length; k++) common = tree.meet(common, list[k]);
      tree.link(i, common);
    }
    return tree.parent;
  }

  /** A parent comes before its children in reverse post-order, so sizes of subtrees give the intervals. */
  private number(): void {
    const n = this.order.length;
    const size = new Int32Array(n).fill(1);
    for (let i = n - 1; i > 0; i--) size[this.parent[i]] += size[i];
    const next = new Int32Array(n);
    next[0] = 1;
    this.last[0] = n - 1;
    for (let i = 1; i < n; i++) {
      const p = this.parent[i];
      this.first[i] = next[p];
      this.last[i] = next[p] + size[i] - 1;
      next[p] += size[i];
      next[i] = this.first[i] + 1;
    }
  }

  /** The reachable blocks in pre-order of the tree. */
  preOrder(): Block[] {
    const blocks: Block[] = new Array(this.order.length);
    for (let i = 0; i < blocks.length; i++) blocks[this.first[i]] = this.order[i];
    return blocks;
  }

  reachable(b: Block): boolean {
    return this.position[b.id] >= 0;
  }

  /** Undefined for the entry. */
  immediateDominator(b: Block): Block | undefined {
    const i = this.position[b.id];
    return i > 0 ? this.order[this.parent[i]] : undefined;
  }

  /** Whether every path to `b` goes through `a`; a block dominates itself. Both must be reachable. */
  dominates(a: Block, b: Block): boolean {
    const i = this.position[a.id];
    const j = this.first[this.position[b.id]];
    return this.first[i] <= j && j <= this.last[i];
  }
}
