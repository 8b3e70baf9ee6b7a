// Load elimination: a load whose value is known, from an earlier load or store of the same bytes with nothing in between
// that may write them, is replaced by that value. It would not have trapped: the earlier access did not.
//
// Requires contiguous loops (ir/loops.ts). Plain accesses only; calls, atomics, fences, machine intrinsics and bulk
// operators forget everything. At a join only what every way there knows is kept; a loop is entered with what
// nothing in it may write.

import type { Func, Inst, Op } from '../ir/ir.ts';
import { loopTree } from '../ir/loop-tree.ts';
import { Replacements } from '../ir/params.ts';
import { loopWrites } from './loop-writes.ts';
import { isStore, MemoryState, memoryOf } from './memory-state.ts';

export function eliminateLoads(func: Func): void {
  const tree = loopTree(func);
  const writes = loopWrites(func, tree);
  const replaced = new Replacements(func.nextValue);
  const after: (MemoryState | undefined)[] = [];
  func.blocks.forEach((block, i) => {
    let state: MemoryState | undefined;
    for (const pred of block.preds) {
      const from = tree.position[pred.id];
      if (from >= i) continue;
      if (state) state.meet(after[from]!);
      else state = after[from]!.copy();
    }
    state ??= new MemoryState();
    const loop = tree.inner[i];
    if (loop?.header === block) writes.get(loop)?.killIn(state);
    block.insts = visit(func, block.insts, state, replaced);
    after[i] = state;
  });
  if (replaced.count > 0) replaced.rewrite(func);
}

/** The instructions without the loads that are not needed. */
function visit(func: Func, insts: Inst[], state: MemoryState, replaced: Replacements): Inst[] {
  const out: Inst[] = [];
  for (const inst of insts) {
    for (let i = 0; i < inst.args.length; i++) inst.args[i] = replaced.get(inst.args[i]);
    const plain = memoryOf(inst) !== undefined;
    if (plain && !isStore(inst)) {
      const earlier = state.find(inst);
      const value = earlier && valueFor(func, inst, earlier, out);
      if (value) {
        replaced.set(inst, value);
        continue;
      }
    } else if (plain && isStoredAlready(inst, state.find(inst))) continue;
    else state.kill(inst);
    if (plain) state.add(inst);
    out.push(inst);
  }
  return out;
}

/** Whether the place has what `store` writes from another store. (A load is not enough: writing it might trap.) */
function isStoredAlready(store: Inst, earlier: Inst | undefined): boolean {
  return earlier !== undefined && isStore(earlier) && earlier.args.at(-1) === store.args.at(-1);
}

/** What `load` reads, given an access to the same bytes. Conversions are appended to `out`. */
function valueFor(func: Func, load: Inst, earlier: Inst, out: Inst[]): Inst | undefined {
  const stored = isStore(earlier);
  const value = stored ? earlier.args[earlier.args.length - 1] : earlier;
  const convert = (op: Op, ...args: Inst[]): Inst => {
    const inst = func.newInst(op, load.type, args);
    inst.block = load.block;
    inst.loc = load.loc;
    out.push(inst);
    return inst;
  };
  if (value.type !== load.type)
    return bytesOf(value) === load.width && bytesOf(load) === load.width
      ? convert('bitcast', value)
      : undefined;
  if (load.width === bytesOf(load) || (!stored && earlier.signed === load.signed)) return value;
  if (load.signed) return convert(`extend${8 * load.width}s` as Op, value);
  const mask = convert('const');
  const ones = (1n << BigInt(8 * load.width)) - 1n;
  mask.imm = load.type === 'i32' ? Number(ones) : ones;
  return convert('and', value, mask);
}

function bytesOf({ type }: Inst): number {
  return type === 'i32' || type === 'f32' ? 4 : 8;
}
