// Lets a state machine go from state to state directly: where a constant, the next state, is put in a register and then
// comes a dispatch, or a copy of it (tail-duplicate.ts), the jump table becomes a jump to the state's case, and so
// comparisons of the state on the way to it. A pass over the IR cannot do this: the way past a loop's header into
// its middle would make the graph irreducible.
//
// Requires: an allocated function, whose edges carry nothing. Guarantees: only the outcome of branches and jump tables is
// decided, which have no other effect; every block but the first is some edge's target.

import { type Loc, type MBlock, type MEdge, type MFunc, MInst, NO_DATA, SLOT0 } from './mir.ts';
import type { Cond, FlagsSpec } from './select-integer.ts';
import { skipJumps } from './skip-jumps.ts';

/** How far back from a jump table is looked. */
const BLOCKS_MAX = 4;
const INSTRUCTIONS_MAX = 40;

export function decideBranches(func: MFunc): void {
  let changed = false;
  for (const block of func.blocks) {
    if (block.loopDepth === 0 || lastOf(block).op !== 'switchtable') continue;
    for (const b of wayTo(block)) changed = decide(b) || changed;
  }
  if (changed) skipJumps(func);
}

function lastOf({ insts }: MBlock): MInst {
  return insts[insts.length - 1];
}

/** The block and those that always come before it, the last one first. */
function wayTo(block: MBlock): MBlock[] {
  const way = [block];
  for (let b = block; b.preds.length === 1 && way.length < BLOCKS_MAX; way.push(b)) [b] = b.preds;
  return way;
}

function decide(block: MBlock): boolean {
  const last = lastOf(block);
  const taken = outcome(block, last);
  if (!taken) return false;
  const jump = new MInst('jmp', [], NO_DATA, last.loc);
  jump.targets = [{ ...taken, frequency: block.frequency }];
  block.insts[block.insts.length - 1] = jump;
  return true;
}

function outcome(block: MBlock, { op, ops, data, targets }: MInst): MEdge | undefined {
  if (op === 'switchtable') {
    const index = constantIn(block, ops[0].loc);
    return index === undefined ? undefined : targets[Math.min(index >>> 0, targets.length - 1)];
  }
  const flags = data.flags as FlagsSpec | undefined;
  if (op !== 'br' || !flags || flags.mem || flags.size !== 4 || flags.kind === 'ucomis') return undefined;
  const left = ops[flags.a].loc;
  if (flags.kind === 'test' ? flags.b < 0 || ops[flags.b].loc !== left : flags.b >= 0) return undefined;
  const value = constantIn(block, left);
  const holds = value === undefined ? undefined : compare(data.cond as Cond, value, flags.imm ?? 0);
  return holds === undefined ? undefined : targets[holds ? 0 : 1];
}

/** Whether a condition holds after a comparison of two signed numbers of 32 bits. */
function compare(cond: Cond, x: number, y: number): boolean | undefined {
  switch (cond) {
    case 'e':
      return x === y;
    case 'ne':
      return x !== y;
    case 'b':
      return x >>> 0 < y >>> 0;
    case 'ae':
      return x >>> 0 >= y >>> 0;
    case 'l':
      return x < y;
    case 'ge':
      return x >= y;
    default:
      return undefined; // no dispatch has them
  }
}

/** The low half of what a location holds at the end of `block`, signed, if a constant has been put there on the only way. */
function constantIn(block: MBlock, loc: Loc): number | undefined {
  let at = loc;
  let b = block;
  for (let left = INSTRUCTIONS_MAX; left > 0; left--, [b] = b.preds) {
    for (let i = b.insts.length - 2; i >= 0 && left > 0; i--, left--) {
      const inst = b.insts[i];
      if (!writes(inst, at)) continue;
      if (inst.op === 'movimm') return Number(BigInt.asIntN(32, BigInt(inst.data.imm!)));
      if (inst.op !== 'mov') return undefined;
      at = inst.ops[1].loc;
    }
    if (b.preds.length !== 1) return undefined;
  }
  return undefined;
}

function writes({ op, ops, clobbers }: MInst, loc: Loc): boolean {
  if (loc < SLOT0 && ((clobbers >>> loc) & 1) === 1) return true;
  return ops.some((o) => o.loc === loc && (op === 'xchg' || (o.role !== 'use' && o.role !== 'lateuse')));
}
