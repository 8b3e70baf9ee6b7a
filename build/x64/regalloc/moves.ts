// Resolution: turns the placed pieces into locations of operands and moves between instructions. A value moves where
// its pieces meet, where an edge joins different locations, into and out of fixed registers, and into its slot.
// Since SSA values never change, a value that is anywhere in memory is stored once, and never again.
// Guarantees: every operand has its `loc`, block parameters and edge arguments are gone.

import { type Loc, type MBlock, type MFunc, MInst, Operand, type VReg } from '../mir.ts';
import type { Range } from './liveness.ts';
import { type Move, type Step, sequence } from './parallel-move.ts';
import { AFTER, type Program, reusedVReg, terminatorOf, UseKind } from './program.ts';

/** Order of the moves in one gap; those of one phase are parallel. */
const Phase = {
  /** On the edge into a block with one predecessor, at its start. */
  EdgeIn: 0,
  /** Out of the fixed registers of the instruction before. */
  AfterFixed: 1,
  /** Between pieces, and into slots. */
  Pieces: 2,
  /** Into the fixed and reused registers of the instruction behind. */
  BeforeFixed: 3,
  /** On the edge to the only successor, before the jump. */
  EdgeOut: 4,
} as const;
const PHASES = 5;

export class Resolver {
  private readonly p: Program;
  /** Pieces of each vreg in order. */
  private readonly pieces: Range[][];
  /** Moves in the gap before each instruction: PHASES lists for each. */
  private readonly gaps: (Move[] | undefined)[];

  constructor(p: Program, pieces: Iterable<Range>) {
    this.p = p;
    this.pieces = p.func.classes.map(() => []);
    this.gaps = new Array(p.insts.length * PHASES);
    for (const r of pieces) {
      this.pieces[r.vreg].push(r);
    }
    for (const list of this.pieces) if (list.length > 1) list.sort((a, b) => a.from - b.from);
  }

  run(): void {
    for (let v = 0; v < this.pieces.length; v++) {
      const list = this.pieces[v];
      if (list.length === 0) continue;
      this.locateOperands(list);
      if (list.length > 1) this.joinPieces(v, list);
    }
    this.p.func.blocks.forEach((block, b) => {
      this.fixedOperands(block, this.p.blockFirst[b]);
      this.passArguments(block, b);
    });
    rewrite(this.p, this.gaps);
  }

  /** Location of a vreg at a point where it is live. */
  private locAt(v: VReg, point: number): Loc {
    return this.pieceAt(v, point).loc;
  }

  private pieceAt(v: VReg, point: number): Range {
    const list = this.pieces[v];
    let lo = 0;
    let hi = list.length - 1;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (list[mid].to <= point) lo = mid + 1;
      else hi = mid;
    }
    return list[lo];
  }

  private move(inst: number, phase: number, vreg: VReg, to: Loc, from: Loc): void {
    if (to === from) return;
    const at = inst * PHASES + phase;
    const move = { to, from, float: this.p.func.classes[vreg] === 'float' };
    const list = this.gaps[at];
    if (list) list.push(move);
    else this.gaps[at] = [move];
  }

  /** A move on the edge between two blocks, which is critical for neither. */
  private moveOnEdge(from: number, to: number, vreg: VReg, toLoc: Loc, fromLoc: Loc): void {
    if (toLoc === fromLoc) return;
    const last = this.p.blockFirst[from + 1] - 1;
    if (this.p.insts[last].targets.length === 1) this.move(last, Phase.EdgeOut, vreg, toLoc, fromLoc);
    else this.move(this.p.blockFirst[to], Phase.EdgeIn, vreg, toLoc, fromLoc);
  }

  private locateOperands(list: Range[]): void {
    const p = this.p;
    for (const piece of list) {
      for (let u = piece.useBegin; u < piece.useEnd; u++) {
        const kind = p.useKind[u];
        if (kind !== UseKind.Gap && p.useOperand[u] >= 0) p.operandOf(u).loc = piece.loc;
      }
    }
  }

  /** Moves where the pieces of one vreg meet, and the store if one of them is in memory. */
  private joinPieces(v: VReg, list: Range[]): void {
    const p = this.p;
    const home = list.find((r) => r.home)?.home;
    for (let k = 0; k < list.length; k++) {
      const piece = list[k];
      const starts = p.blockStart(p.blockAt(piece.from)) === piece.from;
      if (!starts && piece.from !== p.defPoint[v] && !piece.home) {
        this.move(piece.from >> 2, Phase.Pieces, v, piece.loc, list[k - 1].loc);
      }
      if (!piece.home) this.enterBlocks(v, piece);
    }
    const first = this.pieceAt(v, p.defPoint[v]);
    if (home && !first.home) this.move(afterDef(p, v), Phase.Pieces, v, home.loc, first.loc);
  }

  /** Edges into the blocks that begin within a piece. */
  private enterBlocks(v: VReg, piece: Range): void {
    const p = this.p;
    let b = p.blockAt(piece.from);
    if (p.blockStart(b) < piece.from) b++;
    for (; b < p.preds.length && p.blockStart(b) < piece.to; b++) {
      if (b === p.defBlock[v]) continue;
      for (const pred of p.preds[b]) {
        this.moveOnEdge(pred, b, v, piece.loc, this.locAt(v, p.blockEnd(pred) - 1));
      }
    }
  }

  private passArguments(block: MBlock, b: number): void {
    const end = this.p.blockEnd(b) - 1;
    for (const target of terminatorOf(block).targets) {
      const to = this.p.blockIndex.get(target.block)!;
      target.args.forEach((arg, i) => {
        const param = target.block.params[i];
        if (this.pieces[param].length === 0) return;
        this.moveOnEdge(b, to, arg, this.pieceAt(param, this.p.blockStart(to)).loc, this.locAt(arg, end));
      });
    }
  }

  private fixedOperands(block: MBlock, first: number): void {
    for (let k = 0; k < block.insts.length; k++) {
      const inst = block.insts[k];
      const reused = reusedVReg(inst);
      for (const op of inst.ops) {
        if (op.constraint === 'fixed') this.fixedOperand(op, first + k);
        else if (op.vreg === reused && op.role === 'use') this.reusedOperand(inst, op, first + k);
      }
    }
  }

  private fixedOperand(op: Operand, i: number): void {
    op.loc = op.arg;
    if (op.role === 'use' || op.role === 'lateuse') {
      this.move(i, Phase.BeforeFixed, op.vreg, op.arg, this.locAt(op.vreg, i * 4));
    } else if (op.role !== 'temp' && this.pieces[op.vreg].length > 0) {
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

/** Makes the new instruction lists, and notes which registers they touch. */
function rewrite(p: Program, gaps: (Move[] | undefined)[]): void {
  for (let b = 0; b < p.func.blocks.length; b++) {
    const block = p.func.blocks[b];
    const first = p.blockFirst[b];
    const out: MInst[] = [];
    block.insts.forEach((inst, k) => {
      for (let phase = 0; phase < PHASES; phase++) {
        const moves = gaps[(first + k) * PHASES + phase];
        if (moves) for (const step of sequence(moves)) out.push(moveInst(step, inst.loc));
      }
      if (inst.isMove) {
        if (inst.ops[0].loc === inst.ops[1].loc) return;
        inst.op = 'mov';
      }
      out.push(inst);
    });
    block.insts = out;
    for (const t of terminatorOf(block).targets) t.args = [];
  }
  for (const block of p.func.blocks) block.params = [];
  p.func.usedRegs = usedRegs(p.func);
}

function moveInst(step: Step, loc: number): MInst {
  const to = new Operand(-1, 'def', 'any');
  const from = new Operand(-1, 'use', 'any');
  to.loc = step.to;
  from.loc = step.from;
  return new MInst(step.exchange ? 'xchg' : 'mov', [to, from], undefined, loc);
}

function usedRegs(func: MFunc): number {
  let used = 0;
  for (const block of func.blocks) {
    for (const inst of block.insts) {
      used |= inst.clobbers;
      for (const op of inst.ops) if (op.loc < 32) used |= 1 << op.loc;
    }
  }
  return used >>> 0;
}
