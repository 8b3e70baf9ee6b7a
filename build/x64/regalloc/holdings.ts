// Which locations hold the same value, followed through blocks and forward joins, so that a move to where the value
// already is can be left out, and what is in memory be read from a register that still has it. Requires the blocks in
// the order in which they are rewritten; guarantees that locations with the same number hold the same bits.

import { type Loc, type MInst, SLOT0 } from '../mir.ts';
import { SCRATCH_FLOAT } from './parallel-move.ts';

/** Slots behind these are not followed, so that the work on a block is bounded. */
const SLOTS_MAX = 128;

export class Holdings {
  /** A number for the value in each location, 0 where nothing is known. */
  private readonly value: Int32Array;
  /** The same at the end of each block that is entered from elsewhere than its front. */
  private readonly ends: Int32Array[] = [];
  private next = 1;

  constructor(slots: number) {
    this.value = new Int32Array(SLOT0 + Math.min(slots, SLOTS_MAX));
  }

  /** Begins block b: what all its predecessors agree on holds, and nothing if one of them is still to come. */
  enter(b: number, preds: number[]): void {
    const { value, ends } = this;
    if (preds.length === 1 && preds[0] === b - 1) return;
    if (preds.length === 0 || preds.some((pred) => pred >= b)) {
      value.fill(0);
      return;
    }
    value.set(ends[preds[0]]);
    for (let k = 1; k < preds.length; k++) {
      const other = ends[preds[k]];
      for (let loc = 0; loc < value.length; loc++) if (value[loc] !== other[loc]) value[loc] = 0;
    }
  }

  /** Keeps what holds at the end of block b. */
  leave(b: number): void {
    this.ends[b] = this.value.slice();
  }

  /** Notes a copy; false if it changes nothing. */
  copy(to: Loc, from: Loc): boolean {
    const v = this.valueIn(from);
    if (to >= this.value.length) return true;
    if (v !== 0 && this.value[to] === v) return false;
    this.value[to] = v;
    return true;
  }

  exchange(a: Loc, b: Loc): void {
    const v = this.valueIn(a);
    this.value[a] = this.valueIn(b);
    this.value[b] = v;
  }

  /** A register that holds what is in a slot, or the slot itself. */
  source(loc: Loc): Loc {
    const { value } = this;
    if (loc < SLOT0 || loc >= value.length || value[loc] === 0) return loc;
    for (let r = 0; r < SLOT0; r++) if (value[r] === value[loc]) return r;
    return loc;
  }

  /** Lets an instruction read registers where it can, and notes what it writes. */
  run(inst: MInst): void {
    const { value } = this;
    for (let k = 0; k < inst.ops.length; k++) {
      const op = inst.ops[k];
      if (op.role !== 'use' || op.loc < SLOT0) continue;
      const from = this.source(op.loc);
      if (!writesEarly(inst, from)) op.loc = from;
    }
    // The emitter may use it in any instruction.
    value[SCRATCH_FLOAT] = 0;
    for (let k = 0; k < inst.ops.length; k++) {
      const op = inst.ops[k];
      if (op.role !== 'use' && op.role !== 'lateuse' && op.loc < value.length) value[op.loc] = 0;
    }
    for (let left = inst.clobbers; left !== 0; left &= left - 1) value[31 - Math.clz32(left & -left)] = 0;
  }

  private valueIn(loc: Loc): number {
    if (loc >= this.value.length) return 0;
    if (this.value[loc] === 0) this.value[loc] = this.next++;
    return this.value[loc];
  }
}

/** Whether the register changes before the instruction has read all its operands. */
function writesEarly(inst: MInst, reg: Loc): boolean {
  return inst.ops.some(
    (op) => op.loc === reg && (op.role === 'earlydef' || op.role === 'temp' || op.constraint === 'reuse'),
  );
}
