// Unrolling of recursion: a small function that calls itself gets copies of itself in the place of those calls, for a few
// rounds. Most of its calls are gone then; recursion without an end still exhausts the stack, only later.

import type { Func, Inst } from '../ir/ir.ts';
import type { Inliner } from './inline.ts';
import { replaceCalls } from './replace-calls.ts';
import { makeTemplate, type Template } from './template.ts';

/** Instructions of a function that is unrolled. */
const COST_MAX = 40;
/** What it may grow to: a few rounds for a small one (fib: 4), one for the largest. */
const UNROLLED_COST_MAX = 320;

export function unrollRecursion(func: Func, inliner: Inliner): void {
  const calls = ownCalls(func).length;
  if (calls === 0 || !inliner.recursion) return;
  const template = makeTemplate(func, COST_MAX, { keepsTraps: true });
  if (!template) return;
  let added = calls * template.cost;
  for (let cost = template.cost + added; cost <= UNROLLED_COST_MAX; cost += added) {
    replaceCalls(func, new Map<Inst, Template>(ownCalls(func).map((c) => [c, template])), inliner.locations);
    if (calls === 1) break;
    added *= calls;
  }
}

function ownCalls(func: Func): Inst[] {
  return func.blocks.flatMap((b) => b.insts.filter((i) => i.op === 'call' && i.index === func.index));
}
