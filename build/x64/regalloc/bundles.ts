// Bundles: the sets of ranges that get one register together. At first each virtual register is a bundle; those
// that block parameters, copies and two-address instructions tie together are merged where they do not interfere,
// the most frequent ties first, so that the tie costs no move. Requires the ranges of liveness.ts; guarantees that
// the ranges of a bundle are in ascending order and disjoint.

import { type MEdge, type Operand, type RegClass, SLOT0 } from '../mir.ts';
import type { Range } from './liveness.ts';
import { type Program, terminatorOf } from './program.ts';
import { EDGE_FIRST, type Tie, Webs } from './webs.ts';

const RIVAL = 0.9;

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
  /** Registers that its fixed operands ask for, each with a weight: found by Hints at first use. */
  fixed: number[] | undefined = undefined;
  /** Whether it is live across a call. */
  crossesCall = false;
  /** The register, -1 while it has none, and its position among those of its home that have one. */
  reg = -1;
  homeIndex = -1;
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

export function formBundles(p: Program, ranges: Range[][]): Bundle[] {
  const webs = new Webs(p, ranges);
  const broken: Tie[] = [];
  for (const tie of collectTies(p)) if (!webs.merge(tie)) broken.push(tie);
  const bundles: Bundle[] = [];
  const homes: Home[] = [];
  for (let v = 0; v < ranges.length; v++) {
    const web = webs.ranges[v];
    if (webs.find(v) !== v || web.length === 0) continue;
    homes[v] = new Home(web);
    bundles.push(new Bundle(web, p.func.classes[v], homes[v], 0));
  }
  for (const { a, b, weight } of broken) {
    const [x, y] = [homes[webs.find(a)], homes[webs.find(b)]];
    if (x && y && x !== y) tieHomes(x, y, weight);
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
  const passed = new Uint32Array(p.func.classes.length);
  for (let b = 0; b < p.func.blocks.length; b++) {
    const frequency = p.frequency[b];
    for (let i = p.blockFirst[b]; i < p.blockFirst[b + 1]; i++) {
      const { ops, isMove } = p.insts[i];
      if (isMove) ties.push({ a: ops[0].vreg, b: ops[1].vreg, weight: frequency, inst: -1 });
      else if (p.special[i] === 1) tieReuse(ops, frequency, i, ties);
    }
    for (const t of terminatorOf(p.func.blocks[b]).targets) tieArguments(t, frequency, passed, ties);
  }
  return ties.length > 1 ? ties.sort((x, y) => y.weight - x.weight) : ties;
}

/** `passed` is room to count how often each vreg is an argument, all zeros before and afterwards. */
function tieArguments(edge: MEdge, frequency: number, passed: Uint32Array, ties: Tie[]): void {
  const { args, block } = edge;
  const weight = Math.min(frequency, block.frequency) * EDGE_FIRST;
  for (const a of args) passed[a]++;
  for (let k = 0; k < args.length; k++) {
    // Of two parameters with one argument only one can be in its place: those without a rival come first.
    const rival = passed[args[k]] > 1;
    ties.push({ a: block.params[k], b: args[k], weight: rival ? weight * RIVAL : weight, inst: -1 });
  }
  for (const a of args) passed[a] = 0;
}

function tieReuse(ops: Operand[], weight: number, inst: number, ties: Tie[]): void {
  for (const op of ops)
    if (op.constraint === 'reuse') ties.push({ a: op.vreg, b: ops[op.arg].vreg, weight, inst });
}
