// What the instructions of a loop may write, its inner loops included.

import type { Func, Inst } from '../ir/ir.ts';
import type { LoopNode, LoopTree } from '../ir/loop-tree.ts';
import { isStore, MemoryState, memoryOf, writesMemory } from './memory-state.ts';

/** Stores that are told apart in a loop; with more of them the whole memory counts as written. */
const STORES_MAX = 16;

export class Writes {
  private readonly stores: (Inst[] | 'any')[] = [[], [], []];
  private everything = false;

  add(inst: Inst): void {
    if (isStore(inst)) this.addStore(memoryOf(inst)!, inst);
    else if (writesMemory(inst)) this.everything = true;
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

  mayWrite(load: Inst): boolean {
    const state = new MemoryState();
    state.add(load);
    this.killIn(state);
    return state.find(load) === undefined;
  }

  killIn(state: MemoryState): void {
    if (this.everything) state.clear();
    this.stores.forEach((list, m) => {
      if (list === 'any') state.clearMemory(m as 0 | 1 | 2);
      else for (const inst of list) state.kill(inst);
    });
  }
}

export function loopWrites(func: Func, tree: LoopTree): Map<LoopNode, Writes> {
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
