// Load elimination: a load whose value is known, from an earlier load or store of the same bytes with nothing in between
// that may write them, is replaced by that value. It would not have trapped: the earlier access did not.
//
// Requires contiguous loops (ir/loops.ts). Plain accesses only; calls, atomics, fences, machine intrinsics and bulk
// operators forget everything. At a join only what every way there knows is kept; a loop is entered with what
// nothing in it may write.

import type { Func, Inst, Op } from '../ir/ir.ts';
import { effectsOf } from '../ir/ir.ts';
import { type LoopNode, type LoopTree, loopTree } from '../ir/loop-tree.ts';
import { Replacements } from '../ir/params.ts';
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
    } else state.kill(inst);
    if (plain) state.add(inst);
    out.push(inst);
  }
  return out;
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

// --- loops ---

/** Stores that are told apart in a loop; with more of them the whole memory counts as written. */
const STORES_MAX = 16;

/** What the instructions of a loop may write. */
class Writes {
  private readonly stores: (Inst[] | 'any')[] = [[], [], []];
  private everything = false;

  add(inst: Inst): void {
    if (isStore(inst)) this.addStore(memoryOf(inst)!, inst);
    else if (effectsOf(inst).writes) this.everything = true;
  }

  private addStore(memory: number, inst: Inst): void {
    const list = this.stores[memory];
    if (list === 'any') return;
    if (list.length < STORES_MAX) list.push(inst);
    else this.stores[memory] = 'any';
  }

  addAll(other: Writes): void {
    this.everything ||= other.everything;
    other.stores.forEach((list, m) => {
      if (list === 'any') this.stores[m] = 'any';
      else for (const inst of list) this.addStore(m, inst);
    });
  }

  killIn(state: MemoryState): void {
    if (this.everything) state.clear();
    this.stores.forEach((list, m) => {
      if (list === 'any') state.clearMemory(m as 0 | 1 | 2);
      else for (const inst of list) state.kill(inst);
    });
  }
}

function loopWrites(func: Func, tree: LoopTree): Map<LoopNode, Writes> {
  const found = new Map(tree.loops.map((loop) => [loop, new Writes()]));
  func.blocks.forEach((block, i) => {
    const writes = found.get(tree.inner[i]!);
    if (writes) for (const inst of block.insts) writes.add(inst);
  });
  for (let k = tree.loops.length - 1; k >= 0; k--) {
    const { parent } = tree.loops[k];
    if (parent) found.get(parent)!.addAll(found.get(tree.loops[k])!);
  }
  return found;
}
