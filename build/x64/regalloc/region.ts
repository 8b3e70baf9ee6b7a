// Region planning: for a bundle that fits nowhere as a whole, finds the register and the part of the control-flow
// graph for which having it in that register saves most, by the frequencies of blocks. A value that is live through a
// hot loop is so cut off around it, and a value that a cold call would destroy is saved and restored beside that call.
//
// Each boundary between blocks is in the register or in memory. Within a block, what holds at its entry and exit has
// a cost: loads, stores, uses in memory, and loads after interference. The planner looks for a cheapest state.

import type { Bundle } from './bundles.ts';
import type { Cfg } from './cfg.ts';
import { Parts } from './parts.ts';
import type { Program } from './program.ts';
import type { RegisterFile } from './registers.ts';

/** More than any sum of real costs. */
const IMPOSSIBLE = 1e15;
const SWEEPS_MAX = 12;
/** How much work may be spent on a function, in evaluations of one block for one register: so many for each of its
 * instructions, and the least for small functions. */
const WORK_FOR_INST = 48;
const WORK_MIN = 20000;
/** The same for the blocks of the bundles that are looked at, whatever comes of it. */
const PARTS_FOR_INST = 400;
/** How many registers are looked at closely; fewer for bundles in many blocks. */
const REGISTERS_MAX = 3;
const MANY_PARTS = 128;

interface Ranked {
  reg: number;
  bound: number;
  /** How much there is in the register in the bundle's time. */
  crowd: number;
}

export interface Plan {
  reg: number;
  cost: number;
}

export class RegionPlanner {
  readonly parts: Parts;
  /** Interference in each part, from the first to the last point; `takenTo` is -1 where there is none. */
  takenFrom = new Int32Array(64);
  takenTo = new Int32Array(64);
  /** For each boundary: 1 in the register, -1 or 0 in memory. */
  readonly state: Int8Array;
  /** Room for a union-find over the boundaries. */
  readonly group: Int32Array;
  private readonly p: Program;
  private readonly registers: RegisterFile;
  /** Four costs for each part, by entry and exit: memory-memory, memory-register, register-memory, register-register.
   * Where it has only one boundary, the first is memory and the last the register there. */
  private cost = new Float64Array(256);
  private readonly bias: Float64Array;
  /** For each boundary a list of the parts that tie it to another: entries 2k and 2k + 1 of `next` are part k. */
  private readonly head: Int32Array;
  private next = new Int32Array(128);
  private work: number;
  private partsLeft: number;
  private evaluated = -1;

  constructor(p: Program, cfg: Cfg, registers: RegisterFile) {
    this.p = p;
    this.registers = registers;
    this.parts = new Parts(p, cfg);
    this.state = new Int8Array(cfg.boundaries);
    this.group = new Int32Array(cfg.boundaries);
    this.bias = new Float64Array(cfg.boundaries);
    this.head = new Int32Array(cfg.boundaries);
    this.work = Math.max(WORK_MIN, p.insts.length * WORK_FOR_INST);
    this.partsLeft = p.insts.length * PARTS_FOR_INST;
  }

  /** The best register, or undefined if memory is as good or the cost reaches `most`; `extra` is the cost of using a
   * register at all. Afterwards, `parts`, `takenFrom`, `takenTo` and `state` describe the plan. */
  plan(bundle: Bundle, candidates: number[], most: number, extra: (reg: number) => number): Plan | undefined {
    if (this.work <= 0 || this.partsLeft <= 0) return undefined;
    this.prepare(bundle);
    const { parts } = this;
    this.partsLeft -= parts.count;
    let memory = 0;
    for (let k = 0; k < parts.count; k++) memory += this.memoryCost(k, bundle.home.inMemory);
    let best: Plan | undefined;
    let limit = Math.min(memory * 0.999, most);
    let left = parts.count > MANY_PARTS ? 2 : REGISTERS_MAX;
    for (const { reg, bound } of this.rank(bundle, candidates, limit, extra)) {
      if (bound >= limit || left-- === 0) break;
      const cost = this.evaluate(bundle, reg) + extra(reg);
      if (cost >= limit) continue;
      best = { reg, cost };
      limit = cost;
    }
    if (best && this.evaluated !== best.reg) this.evaluate(bundle, best.reg);
    return best;
  }

  private prepare(bundle: Bundle): void {
    const { parts } = this;
    parts.fill(bundle);
    if (this.takenFrom.length < parts.count) {
      const size = parts.from.length;
      this.takenFrom = new Int32Array(size);
      this.takenTo = new Int32Array(size);
      this.cost = new Float64Array(size * 4);
      this.next = new Int32Array(size * 2);
    }
    for (const n of parts.nodes) this.head[n] = -1;
    for (let k = 0; k < parts.count; k++) {
      const entry = parts.entry[k];
      const exit = parts.exit[k];
      if (entry < 0 || exit < 0 || entry === exit) continue;
      this.next[2 * k] = this.head[entry];
      this.head[entry] = 2 * k;
      this.next[2 * k + 1] = this.head[exit];
      this.head[exit] = 2 * k + 1;
    }
  }

  /** Orders the registers by a lower bound of their cost: that of the blocks with uses alone, at their best. Of those
   * with the same bound, the emptiest come first. Those whose bound reaches `limit` are left out. */
  private rank(
    bundle: Bundle,
    candidates: number[],
    limit: number,
    extra: (reg: number) => number,
  ): Ranked[] {
    const { parts, cost } = this;
    const { inMemory } = bundle.home;
    const ranked: Ranked[] = [];
    for (const reg of candidates) {
      let bound = extra(reg);
      for (const k of parts.used) {
        if (bound >= limit) break;
        this.interfere(bundle, k, reg);
        this.price(k, inMemory);
        bound += Math.min(cost[4 * k], cost[4 * k + 1], cost[4 * k + 2], cost[4 * k + 3]);
      }
      if (bound < limit) ranked.push({ reg, bound, crowd: this.registers.crowd(bundle, reg) });
    }
    this.work -= parts.used.length * candidates.length;
    return ranked.sort((a, b) => a.bound - b.bound || a.crowd - b.crowd);
  }

  /** Finds the cheapest state for a register and returns its cost. */
  private evaluate(bundle: Bundle, reg: number): number {
    const { count } = this.parts;
    for (let k = 0; k < count; k++) {
      this.interfere(bundle, k, reg);
      this.price(k, bundle.home.inMemory);
    }
    this.relax();
    this.work -= count;
    this.evaluated = reg;
    return this.total();
  }

  private interfere(bundle: Bundle, k: number, reg: number): void {
    const { parts, registers } = this;
    registers.findTaken(parts.range[k].vreg, parts.from[k], parts.to[k], reg, bundle.weight);
    this.takenFrom[k] = registers.takenFrom;
    this.takenTo[k] = registers.takenTo;
  }

  private memoryCost(k: number, inMemory: boolean): number {
    const { parts } = this;
    if (parts.entry[k] < 0 && parts.exit[k] < 0) return 0;
    const f = parts.frequency[k];
    if (parts.entry[k] < 0 && parts.defined[k] === 1) return inMemory ? 0 : f;
    return Math.min(parts.useCost[k], f);
  }

  /** Fills in the costs of a part. */
  private price(k: number, inMemory: boolean): void {
    const { parts, cost, p } = this;
    const f = parts.frequency[k];
    const store = inMemory ? 0 : f;
    const local = Math.min(parts.useCost[k], f);
    let headBlocked = false;
    let tailBlocked = false;
    // Costs of the uses up to the interference, from it on, and within it.
    let before = 0;
    let behind = 0;
    let within = 0;
    const takenTo = this.takenTo[k];
    if (takenTo >= 0) {
      const takenFrom = this.takenFrom[k];
      headBlocked = takenFrom <= parts.from[k];
      tailBlocked = (takenTo + 3) >> 2 >= parts.to[k] >> 2;
      if (parts.firstUse[k] < takenTo) before = local;
      if (parts.lastUse[k] > takenFrom) {
        const range = parts.range[k];
        const next = p.firstUseFrom(range.useBegin, range.useEnd, takenFrom);
        if (next < range.useEnd && p.usePoint[next] < parts.to[k]) {
          behind = local;
          if (p.usePoint[next] < takenTo) within = local;
        }
      }
    }
    const c = 4 * k;
    if (parts.entry[k] >= 0 && parts.exit[k] >= 0) {
      cost[c] = local;
      cost[c + 1] = tailBlocked ? IMPOSSIBLE : f + before;
      cost[c + 2] = headBlocked ? IMPOSSIBLE : store + behind;
      cost[c + 3] = headBlocked || tailBlocked ? IMPOSSIBLE : takenTo >= 0 ? store + f + within : 0;
    } else {
      let register = 0;
      if (parts.entry[k] >= 0) register = headBlocked ? IMPOSSIBLE : behind > 0 ? store + behind : 0;
      else if (parts.exit[k] >= 0) {
        register = tailBlocked ? IMPOSSIBLE : takenTo >= 0 ? store + f : parts.defined[k] === 1 ? 0 : f;
      }
      const memory = this.memoryCost(k, inMemory);
      cost[c] = memory;
      cost[c + 1] = cost[c + 2] = Math.min(memory, register);
      cost[c + 3] = register;
    }
  }

  /** Finds a state of least cost by letting each boundary follow its own costs and its neighbours. */
  private relax(): void {
    const { bias, state, head, next, cost, parts } = this;
    const { nodes, entry, exit } = parts;
    for (const n of nodes) bias[n] = 0;
    for (let k = 0; k < parts.count; k++) {
      const a = entry[k];
      const b = exit[k];
      const c = 4 * k;
      if (a >= 0 && b >= 0 && a !== b) {
        bias[a] += (cost[c] + cost[c + 1] - cost[c + 2] - cost[c + 3]) / 2;
        bias[b] += (cost[c] + cost[c + 2] - cost[c + 1] - cost[c + 3]) / 2;
      } else if (a >= 0) bias[a] += cost[c] - cost[c + 3];
      else if (b >= 0) bias[b] += cost[c] - cost[c + 3];
    }
    for (const n of nodes) state[n] = sign(bias[n]);
    for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
      let changed = false;
      for (let i = 0; i < nodes.length; i++) {
        const n = nodes[sweep & 1 ? nodes.length - 1 - i : i];
        let sum = bias[n];
        for (let link = head[n]; link >= 0; link = next[link]) {
          const k = link >> 1;
          const pull = (cost[4 * k + 1] + cost[4 * k + 2] - cost[4 * k] - cost[4 * k + 3]) / 2;
          if (pull > 0) sum += pull * state[link & 1 ? entry[k] : exit[k]];
        }
        const s = sign(sum);
        if (s === state[n]) continue;
        state[n] = s;
        changed = true;
      }
      if (!changed) break;
    }
  }

  /** Cost of the state that was found. */
  private total(): number {
    const { parts, state, cost } = this;
    let sum = 0;
    for (let k = 0; k < parts.count; k++) {
      const a = parts.entry[k];
      const b = parts.exit[k];
      if (a < 0 && b < 0) continue;
      const into = state[a < 0 ? b : a] > 0 ? 2 : 0;
      const out = state[b < 0 ? a : b] > 0 ? 1 : 0;
      sum += cost[4 * k + into + out];
    }
    return sum;
  }
}

function sign(x: number): number {
  return x > 1e-9 ? 1 : x < -1e-9 ? -1 : 0;
}
