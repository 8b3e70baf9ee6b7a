// Copies of a function's blocks inside another function, or inside itself: what inlining is made of.

import { type Block, type Edge, type Func, Inst } from './ir.ts';

/** A copy of `inst` with a number of `func`'s, and the operands that `value` gives for the original's. */
function cloneInst(func: Func, inst: Inst, block: Block, value: (v: Inst) => Inst): Inst {
  const copy = Object.assign(new Inst(func.nextValue++, inst.op, inst.type, inst.args.map(value)), {
    imm: inst.imm,
    offset: inst.offset,
    width: inst.width,
    signed: inst.signed,
    mutable: inst.mutable,
    trap: inst.trap,
    index: inst.index,
    sig: inst.sig,
    sym: inst.sym,
    rmw: inst.rmw,
    intrinsic: inst.intrinsic,
    loc: inst.loc,
  });
  copy.block = block;
  return copy;
}

/** Copies `blocks`, an entry block first and the others in layout order, into `func` with `args` for the entry's
 * parameters. The copies are not in the layout yet. */
export function cloneBlocks(func: Func, blocks: Block[], args: Inst[]): Block[] {
  const values = new Map<Inst, Inst>();
  const copies = new Map<Block, Block>();
  const value = (v: Inst) => values.get(v)!;
  for (const block of blocks) {
    const copy = func.newBlock();
    copy.loopDepth = block.loopDepth;
    copies.set(block, copy);
    block.params.forEach((p, i) => {
      values.set(p, block === blocks[0] ? args[i] : func.addParam(copy, p.type));
    });
  }
  for (const block of blocks) {
    const copy = copies.get(block)!;
    for (const inst of block.insts) {
      const made = cloneInst(func, inst, copy, value);
      made.targets = inst.targets.map(({ block: to, args: list }): Edge => {
        return { block: copies.get(to)!, args: list.map(value) };
      });
      values.set(inst, made);
      copy.insts.push(made);
    }
  }
  return blocks.map((b) => copies.get(b)!);
}
