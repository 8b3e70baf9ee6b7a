// Selection of jumps, branches, jump tables, traps and machine intrinsics.

import type { Inst } from '../ir/ir.ts';
import { INTRINSICS } from './intrinsics.ts';
import { type MEdge, type MInst, Operand, type RegSet } from './mir.ts';
import { lowerCall } from './select-call.ts';
import { condition } from './select-integer.ts';
import { lowerVolatile, stripNarrowing } from './select-memory.ts';
import type { Selector } from './selector.ts';

export { lowerEntry } from './select-call.ts';

/** Up to this many cases, a chain of comparisons beats the load and the indirect jump of a table. */
const CHAIN_CASES_MAX = 3;

export function lowerControl(s: Selector, inst: Inst): boolean {
  switch (inst.op) {
    case 'jump': {
      const target = s.edge(inst.targets[0]);
      s.emit('jmp', []).targets = [target];
      return true;
    }
    case 'br':
      return lowerBranch(s, inst);
    case 'switch':
      return lowerSwitch(s, inst);
    case 'trap':
      s.emit('trap', [], { trap: inst.trap });
      return true;
    case 'trapif': {
      const ops: Operand[] = [];
      const { cond, flags } = condition(s, inst.args[0], ops);
      s.emit('trapif', ops, { cond, flags, trap: inst.trap });
      return true;
    }
    case 'x86':
      return lowerIntrinsic(s, inst);
    default:
      return lowerCall(s, inst);
  }
}

function lowerBranch(s: Selector, inst: Inst): boolean {
  // Arguments first: making a constant may not come between the comparison and its jump.
  const targets = inst.targets.map((t) => s.edge(t));
  const ops: Operand[] = [];
  const { cond, flags } = condition(s, inst.args[0], ops);
  s.emit('br', ops, { cond, flags }).targets = targets;
  return true;
}

function lowerSwitch(s: Selector, inst: Inst): boolean {
  const targets: MEdge[] = inst.targets.map((t) => s.edge(t));
  const index = inst.args[0];
  // One with a constant index keeps its targets: a block that nothing leads to has no place in machine IR.
  if (targets.length === 1) {
    s.emit('jmp', []).targets = targets;
    return true;
  }
  if (targets.length - 1 <= CHAIN_CASES_MAX) {
    s.emit('switchchain', [s.use(index)]).targets = targets;
    return true;
  }
  s.emit('switchtable', [s.use(index), s.temp(), s.temp()], {}).targets = targets;
  return true;
}

/** An instruction of docs/abi.md §6. Its operands' registers come from the table. */
function lowerIntrinsic(s: Selector, inst: Inst): boolean {
  const spec = INTRINSICS[inst.intrinsic];
  if ('access' in spec) return lowerVolatile(s, inst, spec);
  const ops: Operand[] = [];
  if (spec.result !== undefined) {
    const def =
      inst.type === 'none' ? new Operand(s.newVReg('int'), 'def') : new Operand(s.vregOf(inst), 'def');
    if (spec.result !== 'any') {
      def.constraint = 'fixed';
      def.arg = spec.result;
    }
    ops.push(def);
  }
  inst.args.forEach((value, i) => {
    const where = spec.params[i];
    const low = spec.width !== undefined && i === inst.args.length - 1;
    const arg = low ? stripNarrowing(s, value, spec.width!) : value;
    ops.push(where === 'any' ? s.lateUse(arg) : s.use(arg, 'fixed', where));
  });
  const m: MInst = s.emit('x86', ops, { x86: inst.intrinsic });
  m.clobbers = (spec.clobbers ?? []).reduce((set: RegSet, r) => (set | (1 << r)) >>> 0, 0);
  return true;
}
