// Placement: gives each bundle a register or puts it in memory. Bundles come from a queue, the longest first; one
// that finds no free register evicts bundles of less weight, or is split and its parts queued again, or is spilled:
// then only the stretches around uses that need a register are left, and these can always be placed. Guarantees that
// every range ends up with a location, and that what lies in memory can be loaded wherever it is needed.

import type { Bundle } from './bundles.ts';
import { carve } from './carve.ts';
import { Cfg } from './cfg.ts';
import { Hints } from './hints.ts';
import type { Range } from './liveness.ts';
import { EARLY, LATE, type Program, UseKind } from './program.ts';
import { RegionPlanner } from './region.ts';
import { RegisterFile } from './registers.ts';
import { type Split, splitByBlock, splitLocal, splitMinimal, stretchAround } from './split.ts';

/** Weight of stretches that need their register; twice this for those that need it early and late in their
 * instruction, which have fewer places to go. */
const MUST_HAVE = 1e30;
/** Weight of what gains nothing from memory: a value that the next instruction uses up. */
const POINTLESS_TO_SPILL = 1e20;
/** Added to lengths (in points), so that short bundles do not weigh too much. */
const LENGTH_BIAS = 40;
/** What the first use of a callee-saved register costs: its push and pop. */
const SAVE_COST = 1.5;
/** What a move costs that a hint could have saved, against a load. */
const MOVE_COST = 0.3;
/** How many bundles may be moved to make room for one with a hint. */
const OTHERS_MAX = 3;
/** And of how many ranges in all, for each range of the function: a long bundle must not be moved for each of many short ones. */
const MOVED_PER_RANGE = 20;
const GENERATIONS_MAX = 4;

export class Allocator {
  private readonly p: Program;
  readonly registers: RegisterFile;
  private readonly hints: Hints;
  private readonly queue: Bundle[] = [];
  /** Everything that is in memory. */
  readonly memory: Range[] = [];
  private regions: RegionPlanner | undefined;
  private graph: Cfg | undefined;
  /** Callee-saved registers that nobody has used so far. */
  private fresh: number;
  /** How many ranges may still be moved to make room for a bundle with a hint. */
  private movable = 0;

  constructor(p: Program) {
    this.p = p;
    this.registers = new RegisterFile(p);
    this.hints = new Hints(p);
    const { allocatable, calleeSaved } = p.env;
    this.fresh = calleeSaved & allocatable;
    for (let r = 0; r < 32; r++) {
      // Whatever the function's fixed operands touch has to be saved in any case.
      if (p.reserved[r].length > 0) this.fresh &= ~(1 << r);
    }
  }

  private get planner(): RegionPlanner {
    this.regions ??= new RegionPlanner(this.p, this.cfg, this.registers);
    return this.regions;
  }

  get cfg(): Cfg {
    this.graph ??= new Cfg(this.p);
    return this.graph;
  }

  run(bundles: Bundle[]): void {
    for (const b of bundles) {
      this.enqueue(b);
      this.movable += b.ranges.length * MOVED_PER_RANGE;
    }
    while (this.queue.length > 0) this.allocate(this.dequeue());
  }

  private allocate(bundle: Bundle): void {
    const { hints, registers } = this;
    const favourite = hints.favourite(bundle);
    if (favourite >= 0 && !this.isFresh(favourite) && registers.isFree(bundle, favourite)) {
      this.place(bundle, favourite);
      return;
    }
    const candidates = hints.order(bundle);
    const hinted = hints.count;
    let unused = -1;
    for (let k = 0; k < candidates.length; k++) {
      const reg = candidates[k];
      if (!registers.isFree(bundle, reg)) {
        if (k < hinted && this.changePlaces(bundle, reg)) return;
      } else if (!this.isFresh(reg) || bundle.weight >= POINTLESS_TO_SPILL) {
        this.place(bundle, reg);
        return;
      } else if (unused < 0) unused = reg;
    }
    if (unused >= 0) this.saveOrSplit(bundle, candidates, unused);
    else if (!this.evict(bundle, candidates)) this.split(bundle, candidates);
  }

  /** Places a bundle in a register that it has a hint for, if those who are there have less of a reason to be and find
   * another register at once. */
  private changePlaces(bundle: Bundle, reg: number): boolean {
    const { hints, registers } = this;
    if (registers.greatestConflict(bundle, reg, Number.POSITIVE_INFINITY) === Number.POSITIVE_INFINITY)
      return false;
    const others = registers.conflicts(bundle, reg);
    if (others.length > OTHERS_MAX) return false;
    for (const other of others) this.movable -= other.ranges.length;
    if (this.movable < 0) return false;
    const places = this.placesFor(others, reg, hints.worth(reg));
    if (!places) {
      hints.collect(bundle);
      return false;
    }
    for (const other of others) registers.remove(other);
    this.place(bundle, reg);
    for (let k = 0; k < others.length; k++) {
      if (registers.isFree(others[k], places[k])) this.place(others[k], places[k]);
      else this.push(others[k]);
    }
    return true;
  }

  /** Registers to which the bundles can move out of `reg`, if that loses less than `gain`. */
  private placesFor(others: Bundle[], reg: number, gain: number): number[] | undefined {
    const { hints, registers } = this;
    const places: number[] = [];
    let left = gain;
    for (const other of others) {
      hints.collect(other);
      const candidates = hints.order(other);
      const to = candidates.find((r) => r !== reg && !this.isFresh(r) && registers.isFree(other, r));
      if (to === undefined) return undefined;
      left += hints.worth(to) - hints.worth(reg);
      if (left <= 0) return undefined;
      places.push(to);
    }
    return places;
  }

  /** What it costs to use a register at all. */
  private costOf(reg: number): number {
    return (this.isFresh(reg) ? SAVE_COST : 0) - this.hints.worth(reg) * MOVE_COST;
  }

  private isFresh(reg: number): boolean {
    return ((this.fresh >>> reg) & 1) === 1;
  }

  private place(bundle: Bundle, reg: number): void {
    this.registers.place(bundle, reg);
    this.fresh &= ~(1 << reg);
  }

  /** The bundle fits into a callee-saved register that nobody has used: is it worth saving that? */
  private saveOrSplit(bundle: Bundle, candidates: number[], reg: number): void {
    if (bundle.memoryCost < SAVE_COST) {
      this.split(
        bundle,
        candidates.filter((r) => !this.isFresh(r)),
      );
      return;
    }
    if (!this.isLocal(bundle) && bundle.generation < GENERATIONS_MAX) {
      const used = candidates.filter((r) => !this.isFresh(r));
      const plan = this.planner.plan(bundle, used, SAVE_COST, (r) => this.costOf(r));
      const split = plan && carve(this.p, bundle, this.planner);
      if (split) {
        this.take(bundle, split, split.main, plan.reg);
        return;
      }
    }
    this.place(bundle, reg);
  }

  /** Takes the register whose bundles in the way weigh least, if that is less than this bundle. */
  private evict(bundle: Bundle, candidates: number[]): boolean {
    let best = -1;
    let bestWeight = bundle.weight;
    for (const reg of candidates) {
      const weight = this.registers.greatestConflict(bundle, reg, bestWeight);
      if (weight < bestWeight) {
        best = reg;
        bestWeight = weight;
      }
    }
    if (best < 0) return false;
    this.displace(bundle, best);
    return true;
  }

  /** Places a bundle in a register and queues what was in the way. */
  private displace(bundle: Bundle, reg: number): void {
    for (const other of this.registers.conflicts(bundle, reg)) {
      this.registers.remove(other);
      this.push(other);
    }
    this.place(bundle, reg);
  }

  private split(bundle: Bundle, candidates: number[]): void {
    if (bundle.weight >= MUST_HAVE) throw this.exhausted(bundle);
    if (this.isLocal(bundle)) {
      const split = splitLocal(this.p, bundle, candidates, this.registers);
      if (split) this.take(bundle, split, split.main, split.reg);
      else this.take(bundle, splitMinimal(this.p, bundle));
      return;
    }
    if (bundle.generation < GENERATIONS_MAX) {
      const plan = this.planner.plan(bundle, candidates, Number.POSITIVE_INFINITY, (r) => this.costOf(r));
      const split = plan && carve(this.p, bundle, this.planner);
      if (split) {
        this.take(bundle, split, split.main, plan.reg);
        return;
      }
    }
    this.take(bundle, splitByBlock(this.p, bundle));
  }

  /** Whether the bundle lies within one block. */
  private isLocal(bundle: Bundle): boolean {
    return this.p.blockAt(bundle.from) === this.p.blockAt(bundle.to - 1);
  }

  /** Goes on with the parts of a bundle, first of all with the one for which a register has been found. */
  private take(bundle: Bundle, split: Split, main?: Bundle, reg = -1): void {
    for (const r of split.memory) {
      r.home = bundle.home;
      r.home.inMemory = true;
      this.memory.push(r);
    }
    if (main) {
      this.measure(main);
      if (this.registers.greatestConflict(main, reg, main.weight) < main.weight) this.displace(main, reg);
      else this.push(main);
    }
    for (const b of split.bundles) this.enqueue(b);
  }

  private exhausted(bundle: Bundle): Error {
    const [range] = bundle.ranges;
    const { op, loc } = this.p.insts[range.from >> 2];
    return new Error(
      `register allocation: too few registers for v${range.vreg} at ${op} (wasm offset ${loc}) in ` +
        `${this.p.func.name}; give that instruction fewer register operands`,
    );
  }

  private measure(bundle: Bundle): void {
    const { p } = this;
    let length = 0;
    let cost = 0;
    for (const r of bundle.ranges) {
      length += r.to - r.from;
      for (let u = r.useBegin; u < r.useEnd; u++) cost += p.useWeight(u);
      if (!bundle.crossesCall) bundle.crossesCall = this.registers.crossesCall(r);
    }
    bundle.length = length;
    bundle.memoryCost = cost;
    bundle.weight = this.mustHave(bundle) || cost / (length + LENGTH_BIAS);
  }

  /** The weight of a bundle that nothing is gained from splitting; 0 for others. */
  private mustHave(bundle: Bundle): number {
    const [r] = bundle.ranges;
    if (bundle.ranges.length > 1 || r.to - r.from > 6 || r.useBegin === r.useEnd) return 0;
    const { p } = this;
    const { from, to } = stretchAround(p, r, r.useBegin);
    if (from === r.from && to === r.to) {
      let must = false;
      for (let u = r.useBegin; u < r.useEnd; u++) must ||= p.needsRegister(u);
      if (!must) return 0;
      return (from & 3) <= EARLY && ((to - 1) & 3) >= LATE ? 2 * MUST_HAVE : MUST_HAVE;
    }
    const last = r.useEnd - 1;
    const usedUp = p.useKind[r.useBegin] === UseKind.Def && p.useInst[last] === p.useInst[r.useBegin] + 1;
    return usedUp && p.needsRegister(last) ? POINTLESS_TO_SPILL : 0;
  }

  // --- the queue: a binary heap by length ---

  private enqueue(bundle: Bundle): void {
    this.measure(bundle);
    this.push(bundle);
  }

  private push(bundle: Bundle): void {
    const q = this.queue;
    let i = q.length;
    q.push(bundle);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (q[parent].length >= bundle.length) break;
      q[i] = q[parent];
      i = parent;
    }
    q[i] = bundle;
  }

  private dequeue(): Bundle {
    const q = this.queue;
    const top = q[0];
    const last = q.pop()!;
    if (q.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= q.length) break;
      if (child + 1 < q.length && q[child + 1].length > q[child].length) child++;
      if (q[child].length <= last.length) break;
      q[i] = q[child];
      i = child;
    }
    q[i] = last;
    return top;
  }
}
