// Hints: which registers a bundle had better be in, because a value is wanted or made in that very register (fixed
// operands) or moves to or from a bundle that is there. Weighed by how often the move would run.

import type { RegClass } from '../mir.ts';
import type { Bundle, Home } from './bundles.ts';
import type { Program } from './program.ts';

/** How much it is worth to be in the register of another part of the same bundle. */
const SIBLING_HINT = 0.1;
/** Of a great many relatives only so many are asked. */
const LOOKED_AT_MAX = 12;

export class Hints {
  /** How many registers at the front of the last order are there for a hint. */
  count = 0;
  private readonly p: Program;
  /** Allocatable registers of each class in order of preference: those that calls destroy first. */
  private readonly plain: Record<RegClass, number[]> = { int: [], float: [] };
  private readonly hinted: number[] = [];
  private readonly weight = new Float64Array(32);

  constructor(p: Program) {
    this.p = p;
    const { allocatable, calleeSaved } = p.env;
    for (const saved of [0, 1]) {
      for (let r = 0; r < 32; r++) {
        if (!((allocatable >>> r) & 1) || ((calleeSaved >>> r) & 1) !== saved) continue;
        this.plain[r < 16 ? 'int' : 'float'].push(r);
      }
    }
  }

  /** The register that saves most, -1 if none does: all that most bundles need. Asks about the bundle. */
  favourite(bundle: Bundle): number {
    this.collect(bundle);
    let best = -1;
    for (const r of this.hinted) if (best < 0 || this.weight[r] > this.weight[best]) best = r;
    return best;
  }

  /** The registers for a bundle, the last one that was asked about: first those that save moves. */
  order({ cls }: Bundle): number[] {
    const { hinted, weight } = this;
    const plain = this.plain[cls];
    this.count = hinted.length;
    if (hinted.length === 0) return plain;
    if (hinted.length > 1) hinted.sort((a, b) => weight[b] - weight[a]);
    const list = hinted.slice();
    for (const r of plain) if (weight[r] === 0) list.push(r);
    return list;
  }

  /** What it is worth to the bundle that was last asked about to be in a register. */
  worth(reg: number): number {
    return this.weight[reg];
  }

  /** Asks about a bundle. */
  collect(bundle: Bundle): void {
    const { home } = bundle;
    for (const r of this.hinted) this.weight[r] = 0;
    this.hinted.length = 0;
    bundle.fixed ??= this.fixedHints(bundle);
    for (let k = 0; k < bundle.fixed.length; k += 2) this.add(bundle.fixed[k], bundle.fixed[k + 1]);
    if (home.ties) {
      for (let k = 0; k < home.ties.length && k < LOOKED_AT_MAX; k++)
        this.addAll(home.ties[k].home, home.ties[k].weight);
    }
    this.addAll(home, bundle.memoryCost * SIBLING_HINT);
  }

  private fixedHints(bundle: Bundle): number[] {
    const { p } = this;
    const found: number[] = [];
    for (const r of bundle.ranges) {
      for (let u = r.useBegin; u < r.useEnd; u++) {
        if (p.useFixed[u] < 0) continue;
        let k = 0;
        while (k < found.length && found[k] !== p.useFixed[u]) k += 2;
        if (k === found.length) found.push(p.useFixed[u], 0);
        found[k + 1] += p.useWeight(u);
      }
    }
    return found;
  }

  private addAll(home: Home, weight: number): void {
    for (let k = 0; k < home.placed.length && k < LOOKED_AT_MAX; k++) this.add(home.placed[k].reg, weight);
  }

  private add(reg: number, weight: number): void {
    if (!((this.p.env.allocatable >>> reg) & 1)) return;
    if (this.weight[reg] === 0) this.hinted.push(reg);
    this.weight[reg] += weight;
  }
}
