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
  ties: { home: Home; weight: number }[] | undefined = undefined;
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
  /** Whether it is live across a call. */
  crossesCall = false;
  /** The register, -1 while it has none. */
  reg = -1;
  /** Marks the bundle as seen in a search of RegisterFile. */
  stamp = 0;

  constructor(ranges: Range[], cls: RegClass, home: Home, generation: number) {
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
  const merged = ranges.slice();
  const owner = new Int32Array(ranges.length);
  for (let v = 0; v < owner.length; v++) owner[v] = v;
  const find = (v: VReg): VReg => {
    let at = v;
    while (owner[at] !== at) {
      owner[at] = owner[owner[at]];
      at = owner[at];
    }
    return at;
  };
  const broken: Tie[] = [];
  for (const tie of collectTies(p)) {
    const a = find(tie.a);
    const b = find(tie.b);
    const [x, y] = [merged[a], merged[b]];
    if (a === b || x.length === 0 || y.length === 0) continue;
    if (p.func.classes[a] !== p.func.classes[b] || interfere(x, y)) {
      broken.push(tie);
      continue;
    }
    merged[a] = mergeSorted(x, y);
    owner[b] = a;
  }
  const bundles: Bundle[] = [];
  const homes: Home[] = [];
  for (let v = 0; v < owner.length; v++) {
    if (owner[v] !== v || merged[v].length === 0) continue;
    homes[v] = new Home(merged[v]);
    bundles.push(new Bundle(merged[v], p.func.classes[v], homes[v], 0));
  }
  for (const { a, b, weight } of broken) {
    const [x, y] = [homes[find(a)], homes[find(b)]];
    if (x !== y) tieHomes(x, y, weight);
  }
  return bundles;
}

function tieHomes(x: Home, y: Home, weight: number): void {
  x.ties ??= [];
  y.ties ??= [];
  x.ties.push({ home: y, weight });
  y.ties.push({ home: x, weight });
}

/** The wishes, most frequent first. */
function collectTies(p: Program): Tie[] {
  const ties: Tie[] = [];
  for (const block of p.func.blocks) {
    const weight = block.frequency;
    for (const inst of block.insts) {
      if (inst.isMove) ties.push({ a: inst.ops[0].vreg, b: inst.ops[1].vreg, weight });
      else if (inst.ops.length > 1) tieReuse(inst, weight, ties);
    }
    for (const t of terminatorOf(block).targets) {
      for (let i = 0; i < t.args.length; i++) {
        ties.push({ a: t.block.params[i], b: t.args[i], weight: Math.min(weight, t.block.frequency) });
      }
    }
  }
  return ties.length > 1 ? ties.sort((x, y) => y.weight - x.weight) : ties;
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
