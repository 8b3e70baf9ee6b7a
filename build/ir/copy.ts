// Copies of a function's blocks in another, for inlining.

import type { Block, Func, Inst } from './ir.ts';

/**
 * Copies all blocks of `from` into `into`, whose layout they do not join. The copy of the entry block has no parameters:
 * `args` stand for the function's.
 */
export function copyBlocks(
  from: Func,
  into: Func,
  args: Inst[],
  locate: (location: number) => number,
): Block[] {
  const values: Inst[] = new Array(from.nextValue);
  const blocks: Block[] = new Array(from.nextBlock);
  const [entry] = from.blocks;
  entry.params.forEach((p, i) => {
    values[p.id] = args[i];
  });
  for (const block of from.blocks) {
    const copy = into.newBlock();
    copy.loopDepth = block.loopDepth;
    blocks[block.id] = copy;
    if (block !== entry) for (const p of block.params) values[p.id] = into.addParam(copy, p.type);
  }
  // A block comes after those that dominate it, so what an instruction uses has been copied before it.
  for (const block of from.blocks) {
    const copy = blocks[block.id];
    for (const inst of block.insts) {
      const made = inst.copy(
        into.nextValue++,
        inst.args.map((v) => values[v.id]),
      );
      made.block = copy;
      made.targets = inst.targets.map((e) => ({
        block: blocks[e.block.id],
        args: e.args.map((v) => values[v.id]),
      }));
      made.loc = locate(inst.loc);
      values[inst.id] = made;
      copy.insts.push(made);
    }
  }
  for (const binding of from.bindings) {
    const value = binding.value.op === 'const' ? binding.value : values[binding.value.id];
    if (value) into.bindings.push({ ...binding, call: locate(binding.call), value });
  }
  return from.blocks.map((b) => blocks[b.id]);
}
