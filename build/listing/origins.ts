// Which stage made each instruction of a translation: the builder or the pass that made or last changed the IR value it
// was selected for, the register allocator for spills and copies, the frame, the thunks.

import type { Func, Inst } from '../ir/ir.ts';
import { printInst } from '../ir/print.ts';
import type { MFunc, MInst } from '../x64/mir.ts';
import type { PlacedInst, Trace } from './trace.ts';

export interface Origin {
  offset: number;
  stage: string;
}

export class Origins implements Trace {
  /** By function key, in order of offsets. */
  readonly byFunction = new Map<string, Origin[]>();
  private readonly values = new WeakMap<Inst, { text: string; stage: string }>();
  private readonly insts = new WeakMap<MInst, string>();

  ir(func: Func, stage: string): void {
    for (const block of func.blocks) {
      for (const inst of block.insts) {
        const text = printInst(func, inst);
        if (this.values.get(inst)?.text !== text) this.values.set(inst, { text, stage });
      }
    }
  }

  selected(to: MInst, from: Inst): void {
    this.insts.set(to, this.values.get(from)?.stage ?? 'select');
  }

  mir(func: MFunc, stage: string): void {
    for (const block of func.blocks) {
      for (const inst of block.insts) if (!this.insts.has(inst)) this.insts.set(inst, stage);
    }
  }

  code(key: string, placed: readonly PlacedInst[]): void {
    const origins = placed.map(({ offset, inst }) => ({
      offset,
      stage: inst ? (this.insts.get(inst) ?? 'emit') : 'emit',
    }));
    this.byFunction.set(key, [{ offset: 0, stage: 'frame' }, ...origins]);
  }
}
