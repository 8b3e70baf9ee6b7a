// Region splitting: for a bundle that fits nowhere as a whole, finds the register and the part of the control-flow
// graph for which having it in that register saves most, by the frequencies of blocks. A value that is live through a
// hot loop is so cut off around it, and a value that a cold call would destroy is saved and restored beside that call.
// Requires a bundle that spans blocks. Guarantees that the parts cover the bundle and that each is smaller.

import { Bundle } from './bundles.ts';
import type { Cfg } from './cfg.ts';
import { clip, type Range } from './liveness.ts';
import { isDef, type Program, UseKind } from './program.ts';
import type { RegisterFile, Taken } from './registers.ts';
import { type Split, splitByBlock, stretchAround } from './split.ts';

/** More than any sum of real costs. */
const IMPOSSIBLE = 1e15;
const SWEEPS_MAX = 16;

/** The bundle within one block. */
interface Part {
  range: Range;
  from: number;
  to: number;
  /** Boundary numbers where it is live there, else -1. */
  entry: number;
  exit: number;
  frequency: number;
  /** Cost of its uses when they are in memory. */
  useCost: number;
  /** Whether it begins with the definition. */
  defined: boolean;
  /** Gap before the first use, and gap or end behind the last; equal to `to` and `from` where there is none. */
  firstUse: number;
  lastUse: number;
  /** Interference in the register in question. */
  taken: Taken | undefined;
  /** Cost by what holds at entry and exit: [memory, register] × [memory, register]. */
  cost: [number, number, number, number];
}

export interface RegionPlan {
  reg: number;
  cost: number;
  /** What it would cost to have everything in memory. */
  memoryCost: number;
  /** For each boundary: 1 in the register, -1 or 0 in memory. */
  state: Int8Array;
  parts: Part[];
}

export class RegionSplitter {
  private readonly p: Program;
  private readonly cfg: Cfg;
  private readonly registers: RegisterFile;
  private readonly bias: Float64Array;
  private readonly state: Int8Array;
  /** For each boundary, the parts that tie it to another; filled for the bundle in question. */
  private readonly links: Part[][] = [];

  constructor(p: Program, cfg: Cfg, registers: RegisterFile) {
    this.p = p;
    this.cfg = cfg;
    this.registers = registers;
    this.bias = new Float64Array(cfg.boundaries);
    this.state = new Int8Array(cfg.boundaries);
    for (let i = 0; i < cfg.boundaries; i++) this.links.push([]);
  }

  /** The best register and region, or undefined if memory is as good. `extra` is the cost of using a register. */
  plan(bundle: Bundle, candidates: number[], extra: (reg: number) => number): RegionPlan | undefined {
    const parts = this.partsOf(bundle);
    const nodes = this.link(parts);
    const seen = new Set<string>();
    let best: RegionPlan | undefined;
    for (const reg of candidates) {
      if (!this.interfere(bundle, parts, reg, seen)) continue;
      for (const part of parts) price(this.p, part, bundle.home.inMemory);
      const memoryCost = this.total(parts, -1);
      this.relax(parts, nodes);
      const cost = this.total(parts, 0) + extra(reg);
      if (cost < memoryCost * 0.999 && (!best || cost < best.cost)) {
        best = { reg, cost, memoryCost, state: this.state.slice(), parts: parts.map((x) => ({ ...x })) };
      }
    }
    for (const n of nodes) this.links[n].length = 0;
    return best;
  }

  private partsOf(bundle: Bundle): Part[] {
    const parts: Part[] = [];
    for (const range of bundle.ranges) {
      for (let from = range.from; from < range.to; ) {
        const b = this.p.blockAt(from);
        const to = Math.min(range.to, this.p.blockEnd(b));
        parts.push(this.partOf(range, b, from, to));
        from = to;
      }
    }
    return parts;
  }

  private partOf(range: Range, b: number, from: number, to: number): Part {
    const { p, cfg } = this;
    const part: Part = {
      range,
      from,
      to,
      entry: p.blockStart(b) === from ? cfg.entry[b] : -1,
      exit: p.blockEnd(b) === to ? cfg.exit[b] : -1,
      frequency: p.func.blocks[b].frequency,
      useCost: 0,
      defined: false,
      firstUse: to,
      lastUse: from,
      taken: undefined,
      cost: [0, 0, 0, 0],
    };
    const end = p.firstUseFrom(range.useBegin, range.useEnd, to);
    for (let u = p.firstUseFrom(range.useBegin, range.useEnd, from); u < end; u++) {
      if (isDef(p.useKind[u])) {
        part.defined = p.useKind[u] !== UseKind.Param;
        if (!part.defined) continue;
      } else {
        part.useCost += p.useWeight(u);
      }
      part.firstUse = Math.min(part.firstUse, Math.max(from, p.useInst[u] * 4));
      part.lastUse = Math.min(to, p.useInst[u] * 4 + 4);
    }
    return part;
  }

  /** Fills `links` and returns the boundaries that the bundle crosses. */
  private link(parts: Part[]): number[] {
    const nodes: number[] = [];
    const seen = new Set<number>();
    for (const part of parts) {
      for (const n of [part.entry, part.exit]) {
        if (n < 0 || seen.has(n)) continue;
        seen.add(n);
        nodes.push(n);
      }
      if (part.entry < 0 || part.exit < 0 || part.entry === part.exit) continue;
      this.links[part.entry].push(part);
      this.links[part.exit].push(part);
    }
    return nodes;
  }

  /** Notes the interference in each part; false if another register with the same has been tried. */
  private interfere(bundle: Bundle, parts: Part[], reg: number, seen: Set<string>): boolean {
    let key = '';
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      part.taken = this.registers.interference(part.range, part.from, part.to, reg, bundle.weight);
      if (part.taken) key += `${i}:${part.taken.from}-${part.taken.to} `;
    }
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  }

  /** Finds a state of least cost by letting each boundary follow its own costs and its neighbours. */
  private relax(parts: Part[], nodes: number[]): void {
    const { bias, state, links } = this;
    for (const n of nodes) bias[n] = 0;
    for (const { entry, exit, cost } of parts) {
      if (entry >= 0 && exit >= 0 && entry !== exit) {
        bias[entry] += (cost[0] + cost[1] - cost[2] - cost[3]) / 2;
        bias[exit] += (cost[0] + cost[2] - cost[1] - cost[3]) / 2;
      } else if (entry >= 0) bias[entry] += cost[0] - cost[3];
      else if (exit >= 0) bias[exit] += cost[0] - cost[3];
    }
    for (const n of nodes) state[n] = sign(bias[n]);
    for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
      let changed = false;
      for (let k = 0; k < nodes.length; k++) {
        const n = nodes[sweep & 1 ? nodes.length - 1 - k : k];
        let sum = bias[n];
        for (const { entry, exit, cost } of links[n]) {
          const pull = Math.max(0, (cost[1] + cost[2] - cost[0] - cost[3]) / 2);
          sum += pull * state[n === entry ? exit : entry];
        }
        const next = sign(sum);
        if (next === state[n]) continue;
        state[n] = next;
        changed = true;
      }
      if (!changed) break;
    }
  }

  /** Cost of the state that was found, or (with `only` -1) of everything in memory. */
  private total(parts: Part[], only: number): number {
    let sum = 0;
    for (const part of parts) {
      const into = part.entry < 0 ? -1 : only || this.state[part.entry];
      const out = part.exit < 0 ? -1 : only || this.state[part.exit];
      if (part.entry < 0) sum += part.cost[out > 0 ? 3 : 0];
      else if (part.exit < 0) sum += part.cost[into > 0 ? 3 : 0];
      else sum += part.cost[(into > 0 ? 2 : 0) + (out > 0 ? 1 : 0)];
    }
    return sum;
  }

  /** Cuts the bundle as planned. */
  carve(bundle: Bundle, plan: RegionPlan): (Split & { main: Bundle }) | undefined {
    return new Carver(this.p, bundle, plan).carve();
  }
}

function sign(x: number): number {
  return x > 1e-9 ? 1 : x < -1e-9 ? -1 : 0;
}

/** Fills in the part's costs. Where it has only one boundary, [0] is memory and [3] the register there. */
function price(p: Program, part: Part, inMemory: boolean): void {
  const f = part.frequency;
  const store = inMemory ? 0 : f;
  const { taken, cost, range } = part;
  const local = Math.min(part.useCost, f);
  let headBlocked = false;
  let tailBlocked = false;
  // Costs of the uses up to the interference, from it on, and within it.
  let before = 0;
  let behind = 0;
  let within = 0;
  if (taken) {
    headBlocked = taken.from <= part.from;
    tailBlocked = (taken.to + 3) >> 2 >= part.to >> 2;
    const end = p.firstUseFrom(range.useBegin, range.useEnd, part.to);
    const next = p.firstUseFrom(range.useBegin, end, taken.from);
    if (next < end) behind = local;
    if (part.firstUse < taken.to) before = local;
    if (next < end && p.usePoint[next] < taken.to) within = local;
  }
  if (part.entry >= 0 && part.exit >= 0) {
    cost[0] = local;
    cost[1] = tailBlocked ? IMPOSSIBLE : f + before;
    cost[2] = headBlocked ? IMPOSSIBLE : store + behind;
    cost[3] = headBlocked || tailBlocked ? IMPOSSIBLE : taken ? store + f + within : 0;
  } else if (part.entry >= 0) {
    cost[0] = local;
    cost[3] = headBlocked ? IMPOSSIBLE : behind > 0 ? store + behind : 0;
  } else if (part.exit >= 0) {
    cost[0] = part.defined ? store : local;
    cost[3] = tailBlocked ? IMPOSSIBLE : taken ? store + f : part.defined ? 0 : f;
  }
}

/** Makes the pieces of a plan. */
class Carver {
  private readonly p: Program;
  private readonly bundle: Bundle;
  private readonly plan: RegionPlan;
  private readonly main: Range[] = [];
  private readonly memory: Range[] = [];
  private readonly rest: Bundle[] = [];
  /** What is left over, by the boundary that ties it to more. */
  private readonly parent = new Map<number, number>();
  private readonly left = new Map<number, Range[]>();
  private readonly pending: { range: Range; node: number }[] = [];

  constructor(p: Program, bundle: Bundle, plan: RegionPlan) {
    this.p = p;
    this.bundle = bundle;
    this.plan = plan;
  }

  carve(): (Split & { main: Bundle }) | undefined {
    for (const part of this.plan.parts) this.carvePart(part);
    for (const { range, node } of this.pending) {
      const root = this.find(node);
      const list = this.left.get(root);
      if (list) list.push(range);
      else this.left.set(root, [range]);
    }
    for (const ranges of this.left.values()) this.leave(ranges);
    const { bundle, rest, memory } = this;
    if (this.main.length === 0) return undefined;
    const main = new Bundle(this.main, bundle.cls, bundle.home, bundle.generation + 1);
    return { main, bundles: rest, memory };
  }

  private inRegister(boundary: number): boolean {
    return boundary >= 0 && this.plan.state[boundary] > 0;
  }

  private carvePart(part: Part): void {
    const { entry, exit, taken, from, to } = part;
    const into = this.inRegister(entry);
    const out = this.inRegister(exit);
    const local = entry < 0 && exit < 0;
    if (!taken && (local || ((into || entry < 0) && (out || exit < 0)))) {
      this.keep(part, from, to);
      return;
    }
    let head = from;
    let tail = to;
    if (into || (entry < 0 && out)) head = taken ? this.lastBefore(part, taken.from) : part.lastUse;
    if (out) tail = taken ? this.firstBehind(part, taken.to) : Math.min(part.firstUse, lastGap(to));
    this.keep(part, from, head);
    this.keep(part, tail, to);
    if (head >= tail) return;
    // Between two stretches in the register it is in memory; else the left-over part goes on at a boundary.
    if (head > from && tail < to) this.drop(part, head, tail, -1);
    else this.drop(part, head, tail, head === from && !into ? entry : exit);
  }

  private keep(part: Part, from: number, to: number): void {
    if (from < to) this.main.push(clip(this.p, part.range, from, to));
  }

  /** End of the last instruction's uses that are over before `point`; where the part begins if there are none. */
  private lastBefore(part: Part, point: number): number {
    const { p } = this;
    const { range } = part;
    let end = part.from;
    for (let u = p.firstUseFrom(range.useBegin, range.useEnd, part.from); u < range.useEnd; ) {
      const stretch = stretchAround(p, range, u);
      if (stretch.to > point || stretch.from >= point) break;
      end = Math.min(stretch.to, part.to);
      const inst = p.useInst[u];
      while (u < range.useEnd && p.useInst[u] === inst) u++;
    }
    return end;
  }

  /** Gap of the first use behind `point`, or the last gap of the part. */
  private firstBehind(part: Part, point: number): number {
    const gap = (point + 3) & ~3;
    const { range } = part;
    const u = this.p.firstUseFrom(range.useBegin, range.useEnd, gap);
    const first = u < range.useEnd ? this.p.useInst[u] * 4 : part.to;
    return Math.max(gap, Math.min(first, lastGap(part.to)));
  }

  /** Something that is not in the main bundle; `boundary` ties it to what else is left. */
  private drop(part: Part, from: number, to: number, boundary: number): void {
    const gap = from === part.from ? from : Math.min((from + 3) & ~3, to);
    if (gap > from) this.memory.push(clip(this.p, part.range, from, gap));
    if (gap === to) return;
    const range = clip(this.p, part.range, gap, to);
    const otherBoundary = boundary === part.entry ? part.exit : part.entry;
    if (boundary < 0 || this.inRegister(boundary)) {
      this.leave([range]);
      return;
    }
    if (from === part.from && to === part.to && otherBoundary >= 0 && !this.inRegister(otherBoundary)) {
      const [a, b] = [this.find(boundary), this.find(otherBoundary)];
      if (a !== b) this.parent.set(a, b);
    }
    this.pending.push({ range, node: boundary });
  }

  private find(node: number): number {
    let at = node;
    for (let up = this.parent.get(at); up !== undefined; up = this.parent.get(at)) at = up;
    return at;
  }

  /** Queues what is left where it has uses, and puts the rest of it in memory. */
  private leave(ranges: Range[]): void {
    const { bundle } = this;
    const blocks = new Set<number>();
    for (const r of ranges) {
      for (let u = r.useBegin; u < r.useEnd; u++) blocks.add(this.p.blockOfInst[this.p.useInst[u]]);
    }
    if (blocks.size > 1) {
      this.rest.push(new Bundle(ranges, bundle.cls, bundle.home, bundle.generation + 1));
      return;
    }
    const split = splitByBlock(this.p, new Bundle(ranges, bundle.cls, bundle.home, bundle.generation));
    this.rest.push(...split.bundles);
    this.memory.push(...split.memory);
  }
}

function lastGap(to: number): number {
  return (to - 1) & ~3;
}
