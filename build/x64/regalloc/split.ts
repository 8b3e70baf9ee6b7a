// Splitting within blocks: pieces of a bundle around its uses, for when no register is free for all of its life.
// Guarantees for every split: the parts cover the bundle; a part that starts elsewhere than at a definition or in the
// gap before an instruction is in memory, since nothing can be loaded in the middle of an instruction.

import { Bundle } from './bundles.ts';
import { clip, type Range } from './liveness.ts';
import { isDef, type Program } from './program.ts';
import { NEVER, type RegisterFile } from './registers.ts';

export interface Split {
  /** To be placed on their own, or with `reg` set first of all there. */
  bundles: Bundle[];
  /** In memory. */
  memory: Range[];
}

/** The stretch in which one instruction uses a range. */
interface Stretch {
  /** Position of its range in the bundle. */
  range: number;
  from: number;
  to: number;
  /** What the uses cost in memory, and whether one must be in a register. */
  cost: number;
  must: boolean;
  defines: boolean;
  frequency: number;
}

/** The part of a range in which the instruction of use `u` needs it. */
export function stretchAround(p: Program, range: Range, u: number): { from: number; to: number } {
  const inst = p.useInst[u];
  const from = isDef(p.useKind[u]) ? range.from : Math.max(range.from, inst * 4);
  let to = from;
  for (
    let k = p.firstUseFrom(range.useBegin, range.useEnd, from);
    k < range.useEnd && p.useInst[k] === inst;
    k++
  ) {
    to = Math.max(to, p.useEnd(k));
  }
  return { from, to: Math.min(to, range.to) };
}

/** The stretches of a bundle in order. */
function stretches(p: Program, bundle: Bundle): Stretch[] {
  const found: Stretch[] = [];
  bundle.ranges.forEach((range, k) => {
    for (let u = range.useBegin; u < range.useEnd; ) {
      const inst = p.useInst[u];
      const { from, to } = stretchAround(p, range, u);
      const frequency = p.func.blocks[p.blockOfInst[inst]].frequency;
      const s: Stretch = {
        range: k,
        from,
        to,
        cost: 0,
        must: false,
        defines: isDef(p.useKind[u]),
        frequency,
      };
      for (; u < range.useEnd && p.useInst[u] === inst; u++) {
        s.cost += p.useWeight(u);
        if (p.needsRegister(u)) s.must = true;
      }
      found.push(s);
    }
  });
  return found;
}

/** A first and a last stretch. */
type Run = [number, number];

/** A single use that can read memory is better left there. */
function worthIt(all: Stretch[]): (run: number[]) => run is Run {
  return (run): run is Run => run[0] < run[1] || (run[0] === run[1] && all[run[0]].must);
}

/** Cuts everything but the given runs of stretches [first, last] out into memory. */
function cutOut(p: Program, bundle: Bundle, all: Stretch[], runs: Run[]): Split {
  const split: Split = { bundles: [], memory: [] };
  let k = 0;
  let at = bundle.from;
  const drop = (to: number): void => {
    for (; k < bundle.ranges.length; k++) {
      const r = bundle.ranges[k];
      if (r.from >= to) return;
      const [lo, hi] = [Math.max(at, r.from), Math.min(to, r.to)];
      if (lo < hi) split.memory.push(clip(p, r, lo, hi));
      if (r.to > to) return;
    }
  };
  for (const [first, last] of runs) {
    const { from } = all[first];
    const { to } = all[last];
    drop(from);
    const ranges: Range[] = [];
    for (const r of bundle.ranges) if (r.to > from && r.from < to) ranges.push(clip(p, r, from, to));
    split.bundles.push(new Bundle(ranges, bundle.cls, bundle.home, bundle.generation + 1));
    at = to;
  }
  drop(bundle.to);
  return split;
}

/** Only the instructions that need the value in a register have it there. */
export function splitMinimal(p: Program, bundle: Bundle): Split {
  const all = stretches(p, bundle);
  const runs: Run[] = [];
  all.forEach((s, i) => {
    if (s.must) runs.push([i, i]);
  });
  return cutOut(p, bundle, all, runs);
}

/** In each block one part from the first use to the last, and memory between the blocks. */
export function splitByBlock(p: Program, bundle: Bundle): Split {
  const all = stretches(p, bundle);
  const runs: Run[] = [];
  for (let i = 0; i < all.length; ) {
    const block = p.blockAt(all[i].from);
    const first = i;
    while (i < all.length && p.blockAt(all[i].from) === block) i++;
    runs.push([first, i - 1]);
  }
  return cutOut(p, bundle, all, runs.filter(worthIt(all)));
}

/** Within one block, the run of uses and the register for which having it there saves most, and what is left before
 * and behind; undefined if no run saves anything. */
export function splitLocal(
  p: Program,
  bundle: Bundle,
  candidates: number[],
  registers: RegisterFile,
): (Split & { reg: number; main: Bundle }) | undefined {
  const all = stretches(p, bundle);
  let best = { gain: 1e-9, reg: -1, first: 0, last: 0 };
  for (const reg of candidates) {
    for (let first = 0; first < all.length; ) {
      const end = freeFrom(bundle, all[first], reg, registers);
      let last = first;
      let gain = all[first].defines ? 0 : -all[first].frequency;
      for (; last < all.length && all[last].to <= end; last++) gain += all[last].cost;
      if (last - first > 1 && gain > best.gain) best = { gain, reg, first, last: last - 1 };
      first = Math.max(last, first + 1);
    }
  }
  if (best.reg < 0) return undefined;
  const runs = [
    [0, best.first - 1],
    [best.first, best.last],
    [best.last + 1, all.length - 1],
  ].filter(worthIt(all));
  const split = cutOut(p, bundle, all, runs);
  const at = split.bundles.findIndex((b) => b.from === all[best.first].from);
  const [main] = split.bundles.splice(at, 1);
  if (main.from === bundle.from && main.to === bundle.to) return undefined;
  return { ...split, main, reg: best.reg };
}

/** Up to where the bundle can have the register from a stretch on: whoever weighs less makes room. What is taken
 * between two stretches is found from the first, so that a bundle of few uses costs little in a long block. */
function freeFrom(bundle: Bundle, { range, from }: Stretch, reg: number, registers: RegisterFile): number {
  const { ranges, weight } = bundle;
  let end = registers.firstTaken(ranges[range], from, reg, weight);
  for (let k = range + 1; k < ranges.length && end === NEVER; k++)
    end = registers.firstTaken(ranges[k], ranges[k].from, reg, weight);
  return end;
}
