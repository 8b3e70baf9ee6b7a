// Who is in each register when: the ranges of the bundles placed so far, a timeline for each register, and the
// reservations of fixed operands and clobbers. Guarantees that a register never holds two ranges at one point.

import type { VReg } from '../mir.ts';
import type { Bundle } from './bundles.ts';
import type { Range } from './liveness.ts';
import type { Program } from './program.ts';
import { Timeline } from './timeline.ts';

/** Behind all points. */
export const NEVER = 0x7fffffff;

export class RegisterFile {
  private readonly p: Program;
  private readonly placed: Timeline[] = [];
  /** Results of `findTaken`. */
  takenFrom = 0;
  takenTo = 0;
  private stamp = 0;

  constructor(p: Program) {
    this.p = p;
    for (let r = 0; r < 32; r++) this.placed.push(new Timeline());
  }

  /** Whether the bundle can have the register as things stand. */
  isFree(bundle: Bundle, reg: number): boolean {
    if (bundle.crossesCall && this.diesInCalls(reg)) return false;
    const placed = this.placed[reg];
    const reserved = this.p.reserved[reg];
    const last = placed.end;
    const lastReserved = reserved.length > 0 ? reserved[reserved.length - 2] : 0;
    const { ranges } = bundle;
    for (let k = 0; k < ranges.length; k++) {
      const r = ranges[k];
      if (r.from < last) {
        if (placed.seek(r.from)!.from < r.to) return false;
      }
      if (r.from < lastReserved && this.isReserved(r, reg)) return false;
    }
    return true;
  }

  /** The greatest weight of what is in the way; infinite for a reservation; no more than `limit` is looked for. */
  greatestConflict(bundle: Bundle, reg: number, limit: number): number {
    if (bundle.crossesCall && this.diesInCalls(reg)) return Number.POSITIVE_INFINITY;
    const placed = this.placed[reg];
    let weight = 0;
    for (const r of bundle.ranges) {
      if (this.isReserved(r, reg)) return Number.POSITIVE_INFINITY;
      for (let other = placed.seek(r.from); other && other.from < r.to; other = placed.next()) {
        weight = Math.max(weight, other.bundle!.weight);
        if (weight >= limit) return weight;
      }
    }
    return weight;
  }

  /** The bundles in the way. */
  conflicts(bundle: Bundle, reg: number): Bundle[] {
    const placed = this.placed[reg];
    const stamp = ++this.stamp;
    const found: Bundle[] = [];
    for (const r of bundle.ranges) {
      for (let at = placed.seek(r.from); at && at.from < r.to; at = placed.next()) {
        const other = at.bundle!;
        if (other.stamp !== stamp) found.push(other);
        other.stamp = stamp;
      }
    }
    return found;
  }

  /** Finds from where to where in [from, to) the register is reserved for another than `vreg` or held by a bundle of
   * at least `weight`, and leaves it in `takenFrom` and `takenTo`, which is -1 if it is not. */
  findTaken(vreg: VReg, from: number, to: number, reg: number, weight: number): void {
    let first = NEVER;
    let last = -1;
    const list = this.p.reserved[reg];
    for (let i = this.reservationsFrom(reg, from); i < list.length && list[i] < to; i += 3) {
      if (list[i + 2] === vreg) continue;
      if (first === NEVER) first = list[i];
      last = list[i + 1];
    }
    if (this.diesInCalls(reg)) {
      const { calls } = this.p;
      const i = firstFrom(calls, from);
      if (i < calls.length && calls[i] < to) {
        first = Math.min(first, calls[i]);
        last = Math.max(last, calls[firstFrom(calls, to) - 1] + 1);
      }
    }
    // Of many ranges only the outermost matter.
    const placed = this.placed[reg];
    let at = placed.seek(from);
    while (at && at.from < to && at.bundle!.weight < weight) at = placed.next();
    if (at && at.from < to) {
      first = Math.min(first, at.from);
      at = at.to >= to ? at : placed.seek(to);
      while (!at || at.from >= to || at.bundle!.weight < weight) at = placed.previous();
      last = Math.max(last, at.to);
    }
    this.takenFrom = Math.max(first, from);
    this.takenTo = Math.min(last, to);
  }

  /** How many bundles, reservations and calls there are from the bundle's start to its end. */
  crowd(bundle: Bundle, reg: number): number {
    const { from, to } = bundle;
    const bundles = this.placed[reg].count(from, to);
    const reservations = (this.reservationsFrom(reg, to) - this.reservationsFrom(reg, from)) / 3;
    const { calls } = this.p;
    return (
      bundles + reservations + (this.diesInCalls(reg) ? firstFrom(calls, to) - firstFrom(calls, from) : 0)
    );
  }

  /** The first point of `range`, from `from` on, where the register is reserved for another or held by a bundle of at
   * least `weight`; NEVER if it can have the rest. */
  firstTaken(range: Range, from: number, reg: number, weight: number): number {
    let first = range.to;
    const list = this.p.reserved[reg];
    for (let i = this.reservationsFrom(reg, from); i < list.length && list[i] < first; i += 3) {
      if (list[i + 2] !== range.vreg) first = list[i];
    }
    if (this.diesInCalls(reg)) {
      const { calls } = this.p;
      const i = firstFrom(calls, from);
      if (i < calls.length) first = Math.min(first, calls[i]);
    }
    const placed = this.placed[reg];
    for (let at = placed.seek(from); at && at.from < first; at = placed.next()) {
      if (at.bundle!.weight >= weight) first = Math.max(from, at.from);
    }
    return first < range.to ? first : NEVER;
  }

  /** Whether the range is live across a call. */
  crossesCall(range: Range): boolean {
    const { calls } = this.p;
    const i = firstFrom(calls, range.from);
    return i < calls.length && calls[i] < range.to;
  }

  place(bundle: Bundle, reg: number): void {
    bundle.reg = reg;
    for (const r of bundle.ranges) {
      r.bundle = bundle;
      this.placed[reg].add(r);
    }
    bundle.homeIndex = bundle.home.placed.push(bundle) - 1;
  }

  remove(bundle: Bundle): void {
    for (const r of bundle.ranges) this.placed[bundle.reg].remove(r);
    bundle.reg = -1;
    const siblings = bundle.home.placed;
    const last = siblings.pop()!;
    if (last === bundle) return;
    siblings[bundle.homeIndex] = last;
    last.homeIndex = bundle.homeIndex;
  }

  /** Whether no value is in the register anywhere in [from, to). */
  isVacant(reg: number, from: number, to: number): boolean {
    const at = this.placed[reg].seek(from);
    return !at || at.from >= to;
  }

  /** All ranges that have a register. */
  ranges(): Range[] {
    return this.placed.flatMap((timeline) => timeline.all());
  }

  private diesInCalls(reg: number): boolean {
    return ((this.p.callClobbers >>> reg) & 1) === 1;
  }

  /** Whether the register is reserved for another somewhere in the range. */
  private isReserved(range: Range, reg: number): boolean {
    const list = this.p.reserved[reg];
    for (let i = this.reservationsFrom(reg, range.from); i < list.length && list[i] < range.to; i += 3) {
      if (list[i + 2] !== range.vreg) return true;
    }
    return false;
  }

  /** Position of the first reservation that ends behind `point`. */
  private reservationsFrom(reg: number, point: number): number {
    const list = this.p.reserved[reg];
    let lo = 0;
    let hi = list.length / 3;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (list[mid * 3 + 1] <= point) lo = mid + 1;
      else hi = mid;
    }
    return lo * 3;
  }
}

/** Index of the first of the ascending numbers that is at least `point`. */
function firstFrom(points: number[], point: number): number {
  let lo = 0;
  let hi = points.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (points[mid] < point) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
