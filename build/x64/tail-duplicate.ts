// Copies the dispatch of an interpreter's loop, a block that ends in a jump table, to the ends of the blocks that jump to
// it: the processor predicts each copy's jump from where it stands, and a round has one jump less (Ertl and Gregg,
// "The structure and performance of efficient interpreters", 2003). What is done on the way to the jump table in every
// round, as fetching and looking for the end, is copied with it. The copies share one table.
//
// Requires: an allocated function, whose edges carry nothing. Guarantees: nothing but copies of whole blocks, within
// the limits below.

import { MBlock, type MFunc, MInst } from './mir.ts';
import { removeUnreachable } from './skip-jumps.ts';

/** A dispatch that is worth it: in a loop, with many ways on and back. */
const CASES_MIN = 8;
const WAYS_BACK_MIN = 4;
const DISPATCH_INSTRUCTIONS_MAX = 24;
/** Instructions of all copies together: a share of the function, or this many in a small one. */
const GROWTH_MAX = 0.5;
const SMALL_GROWTH_MAX = 128;
/** Targets of all copies together: there are as many of each as cases, and often as many copies. */
const TARGETS_MAX = 100_000;

export function duplicateTails(func: MFunc): void {
  const dispatches = func.blocks.filter(isDispatch);
  if (dispatches.length === 0) return;
  const size = func.blocks.reduce((n, b) => n + b.insts.length, 0);
  let budget = Math.max(GROWTH_MAX * size, SMALL_GROWTH_MAX);
  let targetsLeft = TARGETS_MAX;
  let nextId = func.blocks.reduce((id, b) => Math.max(id, b.id), 0) + 1;
  const behind = new Map<MBlock, MBlock[]>();
  for (const dispatch of dispatches) {
    const tail = wayTo(dispatch);
    const from = tail[0].preds.filter((p) => !tail.includes(p) && p.loopDepth > 0 && endsInJump(p));
    const growth = from.length * instructionsOf(tail);
    const targets = from.length * dispatch.insts[dispatch.insts.length - 1].targets.length;
    if (from.length < WAYS_BACK_MIN || growth > budget || targets > targetsLeft) continue;
    for (const block of from)
      behind.set(
        block,
        append(block, tail, () => nextId++),
      );
    budget -= growth;
    targetsLeft -= targets;
  }
  func.blocks = func.blocks.flatMap((b) => [b, ...(behind.get(b) ?? [])]);
  removeUnreachable(func);
}

/** The blocks that every round goes through up to `dispatch`, as far as they are not too large together. */
function wayTo(dispatch: MBlock): MBlock[] {
  const way = [dispatch];
  for (;;) {
    const before = way[0].preds.filter((p) => p.loopDepth > 0);
    if (before.length !== 1 || way.includes(before[0])) return way;
    if (instructionsOf([before[0], ...way]) > DISPATCH_INSTRUCTIONS_MAX) return way;
    way.unshift(before[0]);
  }
}

function instructionsOf(blocks: MBlock[]): number {
  return blocks.reduce((n, b) => n + b.insts.length, 0);
}

function isDispatch(block: MBlock): boolean {
  const last = block.insts[block.insts.length - 1];
  return (
    last.op === 'switchtable' &&
    block.loopDepth > 0 &&
    last.targets.length > CASES_MIN &&
    block.insts.length <= DISPATCH_INSTRUCTIONS_MAX
  );
}

function endsInJump(block: MBlock): boolean {
  return block.insts[block.insts.length - 1].op === 'jmp';
}

/** The instructions of `tail` in place of the jump to it, the first block's in `block`; returns the other ones. Their
 * operands are locations, which hold there as well. */
function append(block: MBlock, tail: MBlock[], newId: () => number): MBlock[] {
  const share = Math.min(block.frequency / tail[0].frequency, 1);
  const copies = tail.map((original, i) => (i === 0 ? block : copyOf(original, newId(), share)));
  block.insts.pop();
  tail.forEach(({ insts }, i) => {
    for (const inst of insts) {
      const copy = new MInst(inst.op, inst.ops, inst.data, inst.loc);
      copy.targets = inst.targets.map((t) => {
        const frequency = t.frequency! * share;
        t.frequency! -= frequency;
        return { ...t, frequency, block: t.block === tail[i + 1] ? copies[i + 1] : t.block };
      });
      copies[i].insts.push(copy);
    }
    tail[i].frequency -= tail[i].frequency * share;
  });
  return copies.slice(1);
}

/** Still without instructions. */
function copyOf({ frequency, loopDepth }: MBlock, id: number, share: number): MBlock {
  const copy = new MBlock(id);
  copy.loopDepth = loopDepth;
  copy.frequency = frequency * share;
  return copy;
}
