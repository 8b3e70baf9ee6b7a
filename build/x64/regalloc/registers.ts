// Who is in each register when: the bundles placed so far as one sorted list of ranges for each register, and the
// reservations of fixed operands and clobbers. Guarantees that a register never holds two ranges at one point.

import type { VReg } from '../mir.ts';
import type { Bundle } from './bundles.ts';
import { firstEndingAfter, type Range } from './liveness.ts';
import type { Program } from './program.ts';

const NEVER = 0x7fffffff;

/** A stretch in which somebody else has the register. */
export interface Taken {
  from: number;
  to: number;
}

export class RegisterFile {
  private readonly p: Program;
  private readonly placed: Range[][] = [];
  /** Results of `findTaken`. */
  takenFrom = 0;
  takenTo = 0;
  private stamp = 0;

  constructor(p: Program) {
    this.p = p;
    for (let r = 0; r < 32; r++) this.placed.push([]);
  }

  /** Whether the bundle can have the register as things stand. */
  isFree(bundle: Bundle, reg: number): boolean {
    if (bundle.crossesCall && this.diesInCalls(reg)) return false;
    const placed = this.placed[reg];
    const reserved = this.p.reserved[reg];
    const last = placed.length > 0 ? placed[placed.length - 1].to : 0;
    const lastReserved = reserved.length > 0 ? reserved[reserved.length - 2] : 0;
    const { ranges } = bundle;
    for (let k = 0; k < ranges.length; k++) {
      const r = ranges[k];
      if (r.from < last) {
        const i = firstEndingAfter(placed, r.from);
        if (placed[i].from < r.to) return false;
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
      for (let i = firstEndingAfter(placed, r.from); i < placed.length && placed[i].from < r.to; i++) {
        weight = Math.max(weight, placed[i].bundle!.weight);
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
      for (let i = firstEndingAfter(placed, r.from); i < placed.length && placed[i].from < r.to; i++) {
        const other = placed[i].bundle!;
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
    const placed = this.placed[reg];
    for (let i = firstEndingAfter(placed, from); i < placed.length && placed[i].from < to; i++) {
      if (placed[i].bundle!.weight < weight) continue;
      if (placed[i].from < first) first = placed[i].from;
      if (placed[i].to > last) last = placed[i].to;
    }
    this.takenFrom = Math.max(first, from);
    this.takenTo = Math.min(last, to);
  }

  /** How many bundles, reservations and calls there are from the bundle's start to its end. */
  crowd(bundle: Bundle, reg: number): number {
    const placed = this.placed[reg];
    const { from, to } = bundle;
    const bundles = firstEndingAfter(placed, to) - firstEndingAfter(placed, from);
    const reservations = (this.reservationsFrom(reg, to) - this.reservationsFrom(reg, from)) / 3;
    const { calls } = this.p;
    return (
      bundles + reservations + (this.diesInCalls(reg) ? firstFrom(calls, to) - firstFrom(calls, from) : 0)
    );
  }

  /** All stretches of `range` taken by reservations and by bundles of at least `weight`, in order of their starts. */
  takenWithin(range: Range, reg: number, weight: number): Taken[] {
    const found: Taken[] = [];
    const list = this.p.reserved[reg];
    for (let i = this.reservationsFrom(reg, range.from); i < list.length && list[i] < range.to; i += 3) {
      if (list[i + 2] !== range.vreg) found.push({ from: list[i], to: list[i + 1] });
    }
    if (this.diesInCalls(reg)) {
      const { calls } = this.p;
      for (let i = firstFrom(calls, range.from); i < calls.length && calls[i] < range.to; i++) {
        found.push({ from: calls[i], to: calls[i] + 1 });
      }
    }
    const placed = this.placed[reg];
    for (let i = firstEndingAfter(placed, range.from); i < placed.length && placed[i].from < range.to; i++) {
      if (placed[i].bundle!.weight >= weight) found.push({ from: placed[i].from, to: placed[i].to });
    }
    return found.sort((a, b) => a.from - b.from);
  }

  /** Whether the range is live across a call. */
  crossesCall(range: Range): boolean {
    const { calls } = this.p;
    const i = firstFrom(calls, range.from);
    return i < calls.length && calls[i] < range.to;
  }

  place(bundle: Bundle, reg: number): void {
    bundle.reg = reg;
    for (const r of bundle.ranges) r.bundle = bundle;
    insertSorted(this.placed[reg], bundle.ranges);
    bundle.homeIndex = bundle.home.placed.push(bundle) - 1;
  }

  remove(bundle: Bundle): void {
    removeSorted(this.placed[bundle.reg], bundle.ranges);
    bundle.reg = -1;
    const siblings = bundle.home.placed;
    const last = siblings.pop()!;
    if (last === bundle) return;
    siblings[bundle.homeIndex] = last;
    last.homeIndex = bundle.homeIndex;
  }

  /** Whether no value is in the register anywhere in [from, to). */
  isVacant(reg: number, from: number, to: number): boolean {
    const placed = this.placed[reg];
    const i = firstEndingAfter(placed, from);
    return i === placed.length || placed[i].from >= to;
  }

  /** All ranges that have a register. */
  ranges(): Range[] {
    return this.placed.flat();
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

/** Up to this many ranges are put in and taken out one by one, which moves memory faster than a loop does. */
const FEW = 8;

function insertSorted(list: Range[], ranges: Range[]): void {
  if (ranges.length <= FEW) {
    for (const r of ranges) {
      const at = firstEndingAfter(list, r.from);
      if (at === list.length) list.push(r);
      else list.splice(at, 0, r);
    }
    return;
  }
  let from = list.length - 1;
  let to = from + ranges.length;
  for (const r of ranges) list.push(r);
  for (let k = ranges.length - 1; k >= 0; k--) {
    const r = ranges[k];
    while (from >= 0 && list[from].from > r.from) list[to--] = list[from--];
    list[to--] = r;
  }
}

function removeSorted(list: Range[], ranges: Range[]): void {
  if (ranges.length <= FEW) {
    for (const r of ranges) list.splice(firstEndingAfter(list, r.from), 1);
    return;
  }
  let to = firstEndingAfter(list, ranges[0].from);
  let k = 0;
  for (let i = to; i < list.length; i++) {
    if (k < ranges.length && list[i] === ranges[k]) k++;
    else list[to++] = list[i];
  }
  list.length = to;
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
