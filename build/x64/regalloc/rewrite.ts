// The last step: inserts the moves into the instruction lists, and drops copies that became nothing, block parameters
// and edge arguments. Requires the moves of each gap by phase (moves.ts) and the final register file.

import { type Loc, type MBlock, type MData, MInst, NARROW, Operand, SLOT0, WIDE } from '../mir.ts';
import { Holdings } from './holdings.ts';
import { type Move, sequence } from './parallel-move.ts';
import { type Program, terminatorOf } from './program.ts';
import type { RegisterFile } from './registers.ts';

/** Order of the moves in one gap; those of one phase are parallel. */
export const Phase = {
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

export interface PlacedMove extends Move {
  phase: number;
  next: PlacedMove | undefined;
}

/** The moves before an instruction: a linked list, newest first. */
export type Gap = PlacedMove | undefined;

/** The others are for floats. */
const INT_REGS = 0xffff;

export function rewrite(p: Program, registers: RegisterFile, gaps: Gap[]): void {
  let used = 0;
  const holdings = new Holdings(p.func.spillSlots);
  for (let b = 0; b < p.func.blocks.length; b++) {
    const block = p.func.blocks[b];
    const out: MInst[] = [];
    holdings.enter(b, p.preds[b]);
    for (let i = p.blockFirst[b]; i < p.blockFirst[b + 1]; i++) {
      const inst = p.insts[i];
      const gap = gaps[i];
      if (gap) insertMoves(out, gap, inst.loc, holdings, () => scratch(p, registers, gap, i));
      if (inst.isMove) {
        const [to, from] = inst.ops;
        from.loc = holdings.source(from.loc);
        if (!holdings.copy(to.loc, from.loc)) continue;
        inst.op = 'mov';
        inst.data = p.func.narrow[to.vreg] ? NARROW : WIDE;
      } else holdings.run(inst);
      out.push(inst);
      used |= inst.clobbers & INT_REGS; // that a call may destroy floats does not make this a function that uses them
    }
    for (const { ops } of out) {
      for (let k = 0; k < ops.length; k++) if (ops[k].loc < SLOT0) used |= 1 << ops[k].loc;
    }
    block.insts = out;
    const { targets } = terminatorOf(block);
    if (targets.some((t) => entersElsewhere(p, b, t.block))) holdings.leave(b);
    for (const t of targets) t.args = [];
  }
  for (const block of p.func.blocks) block.params = [];
  p.func.usedRegs = used >>> 0;
}

/** Whether control passes forward from block b to one that does not simply continue it. */
function entersElsewhere(p: Program, b: number, target: MBlock): boolean {
  const to = p.blockIndex.get(target)!;
  return to > b + 1 || (to === b + 1 && p.preds[to].length > 1);
}

/** Puts the moves of a gap in sequence, phase by phase. */
function insertMoves(out: MInst[], gap: PlacedMove, loc: number, holdings: Holdings, free: () => Loc): void {
  for (let phase = 0; phase <= Phase.EdgeOut; phase++) {
    const parallel: Move[] = [];
    for (let m: Gap = gap; m; m = m.next) if (m.phase === phase) parallel.push(m);
    if (parallel.length === 0) continue;
    for (const { to, from, narrow, exchange } of sequence(parallel, free)) {
      if (exchange) {
        holdings.exchange(to, from);
        out.push(moveInst(to, from, 'xchg', WIDE, loc));
      } else {
        const source = holdings.source(from);
        if (holdings.copy(to, source)) out.push(moveInst(to, source, 'mov', narrow ? NARROW : WIDE, loc));
      }
    }
  }
}

/** An integer register that holds nothing around the gap before instruction i, -1 if there is none. */
function scratch(p: Program, registers: RegisterFile, gap: PlacedMove, i: number): Loc {
  let busy = ~p.env.allocatable | p.env.calleeSaved;
  for (let m: Gap = gap; m; m = m.next) {
    if (m.to < SLOT0) busy |= 1 << m.to;
    if (m.from < SLOT0) busy |= 1 << m.from;
  }
  for (let r = 0; r < 16; r++) {
    if (!((busy >>> r) & 1) && registers.isVacant(r, i * 4 - 1, i * 4 + 4)) return r;
  }
  return -1;
}

function moveInst(toLoc: Loc, fromLoc: Loc, op: string, data: MData, loc: number): MInst {
  const to = new Operand(-1, 'def', 'any');
  const from = new Operand(-1, 'use', 'any');
  to.loc = toLoc;
  from.loc = fromLoc;
  return new MInst(op, [to, from], data, loc);
}
