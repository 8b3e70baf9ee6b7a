// Placement: gives each bundle a register or puts it in memory. Bundles come from a queue, the longest first; one
// that finds no free register evicts bundles of less weight, or is split and its parts queued again, or is spilled:
// then only the stretches around uses that need a register are left, and these can always be placed. Guarantees that
// every range ends up with a location, and that what lies in memory can be loaded wherever it is needed.

import { Bundle } from './bundles.ts';
import { clip, type Range } from './liveness.ts';
import { EARLY, isDef, LATE, type Program, UseKind } from './program.ts';
import { RegisterFile } from './registers.ts';
import { splitAtConflict } from './split.ts';

/** Weight of stretches that need their register; twice this for those that need it early and late in their
 * instruction, which have fewer places to go. */
const MUST_HAVE = 1e30;

export class Allocator {
  private readonly p: Program;
  readonly registers: RegisterFile;
  private readonly queue: Bundle[] = [];
  /** Allocatable registers of each class in order of preference. */
  private readonly order: Record<'int' | 'float', number[]> = { int: [], float: [] };
  /** Everything that has a location. */
  readonly pieces: Range[] = [];
  private readonly placed = new Set<Bundle>();

  constructor(p: Program) {
    this.p = p;
    this.registers = new RegisterFile(p);
    const { allocatable, calleeSaved } = p.env;
    for (const saved of [false, true]) {
      for (let r = 0; r < 32; r++) {
        if (!((allocatable >>> r) & 1) || ((calleeSaved >>> r) & 1) !== Number(saved)) continue;
        this.order[r < 16 ? 'int' : 'float'].push(r);
      }
    }
  }

  run(bundles: Iterable<Bundle>): void {
    for (const b of bundles) this.enqueue(b);
    while (this.queue.length > 0) this.allocate(this.dequeue());
    for (const b of this.placed) {
      for (const r of b.ranges) {
        r.loc = b.reg;
        this.pieces.push(r);
      }
    }
  }

  private allocate(bundle: Bundle): void {
    const candidates = this.candidates(bundle);
    for (const reg of candidates) {
      if (this.registers.isFree(bundle, reg)) {
        this.place(bundle, reg);
        return;
      }
    }
    if (this.evict(bundle, candidates)) return;
    if (bundle.weight >= MUST_HAVE) throw this.exhausted(bundle);
    const parts = splitAtConflict(this.p, bundle, candidates, this.registers);
    if (parts) for (const part of parts) this.enqueue(part);
    else this.spill(bundle);
  }

  private place(bundle: Bundle, reg: number): void {
    this.registers.place(bundle, reg);
    this.placed.add(bundle);
  }

  /** The registers, those first that save moves. */
  private candidates(bundle: Bundle): number[] {
    const order = this.order[bundle.cls];
    if (bundle.hints.length === 0) return order;
    const wish = new Float64Array(32);
    for (let i = 0; i < bundle.hints.length; i += 2) wish[bundle.hints[i]] += bundle.hints[i + 1];
    return order.slice().sort((a, b) => wish[b] - wish[a]);
  }

  /** Takes the register whose bundles in the way weigh least, if that is less than this bundle. */
  private evict(bundle: Bundle, candidates: number[]): boolean {
    let best = -1;
    let bestWeight = bundle.weight;
    for (const reg of candidates) {
      const { weight } = this.registers.conflicts(bundle, reg, bestWeight);
      if (weight < bestWeight) {
        best = reg;
        bestWeight = weight;
      }
    }
    if (best < 0) return false;
    for (const other of this.registers.conflicts(bundle, best, bundle.weight).bundles) {
      this.registers.remove(other);
      this.placed.delete(other);
      this.push(other);
    }
    this.place(bundle, best);
    return true;
  }

  /** Leaves the bundle in memory, but for the stretches that need a register. */
  private spill(bundle: Bundle): void {
    for (const range of bundle.ranges) {
      let at = range.from;
      for (let u = range.useBegin; u < range.useEnd; ) {
        if (!this.p.needsRegister(u)) {
          u++;
          continue;
        }
        const inst = this.p.useInst[u];
        const piece = stretchAround(this.p, range, u);
        if (piece.from > at) this.inMemory(bundle, range, at, piece.from);
        this.enqueue(new Bundle([piece], bundle.cls, bundle.home));
        while (u < range.useEnd && this.p.useInst[u] === inst) u++;
        at = piece.to;
      }
      if (at < range.to) this.inMemory(bundle, range, at, range.to);
    }
  }

  private inMemory(bundle: Bundle, range: Range, from: number, to: number): void {
    const piece = clip(this.p, range, from, to);
    piece.home = bundle.home;
    this.pieces.push(piece);
  }

  private exhausted(bundle: Bundle): Error {
    const [range] = bundle.ranges;
    const { op, loc } = this.p.insts[range.from >> 2];
    return new Error(
      `register allocation: too few registers for v${range.vreg} at ${op} (wasm offset ${loc}) in ` +
        `${this.p.func.name}; give that instruction fewer register operands`,
    );
  }

  // --- the queue: a binary heap by length ---

  private enqueue(bundle: Bundle): void {
    let length = 0;
    let weight = 0;
    for (const r of bundle.ranges) {
      length += r.to - r.from;
      for (let u = r.useBegin; u < r.useEnd; u++) {
        const w = this.p.useWeight(u);
        weight += w;
        if (this.p.useFixed[u] >= 0) bundle.hints.push(this.p.useFixed[u], w);
      }
    }
    bundle.length = length;
    bundle.weight = isMinimal(this.p, bundle) ? minimalWeight(bundle) : weight / (length + 8);
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

/** The part of a range in which the instruction of use `u` needs it in a register. */
function stretchAround(p: Program, range: Range, u: number): Range {
  const inst = p.useInst[u];
  const from = isDef(p.useKind[u]) ? range.from : Math.max(range.from, inst * 4);
  let to = from;
  for (
    let k = p.firstUseFrom(range.useBegin, range.useEnd, from);
    k < range.useEnd && p.useInst[k] === inst;
    k++
  ) {
    if (p.useKind[k] !== UseKind.Edge) to = Math.max(to, p.useEnd(k));
  }
  return clip(p, range, from, to);
}

/** Whether nothing is left to split. */
function isMinimal(p: Program, bundle: Bundle): boolean {
  const [r] = bundle.ranges;
  if (bundle.ranges.length > 1 || r.from >> 2 !== (r.to - 1) >> 2) return false;
  for (let u = r.useBegin; u < r.useEnd; u++) {
    if (!p.needsRegister(u)) continue;
    const piece = stretchAround(p, r, u);
    return piece.from === r.from && piece.to === r.to;
  }
  return false;
}

function minimalWeight(bundle: Bundle): number {
  const [r] = bundle.ranges;
  const early = (r.from & 3) <= EARLY;
  const late = ((r.to - 1) & 3) >= LATE;
  return early && late ? 2 * MUST_HAVE : MUST_HAVE;
}
