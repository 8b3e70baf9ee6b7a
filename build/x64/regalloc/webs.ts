// Coalescing: webs of virtual registers that are to share a location and do not interfere, by union-find. Two operands
// of a commutative instruction are exchanged where that lets its result share a location with one of them.
// Requires the ranges of liveness.ts; guarantees that the ranges of a web are in ascending order and disjoint.

import type { VReg } from '../mir.ts';
import { firstEndingAfter, type Range } from './liveness.ts';
import { EARLY, LATE, type Program, UseKind } from './program.ts';

/** A wish that two vregs share a location. */
export interface Tie {
  a: VReg;
  b: VReg;
  weight: number;
  /** The instruction whose result `a` is to reuse operand `b`, else -1. */
  inst: number;
}

/** Block parameters come before two-address pairs of the same frequency: a commutative instruction may have a choice,
 * an edge has none. */
export const EDGE_FIRST = 2;

export class Webs {
  /** The ranges of each web, under its root. */
  readonly ranges: Range[][];
  private readonly p: Program;
  private readonly own: Range[][];
  private readonly parent: Int32Array;
  /** Commutative instructions whose operands have their final places. */
  private readonly decided = new Set<number>();

  constructor(p: Program, ranges: Range[][]) {
    this.p = p;
    this.own = ranges;
    this.ranges = ranges.slice();
    this.parent = new Int32Array(ranges.length);
    for (let v = 0; v < ranges.length; v++) this.parent[v] = v;
  }

  find(v: VReg): VReg {
    const { parent } = this;
    let at = v;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]];
      at = parent[at];
    }
    return at;
  }

  /** Merges the webs of a tie; false if they interfere. */
  merge(tie: Tie): boolean {
    if (tie.inst < 0 || !this.p.insts[tie.inst].commutative) return this.join(tie.a, tie.b);
    const { ops } = this.p.insts[tie.inst];
    // The operands may have been exchanged since the tie was made.
    if (this.join(tie.a, ops[1].vreg)) {
      this.decided.add(tie.inst);
      return true;
    }
    if (this.decided.has(tie.inst) || !this.exchange(tie.inst)) return false;
    if (this.join(tie.a, ops[1].vreg)) {
      this.decided.add(tie.inst);
      return true;
    }
    this.exchange(tie.inst);
    return false;
  }

  private join(a: VReg, b: VReg): boolean {
    const x = this.find(a);
    const y = this.find(b);
    if (x === y) return true;
    const [rx, ry] = [this.ranges[x], this.ranges[y]];
    if (rx.length === 0 || ry.length === 0 || this.p.func.classes[x] !== this.p.func.classes[y]) return false;
    const exchanged: number[] = [];
    for (let at = overlap(rx, ry); at >= 0; at = overlap(rx, ry)) {
      const inst = at >> 2;
      if ((at & 3) === EARLY && this.mayExchange(inst, x, y) && this.exchange(inst)) {
        this.decided.add(inst);
        exchanged.push(inst);
        continue;
      }
      for (const i of exchanged) {
        this.exchange(i);
        this.decided.delete(i);
      }
      return false;
    }
    this.ranges[x] = mergeSorted(rx, ry);
    this.parent[y] = x;
    return true;
  }

  /** Whether two webs that overlap at an instruction are those of its result and its second operand. */
  private mayExchange(inst: number, x: VReg, y: VReg): boolean {
    const { commutative, ops } = this.p.insts[inst];
    if (!commutative || this.decided.has(inst)) return false;
    const def = this.find(ops[0].vreg);
    const second = this.find(ops[2].vreg);
    return (def === x && second === y) || (def === y && second === x);
  }

  /** Exchanges the operands of a commutative instruction, if its second one dies there. */
  private exchange(inst: number): boolean {
    const [def, first, second] = this.p.insts[inst].ops;
    if (first.vreg === second.vreg || this.find(def.vreg) === this.find(first.vreg)) return false;
    const dying = this.endingAt(second.vreg, inst * 4 + LATE);
    if (!dying) return false;
    dying.to = inst * 4 + EARLY;
    const other = this.endingAt(first.vreg, inst * 4 + EARLY);
    if (other) other.to = inst * 4 + LATE;
    this.moveUse(second.vreg, inst, 2, 1, UseKind.Gap, inst * 4);
    this.moveUse(
      first.vreg,
      inst,
      1,
      2,
      second.constraint === 'any' ? UseKind.Any : UseKind.Reg,
      inst * 4 + EARLY,
    );
    [first.vreg, second.vreg] = [second.vreg, first.vreg];
    return true;
  }

  private endingAt(v: VReg, point: number): Range | undefined {
    const list = this.own[v];
    const r = list[firstEndingAfter(list, point - 1)];
    return r && r.to === point ? r : undefined;
  }

  private moveUse(v: VReg, inst: number, operand: number, to: number, kind: number, point: number): void {
    const { p } = this;
    for (let u = p.firstUseFrom(p.useBegin[v], p.useBegin[v + 1], inst * 4); p.useInst[u] === inst; u++) {
      if (p.useOperand[u] !== operand) continue;
      p.useOperand[u] = to;
      p.useKind[u] = kind;
      p.usePoint[u] = point;
      return;
    }
  }
}

/** First point at which two lists of ranges overlap, or -1: walks the shorter through the longer by binary search. */
function overlap(x: Range[], y: Range[]): number {
  const [short, long] = x.length <= y.length ? [x, y] : [y, x];
  for (const r of short) {
    const i = firstEndingAfter(long, r.from);
    if (i < long.length && long[i].from < r.to) return Math.max(r.from, long[i].from);
  }
  return -1;
}

function mergeSorted(x: Range[], y: Range[]): Range[] {
  const [short, long] = x.length <= y.length ? [x, y] : [y, x];
  if (8 * short.length > long.length) return [...x, ...y].sort((a, b) => a.from - b.from);
  for (const r of short) long.splice(firstEndingAfter(long, r.from), 0, r);
  return long;
}
