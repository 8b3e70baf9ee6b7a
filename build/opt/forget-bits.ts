// What debug information loses when bits that nobody looks at change: a variable is no longer bound to a value that has
// become another one (ir/bindings.ts), for a debugger looks at all bits.
//
// `changed` are the values that have changed in bits that are not demanded. So have those that are made of them, but for those of
// which all bits are demanded: the changed ones do not reach them.

import type { Func, Inst } from '../ir/ir.ts';
import { fullMask, isSubset } from '../ir/mask.ts';
import type { DemandedBits } from './demanded-bits.ts';

export function forgetChanged(func: Func, changed: Iterable<Inst>, demanded: DemandedBits): void {
  if (func.bindings.length === 0) return;
  const wrong = new Set(changed);
  for (let size = -1; size !== wrong.size; ) {
    size = wrong.size;
    const follow = (value: Inst, from: Inst) => {
      if (wrong.has(from) && !isSubset(fullMask(value.type), demanded.get(value))) wrong.add(value);
    };
    for (const { insts } of func.blocks) {
      for (const inst of insts) {
        if (inst.type === 'i32' || inst.type === 'i64') for (const arg of inst.args) follow(inst, arg);
        for (const { block, args } of inst.targets) for (const p of block.params) follow(p, args[p.index]);
      }
    }
  }
  func.bindings = func.bindings.filter(({ value }) => !wrong.has(value));
}
