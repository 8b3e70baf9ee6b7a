// Carving: cuts a bundle as a region plan says into the part for the chosen register and what is left over: that is
// put in memory where it has no uses, and queued again by connected parts where it has. Guarantees that the pieces
// cover the bundle and that each is smaller than it.

import { Bundle } from './bundles.ts';
import { clip, type Range } from './liveness.ts';
import type { Parts } from './parts.ts';
import type { Program } from './program.ts';
import type { RegionPlanner } from './region.ts';
import { type Split, splitByBlock, stretchAround } from './split.ts';

/** Cuts by the planner's last plan; undefined if nothing is left for the register. */
export function carve(
  p: Program,
  bundle: Bundle,
  planner: RegionPlanner,
): (Split & { main: Bundle }) | undefined {
  return new Carver(p, bundle, planner).carve();
}

class Carver {
  private readonly p: Program;
  private readonly bundle: Bundle;
  private readonly planner: RegionPlanner;
  private readonly parts: Parts;
  private readonly main: Range[] = [];
  private readonly split: Split = { bundles: [], memory: [] };
  /** What is left over, each with the boundary that ties it to more of it. */
  private readonly left: { range: Range; boundary: number }[] = [];

  constructor(p: Program, bundle: Bundle, planner: RegionPlanner) {
    this.p = p;
    this.bundle = bundle;
    this.planner = planner;
    this.parts = planner.parts;
  }

  carve(): (Split & { main: Bundle }) | undefined {
    for (const n of this.parts.nodes) this.planner.group[n] = n;
    for (let k = 0; k < this.parts.count; k++) this.carvePart(k);
    if (this.main.length === 0) return undefined;
    const groups = new Map<number, Range[]>();
    for (const { range, boundary } of this.left) {
      const root = this.find(boundary);
      const group = groups.get(root);
      if (group) group.push(range);
      else groups.set(root, [range]);
    }
    for (const ranges of groups.values()) this.leave(ranges);
    const { bundle, split } = this;
    return { ...split, main: new Bundle(this.main, bundle.cls, bundle.home, bundle.generation + 1) };
  }

  private inRegister(boundary: number): boolean {
    return boundary >= 0 && this.planner.state[boundary] > 0;
  }

  private carvePart(k: number): void {
    const { parts, planner } = this;
    const from = parts.from[k];
    const to = parts.to[k];
    const entry = parts.entry[k];
    const exit = parts.exit[k];
    const into = this.inRegister(entry);
    const out = this.inRegister(exit);
    const taken = planner.takenTo[k] >= 0;
    // A part without boundaries is kept as well: it may be tied to its neighbours by an instruction.
    if (!taken && (into || entry < 0) && (out || exit < 0)) {
      this.keep(k, from, to);
      return;
    }
    let head = from;
    let tail = to;
    if (into || (entry < 0 && out))
      head = taken ? this.lastBefore(k, planner.takenFrom[k]) : parts.lastUse[k];
    if (out)
      tail = taken ? this.firstBehind(k, planner.takenTo[k]) : Math.min(parts.firstUse[k], lastGap(to));
    this.keep(k, from, head);
    this.keep(k, tail, to);
    if (head < tail) this.drop(k, head, tail);
  }

  private keep(k: number, from: number, to: number): void {
    if (from < to) this.main.push(clip(this.p, this.parts.range[k], from, to));
  }

  /** Something that is not in the main bundle. */
  private drop(k: number, from: number, to: number): void {
    const { p, parts, split } = this;
    // In the middle of an instruction nothing can be moved: up to the next gap it has to be in memory.
    const gap = from === parts.from[k] ? from : Math.min((from + 3) & ~3, to);
    if (gap > from) split.memory.push(clip(p, parts.range[k], from, gap));
    if (gap === to) return;
    const range = clip(p, parts.range[k], gap, to);
    const atEntry = from === parts.from[k] && parts.entry[k] >= 0 && !this.inRegister(parts.entry[k]);
    const atExit = to === parts.to[k] && parts.exit[k] >= 0 && !this.inRegister(parts.exit[k]);
    if (atEntry && atExit) this.planner.group[this.find(parts.entry[k])] = this.find(parts.exit[k]);
    if (atEntry) this.left.push({ range, boundary: parts.entry[k] });
    else if (atExit) this.left.push({ range, boundary: parts.exit[k] });
    else this.leave([range]);
  }

  /** End of the last instruction's uses that are over before `point`; where the part begins if there are none. */
  private lastBefore(k: number, point: number): number {
    const { p, parts } = this;
    const range = parts.range[k];
    let end = parts.from[k];
    for (let u = p.firstUseFrom(range.useBegin, range.useEnd, end); u < range.useEnd; ) {
      const stretch = stretchAround(p, range, u);
      if (stretch.to > point || stretch.from >= point) break;
      end = Math.min(stretch.to, parts.to[k]);
      const inst = p.useInst[u];
      while (u < range.useEnd && p.useInst[u] === inst) u++;
    }
    return end;
  }

  /** Gap of the first use behind `point`, or the last gap of the part. */
  private firstBehind(k: number, point: number): number {
    const { p, parts } = this;
    const gap = (point + 3) & ~3;
    const range = parts.range[k];
    const u = p.firstUseFrom(range.useBegin, range.useEnd, gap);
    const first = u < range.useEnd ? p.useInst[u] * 4 : parts.to[k];
    return Math.max(gap, Math.min(first, lastGap(parts.to[k])));
  }

  private find(boundary: number): number {
    const { group } = this.planner;
    let at = boundary;
    while (group[at] !== at) {
      group[at] = group[group[at]];
      at = group[at];
    }
    return at;
  }

  /** Queues what is left where it has uses, and puts the rest of it in memory. */
  private leave(ranges: Range[]): void {
    const { bundle, p, split } = this;
    const left = new Bundle(ranges, bundle.cls, bundle.home, bundle.generation + 1);
    let first = -1;
    for (const r of ranges) {
      for (let u = r.useBegin; u < r.useEnd; u++) {
        const block = p.blockOfInst[p.useInst[u]];
        if (first < 0) first = block;
        if (block === first) continue;
        split.bundles.push(left);
        return;
      }
    }
    const local = splitByBlock(p, left);
    split.bundles.push(...local.bundles);
    split.memory.push(...local.memory);
  }
}

function lastGap(to: number): number {
  return (to - 1) & ~3;
}
