// What is copied where a small function is called: its optimised body without the parts that only lead to a trap. Where
// one of those would be entered, the function itself is called, and does it all again, trap included: so a copy
// of an accessor is its check and its access, and a back trace still shows the accessor.

import { copyBlocks } from '../ir/copy.ts';
import { type Block, effectsOf, Func, type Inst } from '../ir/ir.ts';
import { removeUnreachable } from './cfg.ts';

export interface Template {
  func: Func;
  /** Instructions that a copy adds. */
  cost: number;
}

export interface TemplateOptions {
  /** Leave nothing out. */
  keepsTraps?: boolean;
  /** Other threads write linear memory, so that what has been read cannot be read again. */
  shared?: boolean;
}

/** Beyond this it is not tried what is left without the traps. */
const COST_WITH_TRAPS_MAX = 80;

/** Undefined if the function cannot be inlined: tail calls, variables in the frame, no way back, or more than `cost_max` instructions. */
export function makeTemplate(
  func: Func,
  cost_max: number,
  options: TemplateOptions = {},
): Template | undefined {
  if (func.blocks.length > cost_max) return undefined;
  if (costOf(func) > (options.keepsTraps ? cost_max : COST_WITH_TRAPS_MAX)) return undefined;
  if (func.slots.length > 0 || func.blocks.some(endsInTailCall)) return undefined;
  const copy = new Func(func.name, func.index, func.sig);
  const params = func.blocks[0].params.map((p) => copy.newInst('param', p.type, []));
  copy.blocks = copyBlocks(func, copy, params, (location) => location);
  const [entry] = copy.blocks;
  entry.params = params;
  params.forEach((p, i) => {
    p.index = i;
    p.block = entry;
  });
  if (!options.keepsTraps) leaveOutTraps(copy, options.shared === true);
  if (!copy.blocks.some((b) => b.terminator.op === 'return')) return undefined;
  const cost = costOf(copy);
  return cost <= cost_max ? { func: copy, cost } : undefined;
}

export function costOf(func: Func): number {
  let cost = 0;
  for (const { insts } of func.blocks)
    for (const { op } of insts) if (op !== 'const' && op !== 'jump') cost++;
  return cost - 1; // a return, at least, becomes nothing
}

function endsInTailCall(block: Block): boolean {
  const { op } = block.terminator;
  return op === 'tailcall' || op === 'tailcallref';
}

/** Replaces the ways into a trap by a call of the whole function. Only where that does the same again. */
function leaveOutTraps(func: Func, shared: boolean): void {
  const doomed = new Set<Block>();
  for (const block of func.blocks.toReversed()) {
    const { op, targets } = block.terminator;
    if (op === 'trap' || (targets.length > 0 && targets.every((e) => doomed.has(e.block)))) doomed.add(block);
  }
  if (doomed.size === 0 || doomed.has(func.blocks[0])) return;
  const written = new Set(
    func.blocks.filter((b) => b.insts.some((i) => hasEffect(i) || (shared && i.op === 'load'))),
  );
  // A set visits what is added on the way. In a loop, what one round has written is written before the next.
  for (const block of written) for (const e of block.terminator.targets) written.add(e.block);
  let again: Block | undefined;
  for (const block of func.blocks) {
    if (doomed.has(block) || written.has(block)) continue;
    for (const edge of block.terminator.targets) {
      if (!doomed.has(edge.block)) continue;
      again ??= callItself(func);
      edge.block = again;
      edge.args = [];
    }
  }
  if (!again) return;
  func.blocks.push(again);
  removeUnreachable(func);
}

function hasEffect(inst: Inst): boolean {
  const effects = effectsOf(inst);
  return (
    effects.writes !== undefined ||
    (effects.pinned === true && inst.op !== 'trapif' && inst.targets.length === 0)
  );
}

/** Evaluates anew what has been seen to trap. It does not return, unless a kernel's interrupt handler has changed what
 * was read meanwhile: then it has trapped all the same. */
function callItself(func: Func): Block {
  const block = func.newBlock();
  const { results } = func.sig;
  const call = func.newInst('call', results.length === 1 ? results[0] : 'none', func.blocks[0].params);
  call.index = func.index;
  call.sig = func.sig;
  const trap = func.newInst('trap', 'none', []);
  trap.trap = 'unreachable';
  for (const inst of [call, trap]) {
    inst.block = block;
    block.insts.push(inst);
  }
  return block;
}
