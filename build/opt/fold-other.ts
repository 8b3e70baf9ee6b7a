// Rules for conditions, select, and the float operations that only move bits.

import type { Inst, Op } from '../ir/ir.ts';
import { isConst, type Rule } from './fold.ts';

/** What a condition tests for not being zero, without a comparison that does just that. */
function stripped(condition: Inst): Inst {
  const [a, b] = condition.args;
  return condition.op === 'ne' && a.type === 'i32' && isConst(b, 0) ? a : condition;
}

/** The i32 that is zero exactly if the condition is not. */
function negated(condition: Inst): Inst | undefined {
  return condition.op === 'eqz' && condition.args[0].type === 'i32' ? condition.args[0] : undefined;
}

const condition: Rule = (_, inst) => {
  const simpler = stripped(inst.args[0]);
  if (simpler === inst.args[0]) return undefined;
  inst.args[0] = simpler;
  return inst;
};

const branch: Rule = (f, inst) => {
  const opposite = negated(inst.args[0]);
  if (!opposite) return condition(f, inst);
  inst.args[0] = opposite;
  inst.targets.reverse();
  return inst;
};

const select: Rule = (f, inst) => {
  const [test, yes, no] = inst.args;
  if (yes === no) return yes;
  if (test.op === 'const') return test.imm === 0 ? no : yes;
  const opposite = negated(test);
  return opposite ? f.become(inst, 'select', opposite, no, yes) : condition(f, inst);
};

const SIGN_OPS: ReadonlySet<Op> = new Set(['fneg', 'fabs', 'fcopysign']);

const abs: Rule = (f, inst) => {
  const [a] = inst.args;
  return SIGN_OPS.has(a.op) ? f.become(inst, 'fabs', a.args[0]) : undefined;
};

const copysign: Rule = (f, inst) => {
  const [a, b] = inst.args;
  if (a === b) return a;
  return SIGN_OPS.has(a.op) ? f.become(inst, 'fcopysign', a.args[0], b) : undefined;
};

/** An operation that undoes itself. */
const involution: Rule = (_, inst) => {
  const [a] = inst.args;
  return a.op === inst.op ? a.args[0] : undefined;
};

export const OTHER_RULES: Partial<Record<Op, Rule>> = {
  br: branch,
  trapif: condition,
  select,
  fabs: abs,
  fcopysign: copysign,
  fneg: involution,
  bitcast: involution,
};
