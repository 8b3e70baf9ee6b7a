// Instruction selection: SSA to machine IR over virtual registers.
//
// Requires: legalised IR (see opt/legalise.ts). Guarantees: critical edges split, an entry without parameters or
// predecessors, every i32 register with zero upper 32 bits.
//
// Blocks are visited in post-order and instructions bottom up, so that all uses of a value are seen before it: what
// nobody asked for is not emitted, and a value with one use can be folded into its user. A folded load may not pass
// an instruction with effects.

import { type Block, computePreds, type Func, type Inst } from '../ir/ir.ts';
import { estimateFrequencies } from './frequency.ts';
import { MBlock, type MFunc, MInst, NO_DATA, type VReg } from './mir.ts';
import { lowerControl, lowerEntry } from './select-control.ts';
import { lowerConvert } from './select-convert.ts';
import { lowerFloat } from './select-float.ts';
import { lowerInteger } from './select-integer.ts';
import { lowerMemory } from './select-memory.ts';
import { classOf, Selector, SLOT_BYTES, type Target } from './selector.ts';

export interface Selected {
  func: MFunc;
  /** Bytes at the bottom of the frame for the stack arguments of calls (a multiple of 16). */
  outgoingBytes: number;
  /** Bytes above them for results that calls return in memory. */
  resultBytes: number;
  /** Bytes above those for the variables that are kept in the frame. */
  frameBytes: number;
  /** The virtual register of a value, if it has one. */
  vregOf(value: Inst): VReg | undefined;
}

export function select(func: Func, target: Target): Selected {
  computePreds(func);
  const s = new Selector(func, target);
  const order = postOrder(func);
  makeBlocks(s, order);
  for (const block of order) lowerBlock(s, block);
  layOut(s, new Set(order));
  const { out, outgoingBytes, resultBytes } = s;
  const frameBytes = SLOT_BYTES * func.slots.length;
  return { func: out, outgoingBytes, resultBytes, frameBytes, vregOf: (value) => s.knownVReg(value) };
}

function makeBlocks(s: Selector, order: Block[]): void {
  for (const block of order) {
    const m = new MBlock(block.id);
    m.loopDepth = block.loopDepth;
    m.params = block.params.map((p) => s.vregOf(p));
    s.blocks.set(block.id, m);
  }
}

function lowerBlock(s: Selector, block: Block): void {
  const backwards: MInst[] = [];
  for (let i = block.insts.length - 1; i >= 0; i--) {
    const inst = block.insts[i];
    if (!s.mustEmit(inst)) continue;
    s.root = inst;
    s.pending = [];
    lower(s, inst);
    for (let k = s.pending.length - 1; k >= 0; k--) backwards.push(s.pending[k]);
  }
  s.blocks.get(block.id)!.insts = backwards.reverse();
}

function lower(s: Selector, inst: Inst): void {
  const done =
    lowerInteger(s, inst) ||
    lowerMemory(s, inst) ||
    lowerControl(s, inst) ||
    lowerFloat(s, inst) ||
    lowerConvert(s, inst);
  if (!done) throw new Error(`select: no rule for ${inst.op} in ${s.func.name}`);
}

/** Puts the blocks in the IR's order, splits critical edges and gives the function an entry of its own. */
function layOut(s: Selector, reachable: Set<Block>): void {
  const predCount = new Map<MBlock, number>();
  for (const b of reachable) {
    let n = 0;
    for (const p of b.preds) if (reachable.has(p)) n++;
    predCount.set(s.blocks.get(b.id)!, n);
  }
  const order: MBlock[] = [];
  let nextId = s.func.nextBlock;
  for (const block of s.func.blocks) {
    if (!reachable.has(block)) continue;
    const m = s.blocks.get(block.id)!;
    order.push(m);
    for (const split of splitEdges(m, predCount, () => nextId++)) order.push(split);
  }
  s.out.blocks = order;
  addEntry(s, predCount.get(order[0])! > 0);
  for (const b of s.out.blocks) {
    for (const t of b.insts[b.insts.length - 1].targets) t.block.preds.push(b);
  }
  estimateFrequencies(s.out);
}

/** New blocks for the edges of `m` that leave a branch and enter a join. */
function splitEdges(m: MBlock, predCount: Map<MBlock, number>, newId: () => number): MBlock[] {
  const last = m.insts[m.insts.length - 1];
  const splits: MBlock[] = [];
  if (last.targets.length < 2) return splits;
  const shared = new Map<MBlock, MBlock>();
  const constants = new EdgeConstants(m);
  for (const target of last.targets) {
    if (predCount.get(target.block) === 1) continue;
    // Edges of one switch without arguments to one block can share their split block.
    let split = target.args.length === 0 ? shared.get(target.block) : undefined;
    if (!split) {
      split = new MBlock(newId());
      split.loopDepth = Math.min(m.loopDepth, target.block.loopDepth);
      const jump = new MInst('jmp', [], NO_DATA, last.loc);
      jump.targets = [{ block: target.block, args: target.args }];
      split.insts = [...constants.take(target.args), jump];
      splits.push(split);
      if (target.args.length === 0) shared.set(target.block, split);
    }
    target.block = split;
    target.args = [];
  }
  constants.removeTaken();
  return splits;
}

/** The constants that a block makes for its edges. Each has one use, so that it can be made on the edge instead, where
 * it does not hold a register on the other ways out. */
class EdgeConstants {
  private readonly block: MBlock;
  private readonly made = new Map<VReg, MInst>();
  private readonly taken = new Set<MInst>();

  constructor(block: MBlock) {
    this.block = block;
    for (const inst of block.insts) {
      if (inst.op === 'movimm' || inst.op === 'fconst') this.made.set(inst.ops[0].vreg, inst);
    }
  }

  take(args: VReg[]): MInst[] {
    const found = args.flatMap((arg) => this.made.get(arg) ?? []);
    for (const inst of found) this.taken.add(inst);
    return found;
  }

  removeTaken(): void {
    if (this.taken.size > 0) this.block.insts = this.block.insts.filter((inst) => !this.taken.has(inst));
  }
}

function addEntry(s: Selector, hasPreds: boolean): void {
  const first = s.func.blocks[0];
  const body = s.out.blocks[0];
  s.root = first.insts[0];
  s.pending = [];
  if (!hasPreds) {
    lowerEntry(s, body.params);
    body.insts = [...s.pending, ...body.insts];
    body.params = [];
    return;
  }
  const incoming: VReg[] = first.params.map((p) => s.newVReg(classOf(p.type)));
  lowerEntry(s, incoming);
  const entry = new MBlock(s.func.nextBlock + s.out.blocks.length);
  const jump = new MInst('jmp', []);
  jump.targets = [{ block: body, args: incoming }];
  entry.insts = [...s.pending, jump];
  s.out.blocks.unshift(entry);
}

/** The blocks in post-order of a depth-first walk: each after everything that it dominates. */
function postOrder(func: Func): Block[] {
  const seen = new Set<Block>([func.blocks[0]]);
  const order: Block[] = [];
  const stack = [{ block: func.blocks[0], next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const targets = top.block.terminator.targets;
    if (top.next < targets.length) {
      const to = targets[top.next++].block;
      if (!seen.has(to)) {
        seen.add(to);
        stack.push({ block: to, next: 0 });
      }
    } else {
      order.push(top.block);
      stack.pop();
    }
  }
  return order;
}
