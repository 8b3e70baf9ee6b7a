// Who is in each register when: the bundles placed so far as one sorted list of ranges for each register, and the
// reservations of fixed operands and clobbers. Guarantees that a register never holds two ranges at one point.

import { type Bundle, firstEndingAfter } from './bundles.ts';
import type { Range } from './liveness.ts';
import type { Program } from './program.ts';

/** What stands in the way of a bundle in a register. */
export interface Conflict {
  /** First point where somebody else is there, or the end of the line. */
  firstPoint: number;
  /** The greatest weight of a bundle in the way; infinite for a reservation. */
  weight: number;
  bundles: Bundle[];
}

const NEVER = 0x7fffffff;

export class RegisterFile {
  private readonly p: Program;
  private readonly ranges: Range[][] = [];
  /** The bundle of each entry of `ranges`. */
  private readonly bundles: Bundle[][] = [];
  private stamp = 0;

  constructor(p: Program) {
    this.p = p;
    for (let r = 0; r < 32; r++) {
      this.ranges.push([]);
      this.bundles.push([]);
    }
  }

  /** Whether the bundle can have the register as things stand. */
  isFree(bundle: Bundle, reg: number): boolean {
    const placed = this.ranges[reg];
    const last = placed.length > 0 ? placed[placed.length - 1].to : 0;
    for (const r of bundle.ranges) {
      if (r.from < last) {
        const i = firstEndingAfter(placed, r.from);
        if (placed[i].from < r.to) return false;
      }
      if (this.reservedFrom(r, reg) < r.to) return false;
    }
    return true;
  }

  /** Everything in the way; stops collecting where the weight reaches `limit`. */
  conflicts(bundle: Bundle, reg: number, limit: number): Conflict {
    const found: Conflict = { firstPoint: NEVER, weight: 0, bundles: [] };
    const placed = this.ranges[reg];
    const stamp = ++this.stamp;
    for (const r of bundle.ranges) {
      const at = this.reservedFrom(r, reg);
      if (at < r.to) {
        found.firstPoint = Math.min(found.firstPoint, at);
        found.weight = Number.POSITIVE_INFINITY;
      }
      for (let i = firstEndingAfter(placed, r.from); i < placed.length && placed[i].from < r.to; i++) {
        found.firstPoint = Math.min(found.firstPoint, Math.max(r.from, placed[i].from));
        const other = this.bundles[reg][i];
        if (other.weight > found.weight) found.weight = other.weight;
        if (other.stamp !== stamp) {
          other.stamp = stamp;
          found.bundles.push(other);
        }
        if (found.weight >= limit) return found;
      }
      if (found.weight >= limit) return found;
    }
    return found;
  }

  place(bundle: Bundle, reg: number): void {
    bundle.reg = reg;
    const placed = this.ranges[reg];
    const owners = this.bundles[reg];
    for (const r of bundle.ranges) {
      const i = firstEndingAfter(placed, r.from);
      if (i === placed.length) {
        placed.push(r);
        owners.push(bundle);
      } else {
        placed.splice(i, 0, r);
        owners.splice(i, 0, bundle);
      }
    }
  }

  remove(bundle: Bundle): void {
    const placed = this.ranges[bundle.reg];
    const owners = this.bundles[bundle.reg];
    for (const r of bundle.ranges) {
      const i = firstEndingAfter(placed, r.from);
      placed.splice(i, 1);
      owners.splice(i, 1);
    }
    bundle.reg = -1;
  }

  /** Where the register is first reserved for another within the range; NEVER if it is not. */
  private reservedFrom(range: Range, reg: number): number {
    const list = this.p.reserved[reg];
    let lo = 0;
    let hi = list.length / 3;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (list[mid * 3 + 1] <= range.from) lo = mid + 1;
      else hi = mid;
    }
    for (let i = lo * 3; i < list.length && list[i] < range.to; i += 3) {
      if (list[i + 2] !== range.vreg) return Math.max(list[i], range.from);
    }
    return NEVER;
  }
}
