// Bounds of a loop's variables that grow or shrink by a constant each round, from how often the loop goes round. That is
// known where each way back to its header has passed a comparison of such a variable with something that has a bound.
//
// Requires contiguous loops and every block's `preds`. All sums are of numbers below 2^53, and exact.

import { type Block, type Edge, INVERSE, type Inst } from './ir.ts';

export const U32_MAX = 0xffffffff;
const I32_MAX = 0x7fffffff;
/** So many blocks before the way back are looked at. */
const CHAIN_MAX = 8;

/** The bound of any value. */
export type BoundOf = (value: Inst) => number;

interface Loop {
  header: Block;
  entries: Edge[];
  /** The block of the only way back, and its edge. */
  latch: Block;
  back: Edge;
}

interface Variable {
  starts: Inst[];
  step: number;
}

/** What `param` of a loop's header is at most; undefined if this cannot tell. */
export function boundInduction(param: Inst, positions: Int32Array, boundOf: BoundOf): number | undefined {
  const loop = loopOf(param.block!, positions);
  const variable = loop && variableOf(loop, param);
  if (!loop || !variable) return undefined;
  const { starts, step } = variable;
  const largest = Math.max(...starts.map(boundOf));
  if (step < 0 && !starts.every((s) => s.op === 'const')) return undefined;
  const returns = returnsOf(loop, boundOf);
  if (returns === undefined) return undefined;
  if (step > 0) return largest + returns * step;
  // It must not go below 0.
  return Math.min(...starts.map(unsigned)) >= returns * -step ? largest : undefined;
}

function unsigned({ imm }: Inst): number {
  return Number(imm) >>> 0;
}

function loopOf(header: Block, positions: Int32Array): Loop | undefined {
  const entries: Edge[] = [];
  const back: { from: Block; edge: Edge }[] = [];
  for (const from of new Set(header.preds)) {
    for (const edge of from.terminator.targets) {
      if (edge.block !== header) continue;
      if (positions[from.id] < positions[header.id]) entries.push(edge);
      else back.push({ from, edge });
    }
  }
  return back.length === 1 ? { header, entries, latch: back[0].from, back: back[0].edge } : undefined;
}

/** `param` as what the loop adds a constant to. */
function variableOf({ header, entries, back }: Loop, param: Inst): Variable | undefined {
  if (param.op !== 'param' || param.block !== header || param.type !== 'i32') return undefined;
  const next = back.args[param.index];
  if (next.op !== 'add' || next.args[0] !== param || next.args[1].op !== 'const') return undefined;
  return { starts: entries.map((e) => e.args[param.index]), step: Number(next.args[1].imm) };
}

/** How often the way back is taken at most, for each time that the loop is entered. */
function returnsOf(loop: Loop, boundOf: BoundOf): number | undefined {
  const { header, latch } = loop;
  let to = header;
  let block = latch;
  for (let i = 0; i < CHAIN_MAX; i++) {
    const found = decidedBy(loop, block, to, boundOf);
    if (found !== undefined || block === header) return found;
    if (block.preds.length !== 1) break;
    to = block;
    block = block.preds[0];
  }
  const inside = header.terminator.targets.filter((t) => t.block.loopDepth >= header.loopDepth);
  return inside.length === 1 ? decidedBy(loop, header, inside[0].block, boundOf) : undefined;
}

/** The same, as far as the branch at the end of `block` tells: every way back goes from there to `to`. */
function decidedBy(loop: Loop, block: Block, to: Block, boundOf: BoundOf): number | undefined {
  const { op, args, targets } = block.terminator;
  if (op !== 'br' || targets[0].block === targets[1].block) return undefined;
  const truth = targets[0].block === to;
  const [condition] = args;
  const compare = truth ? condition.op : INVERSE[condition.op];
  const [x, y] = condition.args;
  if (compare === 'ne') return untilEqual(loop, x, y);
  if (compare === 'ltu' || compare === 'lts')
    return whileLess(loop, x, boundOf(y), compare === 'lts', boundOf);
  if (compare === 'leu' || compare === 'les')
    return whileLess(loop, x, boundOf(y) + 1, compare === 'les', boundOf);
  return truth && condition.type === 'i32' ? untilEqual(loop, condition, undefined) : undefined;
}

/** The variable that is compared, and whether it is so after the step. */
function compared(loop: Loop, x: Inst): (Variable & { after: 0 | 1 }) | undefined {
  const param = x.op === 'add' ? x.args[0] : x;
  const variable = variableOf(loop, param);
  if (!variable || (x !== param && loop.back.args[param.index] !== x)) return undefined;
  return { ...variable, after: x === param ? 0 : 1 };
}

/** It meets what it is compared with exactly (nothing: 0), be it behind 2^32. */
function untilEqual(loop: Loop, x: Inst, y: Inst | undefined): number | undefined {
  const v = compared(loop, x);
  if (!v || v.step === 0 || (y && y.op !== 'const')) return undefined;
  const end = y ? unsigned(y) : 0;
  let returns = 0;
  for (const start of v.starts) {
    if (start.op !== 'const') return undefined;
    const way = v.step > 0 ? end - unsigned(start) : unsigned(start) - end;
    const rounds = (way >>> 0) / Math.abs(v.step) - v.after;
    if (rounds < 0 || !Number.isInteger(rounds)) return undefined;
    returns = Math.max(returns, rounds);
  }
  return returns;
}

/** It goes up in steps to `end` and does not wrap around on the way. */
function whileLess(loop: Loop, x: Inst, end: number, signed: boolean, boundOf: BoundOf): number | undefined {
  const v = compared(loop, x);
  if (!v || v.step <= 0) return undefined;
  const largest = Math.max(end - 1, ...v.starts.map(boundOf));
  if (largest + v.step > (signed ? I32_MAX : U32_MAX)) return undefined;
  const start = v.starts.every((s) => s.op === 'const') ? Math.min(...v.starts.map(unsigned)) : 0;
  return Math.max(Math.ceil((end - start) / v.step) - v.after, 0);
}
