// Appends instructions that do together what one instruction did.

import type { Func, Inst, Op, Type } from '../ir/ir.ts';

export class Sequence {
  private readonly func: Func;
  private readonly out: Inst[];
  private readonly of: Inst;

  /** Appends to `out`, in the place of `of`. */
  constructor(func: Func, out: Inst[], of: Inst) {
    this.func = func;
    this.out = out;
    this.of = of;
  }

  emit(op: Op, type: Type, ...args: Inst[]): Inst {
    const inst = this.func.newInst(op, type, args);
    inst.loc = this.of.loc;
    inst.block = this.of.block;
    this.out.push(inst);
    return inst;
  }

  const(type: Type, imm: number | bigint): Inst {
    const inst = this.emit('const', type);
    inst.imm = imm;
    return inst;
  }

  /** An integer constant; of more bits than fit, the low ones. */
  int(type: Type, n: bigint): Inst {
    return this.const(type, type === 'i32' ? Number(BigInt.asIntN(32, n)) : BigInt.asIntN(64, n));
  }

  /** By a constant; nothing for 0. */
  shift(op: 'shl' | 'shru' | 'shrs', x: Inst, count: number): Inst {
    return count === 0 ? x : this.emit(op, x.type, x, this.int(x.type, BigInt(count)));
  }

  wrap(x: Inst): Inst {
    return this.emit('wrap', 'i32', x);
  }
}
