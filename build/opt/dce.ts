// Removes what nothing needs: values without a use that have no effect and cannot trap, and block parameters that feed
// only such values.

import { type Block, effectsOf, type Func, type Inst } from '../ir/ir.ts';

export function removeDeadCode(func: Func): void {
  const live = markLive(func);
  for (const block of func.blocks) {
    for (const edge of block.terminator.targets) {
      edge.args = edge.args.filter((_, i) => isLive(live, edge.block.params[i]));
    }
  }
  for (const block of func.blocks) {
    block.insts = block.insts.filter((inst) => isLive(live, inst));
    if (block !== func.blocks[0]) keepLiveParams(block, live);
  }
  for (const value of func.valueNames.keys()) if (!isLive(live, value)) func.valueNames.delete(value);
  func.bindings = func.bindings.filter(({ value }) => value.op === 'const' || isLive(live, value));
}

function isLive(live: Uint8Array, inst: Inst): boolean {
  return live[inst.id] !== 0;
}

/** What must stay whether it is used or not. A `result` is part of its call only if something uses it. */
function isRoot(inst: Inst): boolean {
  if (inst.op === 'result') return false;
  const fx = effectsOf(inst);
  return fx.pinned === true || fx.traps === true;
}

function markLive(func: Func): Uint8Array {
  const live = new Uint8Array(func.nextValue);
  const incoming = incomingArguments(func);
  const work: Inst[] = [];
  const mark = (inst: Inst) => {
    if (live[inst.id]) return;
    live[inst.id] = 1;
    work.push(inst);
  };
  func.blocks[0].params.forEach(mark);
  for (const block of func.blocks) for (const inst of block.insts) if (isRoot(inst)) mark(inst);
  while (work.length > 0) {
    const inst = work.pop()!;
    if (inst.op === 'param') for (const args of incoming.get(inst.block!) ?? []) mark(args[inst.index]);
    else for (const a of inst.args) mark(a);
  }
  return live;
}

/** The arguments of the edges into each block. */
export function incomingArguments(func: Func): Map<Block, Inst[][]> {
  const incoming = new Map<Block, Inst[][]>();
  for (const block of func.blocks) {
    for (const { block: to, args } of block.terminator.targets) {
      const list = incoming.get(to);
      if (list) list.push(args);
      else incoming.set(to, [args]);
    }
  }
  return incoming;
}

function keepLiveParams(block: Block, live: Uint8Array): void {
  block.params = block.params.filter((p) => isLive(live, p));
  block.params.forEach((p, i) => {
    p.index = i;
  });
}
