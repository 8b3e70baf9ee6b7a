// Where a value may as well be live that is live in very many stretches: in a single one, from its definition to the
// first place where that can end. Between early returns and in the arms of long chains of ifs thousands of values can
// have thousands of gaps each. Requires a Program with reducible control flow. Guarantees that the value is defined
// on every way to each block of the stretch, and that the stretch has all ways into each of them but the first.

import type { Cfg } from './cfg.ts';
import type { Entries } from './entries.ts';
import type { Program } from './program.ts';

/** How often a stretch is made longer for a loop that it would end in, before it gets all that may be had. */
const LONGER_MAX = 16;

export class Hulls {
  private readonly entries: Entries;
  /** The last of the blocks that each block dominates, -1 where others stand between these. */
  private readonly last: Int32Array;

  constructor(p: Program, { tree, position }: Cfg, entries: Entries) {
    const blocks = p.preds.length;
    const first = new Int32Array(blocks).map((_, b) => b);
    const last = first.slice();
    const size = new Int32Array(blocks).fill(1);
    const order = new Int32Array(blocks);
    for (let b = 0; b < blocks; b++) order[position[b]] = b;
    for (let i = blocks - 1; i > 0; i--) {
      const b = order[i];
      const dom = tree.parent[b];
      size[dom] += size[b];
      first[dom] = Math.min(first[dom], first[b]);
      last[dom] = Math.max(last[dom], last[b]);
    }
    this.entries = entries;
    this.last = last.map((end, b) => (first[b] === b && end - b + 1 === size[b] ? end : -1));
  }

  /** The last block of the stretch for a value that is defined in `from` and used up to `to`; -1 if there is none. */
  end(from: number, to: number): number {
    const { last, entries } = this;
    if (last[from] < 0) return -1;
    let end = to;
    let looked = from;
    for (let n = 0; n < LONGER_MAX; n++) {
      const longer = Math.max(end, entries.lastPredecessor(looked + 1, end));
      if (longer === end) return end;
      looked = end;
      end = longer;
    }
    return last[from];
  }
}
