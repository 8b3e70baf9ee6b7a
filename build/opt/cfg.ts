// Simplifies the control-flow graph: branches whose outcome is known, blocks that only jump on, a join's branch on a
// constant that a predecessor passes, pairs of blocks that are always run one after the other, unreachable blocks.
// Leaves loops contiguous, with their depths up to date. Never jumps past a loop's header: the loop would get a
// second entry.

import { type Block, computePreds, type Edge, type Func, type Inst } from '../ir/ir.ts';
import { arrangeLoops, layoutPositions } from '../ir/loops.ts';
import { Replacements, removeTrivialParams } from '../ir/params.ts';

/** Each round is linear; more are hardly ever needed, and what is left over is only not as good. */
const ROUNDS_MAX = 4;

export function simplifyCfg(func: Func): void {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const decided = foldBranches(func);
    if (decided) removeUnreachable(func);
    const threaded = threadJumps(func);
    if (threaded) removeUnreachable(func);
    if (decided || threaded) removeTrivialParams(func);
    const merged = mergePairs(func);
    if (!decided && !threaded && !merged) break;
  }
  arrangeLoops(func);
}

// --- known outcomes ---

function foldBranches(func: Func): boolean {
  let changed = false;
  for (const block of func.blocks) {
    if (cutAtTrap(block)) changed = true;
    const t = block.terminator;
    const taken = outcome(t, t.args[0]);
    if (!taken || t.op === 'jump') continue;
    t.op = 'jump';
    t.args = [];
    t.targets = [taken];
    changed = true;
  }
  return changed;
}

/** The edge that a terminator takes if its operand is `value`, where that is certain. */
function outcome(t: Inst, value: Inst | undefined): Edge | undefined {
  const { targets } = t;
  if (targets.length === 0) return undefined;
  if (value?.op === 'const') {
    const n = Number(value.imm);
    if (t.op === 'br') return targets[n !== 0 ? 0 : 1];
    if (t.op === 'switch') return targets[Math.min(n >>> 0, targets.length - 1)];
  }
  return targets.every((e) => sameEdge(e, targets[0])) ? targets[0] : undefined;
}

function sameEdge(a: Edge, b: Edge): boolean {
  return a.block === b.block && a.args.every((v, i) => v === b.args[i]);
}

/** A trapif that always traps ends its block. */
function cutAtTrap(block: Block): boolean {
  const at = block.insts.findIndex(
    (i) => i.op === 'trapif' && i.args[0].op === 'const' && i.args[0].imm !== 0,
  );
  if (at < 0) return false;
  const trap = block.insts[at];
  trap.op = 'trap';
  trap.args = [];
  block.insts.length = at + 1;
  return true;
}

/** One look at each block is enough: the first way to it comes from an earlier one. */
export function removeUnreachable(func: Func): void {
  const reachable = new Set([func.blocks[0]]);
  func.blocks = func.blocks.filter((b) => {
    if (!reachable.has(b)) return false;
    for (const e of b.terminator.targets) reachable.add(e.block);
    return true;
  });
}

// --- jump threading ---

/** Lets edges to a block that only decides where to go next lead there directly. */
function threadJumps(func: Func): boolean {
  if (func.blocks.length === 1) return false;
  computePreds(func);
  const position = layoutPositions(func);
  const through = new Set(func.blocks.filter((b) => canPass(func, b, position)));
  keepPrivateParams(func, through);
  let changed = false;
  // Backwards, so that a chain of such blocks is followed one step at a time. It has an end: a circle has a header.
  for (let k = func.blocks.length - 1; k >= 0; k--) {
    const t = func.blocks[k].terminator;
    for (let i = 0; i < t.targets.length; i++) {
      for (let next = bypass(t.targets[i], through); next; next = bypass(next, through)) {
        t.targets[i] = next;
        changed = true;
      }
    }
    if (t.op === 'jump') changed = returnDirectly(t) || changed;
  }
  return changed;
}

/** A block of nothing but a jump or a decision on its own parameter, that is no loop header and not the one place
 * from which several ways go back to a header. */
function canPass(func: Func, block: Block, position: Int32Array): boolean {
  if (block.insts.length !== 1 || block === func.blocks[0]) return false;
  const t = block.terminator;
  const isBackEdge = (from: Block, to: Block) => position[to.id] <= position[from.id];
  if (block.preds.some((p) => isBackEdge(p, block))) return false;
  if (t.op === 'jump') return block.preds.length === 1 || !isBackEdge(block, t.targets[0].block);
  return (t.op === 'br' || t.op === 'switch') && block.params.includes(t.args[0]);
}

/** Drops from `through` the blocks whose parameters are used elsewhere: they must go on dominating those uses. */
function keepPrivateParams(func: Func, through: Set<Block>): void {
  for (const block of func.blocks) {
    const check = (v: Inst) => {
      if (v.op === 'param' && v.block !== block) through.delete(v.block!);
    };
    for (const inst of block.insts) {
      inst.args.forEach(check);
      for (const e of inst.targets) e.args.forEach(check);
    }
  }
}

/** Where an edge leads behind the block that it goes to, if that is certain. */
function bypass(edge: Edge, through: Set<Block>): Edge | undefined {
  const { block, args } = edge;
  if (!through.has(block)) return undefined;
  const t = block.terminator;
  if (t.targets.length === 0) return undefined; // it has become a return
  const substitute = (v: Inst) => (v.op === 'param' && v.block === block ? args[v.index] : v);
  const taken = t.op === 'jump' ? t.targets[0] : outcome(t, substitute(t.args[0]));
  return taken && { block: taken.block, args: taken.args.map(substitute) };
}

/** A jump to a block that only returns becomes the return. */
function returnDirectly(t: Inst): boolean {
  const [{ block, args }] = t.targets;
  const last = block.terminator;
  if (block.insts.length !== 1 || last.op !== 'return') return false;
  t.op = 'return';
  t.args = last.args.map((v) => (v.op === 'param' && v.block === block ? args[v.index] : v));
  t.targets = [];
  return true;
}

// --- merging ---

/** A block and the only block that it jumps to, which nothing else jumps to, become one. */
function mergePairs(func: Func): boolean {
  if (func.blocks.length === 1) return false;
  computePreds(func);
  const replaced = new Replacements(func.nextValue);
  const gone = new Set<Block>();
  for (const block of func.blocks) {
    if (gone.has(block)) continue;
    for (;;) {
      const t = block.terminator;
      const next = t.op === 'jump' ? t.targets[0].block : undefined;
      if (next?.preds.length !== 1 || next === block) break;
      next.params.forEach((p, i) => {
        replaced.set(p, t.targets[0].args[i]);
      });
      block.insts.pop();
      for (const inst of next.insts) {
        inst.block = block;
        block.insts.push(inst);
      }
      gone.add(next);
    }
  }
  if (gone.size === 0) return false;
  func.blocks = func.blocks.filter((b) => !gone.has(b));
  replaced.rewrite(func);
  return true;
}
