// Puts copies of functions in the place of calls. What is copied is not looked at again. Leaves loops contiguous, and
// locations that name the function copied and the call.

import { copyBlocks } from '../ir/copy.ts';
import type { Block, Func, Inst } from '../ir/ir.ts';
import type { Locations } from '../ir/locations.ts';
import { arrangeLoops } from '../ir/loops.ts';
import { Replacements } from '../ir/params.ts';
import type { Template } from './template.ts';

export function replaceCalls(func: Func, chosen: ReadonlyMap<Inst, Template>, locations: Locations): void {
  if (chosen.size === 0) return;
  const copier = new Copier(func, locations);
  for (const block of func.blocks) copier.add(block, chosen);
  func.blocks = copier.blocks;
  copier.replaced.rewrite(func);
  arrangeLoops(func);
}

class Copier {
  /** The new layout. */
  readonly blocks: Block[] = [];
  readonly replaced: Replacements;
  private readonly func: Func;
  private readonly locations: Locations;
  /** Where instructions go now. */
  private block!: Block;

  constructor(func: Func, locations: Locations) {
    this.func = func;
    this.locations = locations;
    this.replaced = new Replacements(func.nextValue);
  }

  /** Adds a block with the chosen ones of its calls replaced. */
  add(block: Block, chosen: ReadonlyMap<Inst, Template>): void {
    const { insts } = block;
    block.insts = [];
    this.block = block;
    this.blocks.push(block);
    for (let i = 0; i < insts.length; i++) {
      const template = chosen.get(insts[i]);
      if (!template) this.append(insts[i]);
      else i = this.replace(insts, i, template);
    }
  }

  private append(inst: Inst): void {
    inst.block = this.block;
    this.block.insts.push(inst);
  }

  /** Replaces the call at `at`; returns where the last instruction stands that belongs to it. */
  private replace(insts: Inst[], at: number, template: Template): number {
    const call = insts[at];
    const { func } = this;
    const locate = this.locations.inliner(call.index, call.loc);
    const [entry, ...others] = copyBlocks(template.func, func, call.args, locate);
    const types = call.sig!.results;
    const results: (Inst | undefined)[] = call.type !== 'none' ? [call] : types.map(() => undefined);
    while (insts[at + 1].op === 'result') results[insts[++at].index] = insts[at];

    for (const inst of entry.insts) this.append(inst);
    const { loopDepth } = this.block;
    if (others.length === 0) {
      const { args } = this.block.insts.pop()!;
      results.forEach((value, i) => {
        if (value) this.replaced.set(value, args[i]);
      });
      return at;
    }
    const rest = func.newBlock();
    rest.loopDepth = loopDepth;
    const from = [this.block, ...others];
    results.forEach((value, i) => {
      const param = func.addParam(rest, types[i]);
      if (value) this.replaced.set(value, param);
    });
    for (const { terminator } of from) {
      if (terminator.op !== 'return') continue;
      terminator.op = 'jump';
      terminator.targets = [{ block: rest, args: terminator.args }];
      terminator.args = [];
    }
    for (const block of others) block.loopDepth += loopDepth;
    this.blocks.push(...others, rest);
    this.block = rest;
    return at;
  }
}
