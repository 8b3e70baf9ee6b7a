// Inlining: copies small functions of the module to where they are called.
// Requires: templates (template.ts) that are complete themselves, so that what is copied is not looked at again.
// Guarantees: the same effects and traps in the same order; locations that name the function copied and the call.

import type { Func, Inst } from '../ir/ir.ts';
import type { Locations } from '../ir/locations.ts';
import { replaceCalls } from './replace-calls.ts';
import { costOf, type Template } from './template.ts';

export interface Inliner {
  /** Undefined for a function that is not to be copied. */
  template(index: number): Template | undefined;
  limits(caller: Func, callee: number): InlineLimits;
  /** Whether a function may be copied into itself. */
  recursion: boolean;
  locations: Locations;
}

/** Instructions of a function that is copied. */
export interface InlineLimits {
  /** Wherever it is called: about what the call itself takes. */
  cost_max: number;
  /** Into a loop. */
  cost_in_loop_max: number;
  /** Into a loop within a loop. */
  cost_in_inner_loop_max: number;
  /** The copy takes the function's own place, so that the module does not grow by it. */
  moves?: boolean;
}

/** Instructions that a function may grow by, besides its own number. */
const GROWTH_MAX = 100;
/** And by what moves into it: register allocation takes longer the larger a function is. */
const MOVED_MAX = 2000;

export function inlineCalls(func: Func, inliner: Inliner): void {
  const calls = func.blocks.flatMap((b) => b.insts.filter((i) => i.op === 'call'));
  const chosen = new Map<Inst, Template>();
  let room = GROWTH_MAX + costOf(func);
  let roomToMove = MOVED_MAX;
  for (const call of calls) {
    const template = inliner.template(call.index);
    if (!template) continue;
    const limits = inliner.limits(func, call.index);
    const most = costMost(limits, call.block!.loopDepth);
    if (template.cost > Math.min(most, limits.moves ? roomToMove : room)) continue;
    if (limits.moves) roomToMove -= template.cost;
    else room -= template.cost;
    chosen.set(call, template);
  }
  if (chosen.size === 0) return;
  replaceCalls(func, chosen, inliner.locations);
}

function costMost(limits: InlineLimits, depth: number): number {
  if (depth === 0) return limits.cost_max;
  return depth === 1 ? limits.cost_in_loop_max : limits.cost_in_inner_loop_max;
}
