// Bundles: the sets of ranges that get one register together. At first each virtual register is a bundle; those
// that block parameters, copies and two-address instructions tie together are merged where they do not interfere,
// the most frequent ties first, so that the tie costs no move. Requires the ranges of liveness.ts; guarantees that
// the ranges of a bundle are in ascending order and disjoint.

import { type MInst, type RegClass, SLOT0, type VReg } from '../mir.ts';
import type { Range } from './liveness.ts';
import { type Program, terminatorOf } from './program.ts';

/** What all bundles have in common that were split off one: their slot in memory, and wishes. */
export class Home {
  /** All ranges, before any split: when the slot is taken. */
  readonly ranges: Range[];
  /** Homes to which or from which values move, and how often. */
  readonly ties: { home: Home; weight: number }[] = [];
  /** The bundles that have a register. */
  readonly placed: Bundle[] = [];
  /** Whether some piece is in memory. */
  inMemory = false;
  slot = -1;
  constructor(ranges: Range[]) {
    this.ranges = ranges;
  }
  get loc(): number {
    return SLOT0 + this.slot;
  }
}

export class Bundle {
  readonly ranges: Range[];
  readonly cls: RegClass;
  readonly home: Home;
  /** How often it was split off another. */
  readonly generation: number;
  /** Number of points covered: large bundles are placed first. */
  length = 0;
  /** What it costs to have it in memory, and the same for each point of length, which is what eviction goes by. */
  memoryCost = 0;
  weight = 0;
  /** The register, -1 while it has none. */
  reg = -1;
  /** Marks the bundle as seen in a search of RegisterFile. */
  stamp = 0;

  constructor(ranges: Range[], cls: RegClass, home = new Home(ranges), generation = 0) {
    this.ranges = ranges;
    this.cls = cls;
    this.home = home;
    this.generation = generation;
  }

  get from(): number {
    return this.ranges[0].from;
  }

  get to(): number {
    return this.ranges[this.ranges.length - 1].to;
  }
}

/** A wish that two vregs share a location. */
interface Tie {
  a: VReg;
  b: VReg;
  weight: number;
}

export function formBundles(p: Program, ranges: Range[][]): Bundle[] {
  const bundles = ranges.map((r, v) => (r.length > 0 ? new Bundle(r, p.func.classes[v]) : undefined));
  const owner = Int32Array.from(ranges, (_, v) => v);
  const find = (v: VReg): VReg => {
    let at = v;
    while (owner[at] !== at) {
      owner[at] = owner[owner[at]];
      at = owner[at];
    }
    return at;
  };
  const ties = collectTies(p);
  for (const tie of ties) {
    const a = find(tie.a);
    const b = find(tie.b);
    const x = bundles[a];
    const y = bundles[b];
    if (a === b || !x || !y || x.cls !== y.cls || interfere(x.ranges, y.ranges)) continue;
    bundles[a] = new Bundle(mergeSorted(x.ranges, y.ranges), x.cls);
    owner[b] = a;
  }
  for (const tie of ties) {
    const x = bundles[find(tie.a)]?.home;
    const y = bundles[find(tie.b)]?.home;
    if (!x || !y || x === y) continue;
    x.ties.push({ home: y, weight: tie.weight });
    y.ties.push({ home: x, weight: tie.weight });
  }
  return bundles.filter((bundle, v): bundle is Bundle => bundle !== undefined && owner[v] === v);
}

function collectTies(p: Program): Tie[] {
  const ties: Tie[] = [];
  for (const block of p.func.blocks) {
    const weight = block.frequency;
    for (const inst of block.insts) {
      if (inst.isMove) ties.push({ a: inst.ops[0].vreg, b: inst.ops[1].vreg, weight });
      else tieReuse(inst, weight, ties);
    }
    for (const t of terminatorOf(block).targets) {
      t.args.forEach((arg, i) => {
        ties.push({ a: t.block.params[i], b: arg, weight: Math.min(weight, t.block.frequency) });
      });
    }
  }
  return ties.sort((x, y) => y.weight - x.weight);
}

function tieReuse(inst: MInst, weight: number, ties: Tie[]): void {
  for (const op of inst.ops) {
    if (op.constraint === 'reuse') ties.push({ a: op.vreg, b: inst.ops[op.arg].vreg, weight });
  }
}

/** Whether two lists of ranges overlap: walks the shorter one through the longer by binary search. */
function interfere(x: Range[], y: Range[]): boolean {
  const [short, long] = x.length <= y.length ? [x, y] : [y, x];
  for (const r of short) {
    const i = firstEndingAfter(long, r.from);
    if (i < long.length && long[i].from < r.to) return true;
  }
  return false;
}

/** Index of the first of the sorted, disjoint ranges that ends behind `point`. */
export function firstEndingAfter(ranges: Range[], point: number): number {
  let lo = 0;
  let hi = ranges.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (ranges[mid].to <= point) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

/** Puts the shorter list's ranges into the longer one: a long chain of ties costs what it adds, not what it has. */
function mergeSorted(x: Range[], y: Range[]): Range[] {
  const [short, long] = x.length <= y.length ? [x, y] : [y, x];
  if (8 * short.length > long.length) return [...x, ...y].sort((a, b) => a.from - b.from);
  for (const r of short) long.splice(firstEndingAfter(long, r.from), 0, r);
  return long;
}
