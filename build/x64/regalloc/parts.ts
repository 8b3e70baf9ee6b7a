// A bundle block by block, for region splitting: for each block where it is live, the boundaries at which it is live,
// its uses and what they cost. Kept in typed arrays that are used again for every bundle.

import type { Bundle } from './bundles.ts';
import type { Cfg } from './cfg.ts';
import type { Range } from './liveness.ts';
import { isDef, type Program, UseKind } from './program.ts';

export class Parts {
  count = 0;
  readonly range: Range[] = [];
  from = new Int32Array(64);
  to = new Int32Array(64);
  /** Boundary numbers (see Cfg) where the bundle is live, else -1. */
  entry = new Int32Array(64);
  exit = new Int32Array(64);
  frequency = new Float64Array(64);
  /** Cost of the uses when the value is in memory. */
  useCost = new Float64Array(64);
  /** 1 if the part begins with the definition (a block parameter's counts as live at the entry). */
  defined = new Uint8Array(64);
  /** Gap before the first use, and gap or end behind the last; `to` and `from` where there is none. */
  firstUse = new Int32Array(64);
  lastUse = new Int32Array(64);
  /** Parts with uses. */
  readonly used: number[] = [];
  /** The boundaries that the bundle crosses. */
  readonly nodes: number[] = [];
  private readonly p: Program;
  private readonly cfg: Cfg;
  /** Of each boundary: the plan in which it was last seen. */
  private readonly seen: Int32Array;
  private stamp = 0;

  constructor(p: Program, cfg: Cfg) {
    this.p = p;
    this.cfg = cfg;
    this.seen = new Int32Array(cfg.boundaries);
  }

  fill(bundle: Bundle): void {
    const { p } = this;
    this.count = 0;
    this.range.length = 0;
    this.used.length = 0;
    this.nodes.length = 0;
    this.stamp++;
    for (const range of bundle.ranges) {
      let use = range.useBegin;
      for (let from = range.from; from < range.to; ) {
        const b = p.blockAt(from);
        const to = Math.min(range.to, p.blockEnd(b));
        use = this.add(range, b, from, to, use);
        from = to;
      }
    }
  }

  /** Adds a part whose first use is `use`; returns the first use behind it. */
  private add(range: Range, b: number, from: number, to: number, use: number): number {
    const { p, cfg } = this;
    const k = this.count++;
    if (k === this.from.length) this.grow();
    this.range.push(range);
    this.from[k] = from;
    this.to[k] = to;
    this.entry[k] = p.blockStart(b) === from ? this.node(cfg.entry[b]) : -1;
    this.exit[k] = p.blockEnd(b) === to ? this.node(cfg.exit[b]) : -1;
    this.frequency[k] = p.frequency[b];
    this.defined[k] = 0;
    let cost = 0;
    let first = to;
    let last = from;
    let u = use;
    for (; u < range.useEnd && p.usePoint[u] < to; u++) {
      const kind = p.useKind[u];
      if (kind === UseKind.Param) continue;
      if (isDef(kind)) this.defined[k] = 1;
      else cost += p.useWeight(u);
      if (first === to) first = Math.max(from, p.useInst[u] * 4);
      last = Math.min(to, p.useInst[u] * 4 + 4);
    }
    this.useCost[k] = cost;
    this.firstUse[k] = first;
    this.lastUse[k] = last;
    if (last > from) this.used.push(k);
    return u;
  }

  private node(boundary: number): number {
    if (this.seen[boundary] !== this.stamp) {
      this.seen[boundary] = this.stamp;
      this.nodes.push(boundary);
    }
    return boundary;
  }

  private grow(): void {
    const more = <T extends Int32Array | Float64Array | Uint8Array>(old: T): T => {
      const larger = new (old.constructor as new (n: number) => T)(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.from = more(this.from);
    this.to = more(this.to);
    this.entry = more(this.entry);
    this.exit = more(this.exit);
    this.frequency = more(this.frequency);
    this.useCost = more(this.useCost);
    this.defined = more(this.defined);
    this.firstUse = more(this.firstUse);
    this.lastUse = more(this.lastUse);
  }
}
