// Resolution: turns the placed pieces into locations of operands and moves between instructions. A value moves where
// its pieces meet, where an edge joins different locations, into and out of fixed registers, and into its slot.
// Guarantees: every operand has its `loc`; the moves are returned, for rewrite.ts to insert.

import { type Loc, type MBlock, type MInst, type Operand, SLOT0, type VReg } from '../mir.ts';
import type { Cfg } from './cfg.ts';
import { Entries } from './entries.ts';
import type { Range } from './liveness.ts';
import { AFTER, type Program, reusedVReg, terminatorOf, UseKind } from './program.ts';
import { type Gap, Phase } from './rewrite.ts';
import { placeStores, type Spill } from './stores.ts';

export class Resolver {
  private readonly p: Program;
  /** The only or first piece of each vreg, and for those with several all of them in order. */
  private readonly first: (Range | undefined)[];
  private readonly split = new Map<VReg, Range[]>();
  private readonly gaps: Gap[];
  private readonly cfg: () => Cfg;
  private readonly entries: Entries;
  /** Where values pass from registers into memory. */
  private readonly spills = new Map<VReg, Spill[]>();

  constructor(p: Program, cfg: () => Cfg, pieces: Range[]) {
    this.p = p;
    this.cfg = cfg;
    this.entries = new Entries(p);
    this.first = new Array(p.func.classes.length).fill(undefined);
    this.gaps = new Array(p.insts.length).fill(undefined);
    for (const r of pieces) {
      const before = this.first[r.vreg];
      if (!before) this.first[r.vreg] = r;
      else {
        const list = this.split.get(r.vreg);
        if (list) list.push(r);
        else this.split.set(r.vreg, [before, r]);
      }
    }
    for (const list of this.split.values()) list.sort((a, b) => a.from - b.from);
  }

  run(): Gap[] {
    const { p } = this;
    for (const piece of this.first) if (piece && !this.split.has(piece.vreg)) this.locateOperands(piece);
    for (const [v, list] of this.split) {
      for (const piece of list) this.locateOperands(piece);
      this.joinPieces(v, list);
    }
    for (let i = 0; i < p.insts.length; i++) if (p.special[i] === 1) this.fixedOperands(p.insts[i], i);
    for (let b = 0; b < p.func.blocks.length; b++) this.passArguments(p.func.blocks[b], b);
    for (const [v, spills] of this.spills) this.storeOnce(v, spills);
    return this.gaps;
  }

  private pieceAt(v: VReg, point: number): Range {
    const list = this.split.get(v);
    if (!list) return this.first[v]!;
    let lo = 0;
    let hi = list.length - 1;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (list[mid].to <= point) lo = mid + 1;
      else hi = mid;
    }
    return list[lo];
  }

  /** Location of a vreg at a point where it is live. */
  private locAt(v: VReg, point: number): Loc {
    return this.pieceAt(v, point).loc;
  }

  private move(inst: number, phase: number, vreg: VReg, to: Loc, from: Loc): void {
    if (to === from) return;
    const { classes, narrow } = this.p.func;
    const float = classes[vreg] === 'float';
    this.gaps[inst] = { to, from, float, narrow: narrow[vreg], phase, next: this.gaps[inst] };
  }

  private locateOperands(piece: Range): void {
    const p = this.p;
    const { loc } = piece;
    for (let u = piece.useBegin; u < piece.useEnd; u++) {
      if (p.useKind[u] !== UseKind.Gap && p.useOperand[u] >= 0) p.operandOf(u).loc = loc;
    }
  }

  /** Moves where the pieces of one vreg meet. */
  private joinPieces(v: VReg, list: Range[]): void {
    const p = this.p;
    for (let k = 0; k < list.length; k++) {
      const piece = list[k];
      const starts = p.blockStart(p.blockAt(piece.from)) === piece.from;
      if (!starts && piece.from !== p.defPoint[v]) {
        const inst = piece.from >> 2;
        if (piece.home) this.spill(v, inst, Phase.Pieces, this.locBefore(v, inst));
        else this.move(inst, Phase.Pieces, v, piece.loc, list[k - 1].loc);
      }
      this.enterBlocks(v, piece);
    }
  }

  /** Where a value is just before the gap of an instruction, or at its block's start if that is there. */
  private locBefore(v: VReg, inst: number): Loc {
    const atStart = this.p.blockStart(this.p.blockOfInst[inst]) === inst * 4;
    return this.locAt(v, atStart ? inst * 4 : inst * 4 - 1);
  }

  /** Edges into the blocks that begin within a piece, from blocks that end elsewhere. */
  private enterBlocks(v: VReg, piece: Range): void {
    const p = this.p;
    const from = p.blockAt(piece.from);
    const to = p.blockAt(piece.to - 1);
    const first = p.blockStart(from) < piece.from ? from + 1 : from;
    const lastInside = p.blockEnd(to) > piece.to ? to - 1 : to;
    this.entries.forEach(first, to, from, lastInside, (b) => {
      if (b === p.defBlock[v]) return;
      for (const pred of p.preds[b]) {
        this.moveOnEdge(pred, b, v, piece, this.pieceAt(v, p.blockEnd(pred) - 1));
      }
    });
  }

  private passArguments(block: MBlock, b: number): void {
    const end = this.p.blockEnd(b) - 1;
    for (const target of terminatorOf(block).targets) {
      if (target.args.length === 0) continue;
      const to = this.p.blockIndex.get(target.block)!;
      for (let i = 0; i < target.args.length; i++) {
        const arg = target.args[i];
        const param = target.block.params[i];
        if (!this.first[param]) continue;
        this.moveOnEdge(b, to, arg, this.pieceAt(param, this.p.blockStart(to)), this.pieceAt(arg, end));
      }
    }
  }

  /** A move on the edge between two blocks, which is critical for neither. */
  private moveOnEdge(from: number, to: number, v: VReg, target: Range, source: Range): void {
    if (target.loc === source.loc) return;
    const last = this.p.blockFirst[from + 1] - 1;
    const atEnd = this.p.insts[last].targets.length === 1;
    const inst = atEnd ? last : this.p.blockFirst[to];
    const phase = atEnd ? Phase.EdgeOut : Phase.EdgeIn;
    if (target.home && target.home === source.bundle?.home) this.spill(v, inst, phase, source.loc);
    else this.move(inst, phase, v, target.loc, source.loc);
  }

  /** The value passes into its slot: somewhere before this it has to be stored. */
  private spill(v: VReg, inst: number, phase: number, from: Loc): void {
    if (from >= SLOT0) return;
    const list = this.spills.get(v);
    if (list) list.push({ inst, phase, from });
    else this.spills.set(v, [{ inst, phase, from }]);
  }

  private storeOnce(v: VReg, spills: Spill[]): void {
    const { p } = this;
    const defBlock = p.defBlock[v];
    const first = this.pieceAt(v, p.defPoint[v]);
    // What begins in memory is there for good.
    if (!first.bundle) return;
    const slot = first.bundle.home.loc;
    const atStart = (b: number): Loc => {
      const piece = this.pieceAt(v, p.blockStart(b));
      return piece.home ? -1 : piece.loc;
    };
    placeStores(p, this.cfg(), defBlock, spills, atStart, (at) => {
      if (typeof at !== 'number') this.move(at.inst, at.phase, v, slot, at.from);
      else if (at === defBlock) this.move(afterDef(p, v), Phase.Pieces, v, slot, first.loc);
      else this.move(p.blockFirst[at], Phase.Pieces, v, slot, atStart(at));
    });
  }

  private fixedOperands(inst: MInst, i: number): void {
    const reused = reusedVReg(inst);
    for (const op of inst.ops) {
      if (op.constraint === 'fixed') this.fixedOperand(op, i);
      else if (op.vreg === reused && op.role === 'use') this.reusedOperand(inst, op, i);
    }
  }

  private fixedOperand(op: Operand, i: number): void {
    op.loc = op.arg;
    if (op.role === 'use' || op.role === 'lateuse') {
      this.move(i, Phase.BeforeFixed, op.vreg, op.arg, this.locAt(op.vreg, i * 4));
    } else if (op.role !== 'temp' && this.first[op.vreg]) {
      this.move(i + 1, Phase.AfterFixed, op.vreg, this.locAt(op.vreg, i * 4 + AFTER), op.arg);
    }
  }

  private reusedOperand(inst: MInst, op: Operand, i: number): void {
    const def = inst.ops.find((d) => d.constraint === 'reuse' && inst.ops[d.arg].vreg === op.vreg)!;
    op.loc = def.loc;
    if (inst.ops[def.arg] === op)
      this.move(i, Phase.BeforeFixed, op.vreg, op.loc, this.locAt(op.vreg, i * 4));
  }
}

/** The instruction in whose gap a value just defined can be stored. */
function afterDef(p: Program, v: VReg): number {
  const point = p.defPoint[v];
  return p.blockStart(p.defBlock[v]) === point ? point >> 2 : (point >> 2) + 1;
}
