// Natural loops: sets every block's loopDepth and puts the blocks in an order in which each loop is contiguous. Blocks
// keep their relative order otherwise; what a loop only leads out to comes after it.
// Requires: the layout invariant of ir/verify.ts, so that an edge that does not lead forwards leads to a loop's header.

import { type Block, computePreds, type Func } from './ir.ts';

/** A loop, or the whole function (without a header). */
interface Loop {
  header: Block | undefined;
  parent: Loop | undefined;
  /** A loop around it, if one has been found: leads to the outermost one that is known. */
  around: Loop | undefined;
  depth: number;
  /** Blocks directly in it and inner loops, in layout order. */
  items: (Block | Loop)[];
}

/** Position of each block in the layout, by block id. */
export function layoutPositions(func: Func): Int32Array {
  const position = new Int32Array(func.nextBlock);
  func.blocks.forEach((b, i) => {
    position[b.id] = i;
  });
  return position;
}

export function arrangeLoops(func: Func): void {
  if (func.blocks.length === 1) return;
  computePreds(func);
  const root: Loop = { header: undefined, parent: undefined, around: undefined, depth: 0, items: [] };
  const inner = innermostLoops(func, root);
  for (const b of func.blocks) {
    const loop = inner[b.id] ?? root;
    b.loopDepth = loop.depth;
    if (loop.header === b) loop.parent!.items.push(loop);
    loop.items.push(b);
  }
  if (inner.length > 0) func.blocks = flatten(root);
}

/** The innermost loop of each block by id. Headers are visited from the last to the first: inner loops before outer ones. */
function innermostLoops(func: Func, root: Loop): (Loop | undefined)[] {
  const position = layoutPositions(func);
  const inner: (Loop | undefined)[] = [];
  const loops: Loop[] = [];
  for (let i = func.blocks.length - 1; i >= 0; i--) {
    const header = func.blocks[i];
    const latches = header.preds.filter((p) => position[p.id] >= i);
    if (latches.length === 0) continue;
    const loop: Loop = { header, parent: root, around: undefined, depth: 0, items: [] };
    loops.push(loop);
    collect(loop, latches, inner);
  }
  for (let i = loops.length - 1; i >= 0; i--) loops[i].depth = loops[i].parent!.depth + 1;
  return inner;
}

/** Walks backwards from the latches to the header. A loop found before is stepped over as a whole. */
function collect(loop: Loop, latches: Block[], inner: (Loop | undefined)[]): void {
  const header = loop.header!;
  const work = [...latches];
  while (work.length > 0) {
    const b = work.pop()!;
    const known = outermost(inner[b.id]);
    if (known === loop) continue;
    if (known) {
      known.parent = loop;
      known.around = loop;
    } else inner[b.id] = loop;
    const entry = known?.header ?? b;
    if (entry !== header) for (const p of entry.preds) work.push(p);
  }
  inner[header.id] ??= loop;
}

/** The outermost loop around that has been found; shortens the way there. */
function outermost(from: Loop | undefined): Loop | undefined {
  let loop = from;
  while (loop?.around) {
    loop.around = loop.around.around ?? loop.around;
    loop = loop.around;
  }
  return loop;
}

function flatten(root: Loop): Block[] {
  const order: Block[] = [];
  const stack = [{ items: root.items, next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top.next === top.items.length) {
      stack.pop();
      continue;
    }
    const item = top.items[top.next++];
    if ('items' in item) stack.push({ items: item.items, next: 0 });
    else order.push(item);
  }
  return order;
}
