// What a translation may be watched by: each function as it passes from stage to stage. Nobody watches in the normal
// course, and then it costs nothing.

import type { Func, Inst } from '../ir/ir.ts';
import type { MFunc, MInst } from '../x64/mir.ts';

export interface Trace {
  /** The IR as it comes from a stage: `builder`, or a pass. */
  ir?(func: Func, stage: string): void;
  /** Selection made `to` for `from`. */
  selected?(to: MInst, from: Inst): void;
  /** The machine IR as it comes from `select`, `regalloc` and `layout`. */
  mir?(func: MFunc, stage: string): void;
  /** The code of the function with that key; `insts` says where each instruction's begins. */
  code?(key: string, insts: readonly PlacedInst[]): void;
}

/** The instruction is left out for what the emitter adds behind the blocks. */
export interface PlacedInst {
  offset: number;
  inst: MInst | undefined;
}
