// Live ranges: for each virtual register the stretches of the instruction line in which it is live, found by
// walking from each use up through the predecessors to the definition (which SSA makes dominate it), so that the
// work is proportional to the size of the result. Requires a Program; guarantees ranges in ascending order, disjoint,
// neither touching one another, and every use inside one.

import { countMade } from '../../heap.ts';
import type { Loc, VReg } from '../mir.ts';
import type { Bundle, Home } from './bundles.ts';
import type { Cfg } from './cfg.ts';
import { Entries } from './entries.ts';
import { Hulls } from './hull.ts';
import { LATE, type Program, UseKind } from './program.ts';
import { Reach } from './reach.ts';

/** A stretch of one virtual register's life: the unit that gets a location. */
export class Range {
  readonly vreg: VReg;
  readonly from: number;
  /** Final once the bundles have been formed. */
  to: number;
  /** Its uses, as positions in the Program's use arrays. */
  readonly useBegin: number;
  readonly useEnd: number;
  /** What it is placed with, if in a register. */
  bundle: Bundle | undefined = undefined;
  /** Set for a range in memory. */
  home: Home | undefined = undefined;
  constructor(vreg: VReg, from: number, to: number, useBegin: number, useEnd: number) {
    countMade();
    this.vreg = vreg;
    this.from = from;
    this.to = to;
    this.useBegin = useBegin;
    this.useEnd = useEnd;
  }

  /** Register or slot, once all are placed. */
  get loc(): Loc {
    return this.home ? this.home.loc : this.bundle!.reg;
  }
}

/** The part of `range` in [from, to). */
export function clip(p: Program, range: Range, from: number, to: number): Range {
  const lo = Math.max(from, range.from);
  const hi = Math.min(to, range.to);
  const begin = p.firstUseFrom(range.useBegin, range.useEnd, lo);
  return new Range(range.vreg, lo, hi, begin, p.firstUseFrom(begin, range.useEnd, hi));
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

const NONE: Range[] = [];
/** How far values are followed block by block: through so many blocks altogether, and from then on through `few` each;
 * those that are live in more are left to Reach, until they have so many stretches altogether, and then to Hulls. */
export interface Patience {
  steps: number;
  few: number;
  stretches: number;
}

const STEPS_FOR_BLOCK = 64;
const FEW = 64;
const STRETCHES_FOR_BLOCK = 16;

/** The ranges of every vreg. */
export function computeRanges(p: Program, cfg: () => Cfg, patience: Patience = patienceWith(p)): Range[][] {
  const walk = new LiveBlocks(p, cfg, patience);
  const result: Range[][] = [];
  for (let v = 0; v + 1 < p.useBegin.length; v++) result.push(rangesOf(p, v, walk));
  return result;
}

function patienceWith(p: Program): Patience {
  const blocks = p.preds.length;
  return { steps: blocks * STEPS_FOR_BLOCK, few: FEW, stretches: blocks * STRETCHES_FOR_BLOCK };
}

function rangesOf(p: Program, v: VReg, walk: LiveBlocks): Range[] {
  const begin = p.useBegin[v];
  const end = p.useBegin[v + 1];
  if (begin === end) return NONE;
  // A block parameter that nothing reads needs no location: no edge has to set it.
  if (begin + 1 === end && p.useKind[begin] === UseKind.Param) return NONE;
  const defBlock = p.defBlock[v];
  if (defBlock < 0) throw new Error(`register allocation: v${v} is used and never defined in ${p.func.name}`);
  const last = p.blockOfInst[p.useInst[end - 1]];
  if (last === defBlock && p.blockOfInst[p.useInst[begin]] === defBlock) return localRange(p, v, begin, end);
  return globalRanges(p, v, walk);
}

/** A value that is only used in the block of its definition. */
function localRange(p: Program, v: VReg, begin: number, end: number): Range[] {
  const from = p.defPoint[v];
  let to = from;
  for (let u = begin; u < end; u++) to = Math.max(to, endOfLife(p, u));
  // A fixed definition that nothing reads has its register reserved and needs no more.
  return to === from ? NONE : [new Range(v, from, to, begin, end)];
}

function globalRanges(p: Program, v: VReg, walk: LiveBlocks): Range[] {
  const end = p.useBegin[v + 1];
  const defBlock = p.defBlock[v];
  const ranges: Range[] = [];
  let from = -1;
  let to = -1;
  let use = p.useBegin[v];
  let useFrom = use;
  const blocks = walk.find(v);
  if (!blocks) return farRange(p, v, walk) ?? farRanges(p, v, walk);
  for (const b of blocks) {
    const blockFrom = b === defBlock ? p.defPoint[v] : p.blockStart(b);
    // A definition begins a range, even where another block that the value reaches stands before its own.
    if (blockFrom !== to || b === defBlock) {
      if (from >= 0) ranges.push(new Range(v, from, to, useFrom, use));
      from = blockFrom;
      useFrom = use;
    }
    to = blockFrom;
    const blockEnd = p.blockEnd(b);
    while (use < end && p.usePoint[use] < blockEnd) to = Math.max(to, endOfLife(p, use++));
    if (walk.liveOut[b] === v + 1) to = blockEnd;
  }
  ranges.push(new Range(v, from, to, useFrom, use));
  return ranges;
}

/** A single range for a value that is live in very many blocks, once there are too many ranges. */
function farRange(p: Program, v: VReg, walk: LiveBlocks): Range[] | undefined {
  if (walk.stretchesLeft > 0) return undefined;
  const end = p.useBegin[v + 1];
  const last = walk.hulls.end(p.defBlock[v], p.blockOfInst[p.useInst[end - 1]]);
  return last < 0 ? undefined : [new Range(v, p.defPoint[v], p.blockEnd(last), p.useBegin[v], end)];
}

/** The ranges of such a value, found by dominators. */
function farRanges(p: Program, v: VReg, walk: LiveBlocks): Range[] {
  const reach = walk.reach!;
  const end = p.useBegin[v + 1];
  const defBlock = p.defBlock[v];
  /** Blocks where it is live throughout, as pairs of first and last. */
  const throughout: number[] = [];
  const stretches: Stretch[] = [];
  let defEnd = p.defPoint[v];
  reach.begin();
  for (let u = p.useBegin[v]; u < end; ) {
    const b = p.blockOfInst[p.useInst[u]];
    let to = -1;
    let through = false;
    for (; u < end && p.blockOfInst[p.useInst[u]] === b; u++) {
      to = Math.max(to, endOfLife(p, u));
      if (p.useKind[u] === UseKind.Edge) through = true;
    }
    if (b !== defBlock) {
      reach.collect(b, through, defBlock, throughout);
      stretches.push({ from: p.blockStart(b), to });
      to = p.blockEnd(defBlock);
    }
    defEnd = Math.max(defEnd, to);
  }
  for (let i = 0; i < throughout.length; i += 2)
    stretches.push({ from: p.blockStart(throughout[i]), to: p.blockEnd(throughout[i + 1]) });
  stretches.push({ from: p.defPoint[v], to: defEnd });
  walk.stretchesLeft -= stretches.length;
  return rangesFrom(p, v, stretches);
}

/** Joins stretches, which may overlap. A definition begins a range in any case. */
function rangesFrom(p: Program, v: VReg, stretches: Stretch[]): Range[] {
  stretches.sort((a, b) => a.from - b.from);
  const joined: Stretch[] = [];
  for (const s of stretches) {
    const last = joined.at(-1);
    if (last && s.from <= last.to && s.from !== p.defPoint[v]) last.to = Math.max(last.to, s.to);
    else joined.push(s);
  }
  const end = p.useBegin[v + 1];
  let use = p.useBegin[v];
  return joined.map(({ from, to }, i) => {
    const first = use;
    use = i + 1 < joined.length ? p.firstUseFrom(first, end, joined[i + 1].from) : end;
    return new Range(v, from, to, first, use);
  });
}

/** How far a use keeps its value alive by itself. */
function endOfLife(p: Program, use: number): number {
  const kind = p.useKind[use];
  const point = p.usePoint[use];
  if (kind === UseKind.FixedDef) return point;
  if (kind < UseKind.Edge || kind === UseKind.Temp) return p.useEnd(use);
  if (kind === UseKind.EarlyDef) return p.useInst[use] * 4 + LATE + 1;
  return kind === UseKind.Edge ? p.useEnd(use) : point + 1;
}

interface Stretch {
  from: number;
  to: number;
}

/** Finds the blocks where a vreg is live. */
class LiveBlocks {
  private readonly p: Program;
  /** v + 1 where vreg v is live at the block's start or end, or was seen at all. */
  private readonly liveIn: Int32Array;
  readonly liveOut: Int32Array;
  private readonly seen: Int32Array;
  private readonly work: number[] = [];
  private readonly cfg: () => Cfg;
  private readonly few: number;
  private steps: number;
  /** For values that are live far, once that takes too many steps. */
  reach: Reach | undefined;
  stretchesLeft: number;
  private allHulls: Hulls | undefined;

  constructor(p: Program, cfg: () => Cfg, { steps, few, stretches }: Patience) {
    this.p = p;
    this.cfg = cfg;
    this.steps = steps;
    this.few = few;
    this.stretchesLeft = stretches;
    const blocks = p.func.blocks.length;
    this.liveIn = new Int32Array(blocks);
    this.liveOut = new Int32Array(blocks);
    this.seen = new Int32Array(blocks);
  }

  /** Ascending; valid until the next call. Undefined if there are so many that `reach` should be asked. */
  find(v: VReg): number[] | undefined {
    const most = Math.max(this.steps, this.few);
    const { p, seen } = this;
    const stamp = v + 1;
    const defBlock = p.defBlock[v];
    const blocks = [defBlock];
    seen[defBlock] = stamp;
    for (let u = p.useBegin[v]; u < p.useBegin[v + 1]; u++) {
      const b = p.blockOfInst[p.useInst[u]];
      if (p.useKind[u] === UseKind.Edge) this.liveOut[b] = stamp;
      if (b === defBlock) continue;
      if (seen[b] !== stamp) {
        seen[b] = stamp;
        blocks.push(b);
      }
      this.enter(b, stamp);
    }
    while (this.work.length > 0) {
      if (blocks.length > most && this.mayReach()) {
        this.work.length = 0;
        return undefined;
      }
      const b = this.work.pop()!;
      for (const pred of p.preds[b]) {
        this.liveOut[pred] = stamp;
        if (seen[pred] !== stamp) {
          seen[pred] = stamp;
          blocks.push(pred);
        }
        if (pred !== defBlock) this.enter(pred, stamp);
      }
    }
    this.steps -= blocks.length;
    return blocks.length > 1 ? blocks.sort((a, b) => a - b) : blocks;
  }

  get hulls(): Hulls {
    this.allHulls ??= new Hulls(this.p, this.cfg(), new Entries(this.p));
    return this.allHulls;
  }

  private mayReach(): boolean {
    this.reach ??= new Reach(this.p, this.cfg());
    return this.reach.usable;
  }

  private enter(b: number, stamp: number): void {
    if (this.liveIn[b] === stamp) return;
    if (b === 0)
      throw new Error(`register allocation: v${stamp - 1} of ${this.p.func.name} has a path without a def`);
    this.liveIn[b] = stamp;
    this.work.push(b);
  }
}
