// From which block to which a value may be alive, never too few: what the checker need not follow has no later use. Nothing here is the
// allocator's. Where a block stands before all that lead to it, as in no layout of ours, values may be alive everywhere.

import type { MFunc, VReg } from '../mir.ts';

export class Spans {
  private readonly ordered: boolean;
  private readonly first: Int32Array;
  private readonly last: Int32Array;
  /** By level and block: the last block that leads back to one of the 2^level from there on; -1: none does. */
  private readonly back: Int32Array[];

  constructor({ blocks, classes }: MFunc) {
    const index = new Map(blocks.map((b, i) => [b, i]));
    const back = new Int32Array(blocks.length).fill(-1);
    const entered = new Uint8Array(blocks.length);
    this.first = new Int32Array(classes.length).fill(blocks.length);
    this.last = new Int32Array(classes.length).fill(-1);
    for (const [b, { params, insts }] of blocks.entries()) {
      for (const vreg of params) this.seen(vreg, b);
      for (const { ops, targets } of insts) {
        for (const { vreg } of ops) if (vreg >= 0) this.seen(vreg, b);
        for (const { block, args } of targets) {
          for (const vreg of args) this.seen(vreg, b);
          const to = index.get(block)!;
          if (to <= b) back[to] = Math.max(back[to], b);
          else entered[to] = 1;
        }
      }
    }
    this.back = levels(back);
    // Then there is a way forward to each block, all its dominators are on it, and no value is older than its definition's place.
    this.ordered = entered.indexOf(0, 1) < 0;
    for (const vreg of this.last.keys()) this.last[vreg] = this.end(this.first[vreg], this.last[vreg]);
  }

  /** Whether the value may be alive where the block begins, or is its parameter. */
  reaches(vreg: VReg, block: number): boolean {
    return !this.ordered || (this.first[vreg] <= block && block <= this.last[vreg]);
  }

  private seen(vreg: VReg, block: number): void {
    this.first[vreg] = Math.min(this.first[vreg], block);
    this.last[vreg] = Math.max(this.last[vreg], block);
  }

  /** What is alive where a loop begins, and older than it, is so up to its end. */
  private end(first: number, last: number): number {
    for (let end = last; ; last = end) {
      if (first < last) end = Math.max(end, this.lastBack(first + 1, last));
      if (end === last) return end;
    }
  }

  private lastBack(first: number, last: number): number {
    const level = 31 - Math.clz32(last - first + 1);
    const row = this.back[level];
    return Math.max(row[first], row[last + 1 - (1 << level)]);
  }
}

function levels(row: Int32Array): Int32Array[] {
  const all = [row];
  for (let step = 1; 2 * step <= row.length; step *= 2) {
    const below = all[all.length - 1];
    const next = below.slice(0, row.length - 2 * step + 1);
    for (let i = 0; i < next.length; i++) next[i] = Math.max(next[i], below[i + step]);
    all.push(next);
  }
  return all;
}
