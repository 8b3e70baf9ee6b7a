// Numbers the spill slots anew, the one that most instructions name first: displacements below 128 take one byte, the
// others four. Requires: an allocated function. Guarantees: each slot only changes its place.

import { type MFunc, type Operand, SLOT0 } from './mir.ts';

export function orderSlots(func: MFunc): void {
  if (func.spillSlots < 2) return;
  const uses = new Int32Array(func.spillSlots);
  const inMemory = new Set<Operand>();
  for (const block of func.blocks) {
    for (const inst of block.insts) {
      for (const operand of inst.ops) {
        if (operand.loc < SLOT0) continue;
        uses[operand.loc - SLOT0]++;
        inMemory.add(operand);
      }
    }
  }
  const place = new Int32Array(func.spillSlots);
  const order = [...uses.keys()].sort((a, b) => uses[b] - uses[a]);
  for (let i = 0; i < order.length; i++) place[order[i]] = i;
  for (const operand of inMemory) operand.loc = SLOT0 + place[operand.loc - SLOT0];
}
