// Which locations hold the same value, followed through one block, so that a move to where the value already is can
// be left out, and a load can be a copy from a register that still has it.

import { type Loc, type MInst, SLOT0 } from '../mir.ts';

export class Holdings {
  /** A number for the value in each location; those below `first` mean nothing in this block. */
  private readonly value: Int32Array;
  private first = 1;
  private next = 1;

  constructor(slots: number) {
    this.value = new Int32Array(SLOT0 + slots);
  }

  /** Forgets everything: at the start of a block. */
  clear(): void {
    this.first = this.next;
  }

  /** Notes a copy; false if it changes nothing. */
  copy(to: Loc, from: Loc): boolean {
    const v = this.valueIn(from);
    if (this.value[to] === v) return false;
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
    if (loc < SLOT0 || this.value[loc] < this.first) return loc;
    const v = this.value[loc];
    for (let r = 0; r < SLOT0; r++) if (this.value[r] === v) return r;
    return loc;
  }

  /** Notes what an instruction writes. */
  run(inst: MInst): void {
    for (let k = 0; k < inst.ops.length; k++) {
      const op = inst.ops[k];
      if (op.role !== 'use' && op.role !== 'lateuse') this.value[op.loc] = 0;
    }
    for (let left = inst.clobbers; left !== 0; left &= left - 1)
      this.value[31 - Math.clz32(left & -left)] = 0;
  }

  private valueIn(loc: Loc): number {
    if (this.value[loc] < this.first) this.value[loc] = this.next++;
    return this.value[loc];
  }
}
