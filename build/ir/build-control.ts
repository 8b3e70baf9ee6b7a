// Blocks, loops, ifs and branches. A construct's join block is made by the first branch to it; without one the code
// simply goes on in the same block. Loop headers stay unsealed until the loop's end, where the last branch back is known.

import { skipImmediates } from '../wasm/operators.ts';
import { blockType } from '../wasm/types.ts';
import type { FuncBuilder } from './build.ts';
import type { Edge, Inst, Sig } from './ir.ts';
import type { Construct, SsaBlock } from './ssa.ts';

/** An open construct. */
export interface Frame {
  kind: 'function' | 'block' | 'loop' | 'if';
  sig: Sig;
  /** Height of the stack below the construct's parameters. */
  height: number;
  construct: Construct;
  /** Where its end continues, if anything branches there. */
  join?: SsaBlock;
  /** loop: where branches to it go. */
  header?: SsaBlock;
  /** if: the block of the else, not begun yet, and its parameters. */
  orElse?: { block: SsaBlock; params: Inst[] };
}

export function enterFunction(b: FuncBuilder): void {
  const { sig } = b.e.func;
  const construct = { before: b.ssa.current, start: b.reader.pos, end: b.reader.end };
  b.frames.push({ kind: 'function', sig: { params: [], results: sig.results }, height: 0, construct });
}

export function buildControl(b: FuncBuilder, opcode: number): void {
  switch (opcode) {
    case 0x00:
      b.e.trap('unreachable');
      break;
    case 0x01: // nop
      break;
    case 0x02:
      openFrame(b, 'block');
      break;
    case 0x03:
      openLoop(b);
      break;
    case 0x04:
      openIf(b);
      break;
    case 0x05:
      buildElse(b);
      break;
    case 0x0b:
      buildEnd(b);
      break;
    case 0x0c:
      branch(b, b.reader.u32());
      break;
    case 0x0d:
      branchIf(b, b.reader.u32());
      break;
    case 0x0e:
      branchTable(b);
      break;
    case 0x0f:
      b.e.return(b.top(b.e.func.sig.results.length));
      break;
  }
}

/** Code that cannot be reached is not translated: only its nesting is followed. */
export function skipDead(b: FuncBuilder, opcode: number): void {
  if (b.deadDepth === 0 && (opcode === 0x05 || opcode === 0x0b)) {
    buildControl(b, opcode);
    return;
  }
  if (opcode >= 0x02 && opcode <= 0x04) b.deadDepth++;
  else if (opcode === 0x0b) b.deadDepth--;
  skipImmediates(b.reader, opcode);
}

function openFrame(b: FuncBuilder, kind: Frame['kind']): Frame {
  const start = b.e.loc;
  const sig = b.signature(blockType(b.reader));
  const height = b.stack.length - sig.params.length;
  const frame: Frame = {
    kind,
    sig,
    height,
    construct: { before: b.ssa.current, start, end: b.ends.get(start) ?? start },
  };
  b.frames.push(frame);
  return frame;
}

function openLoop(b: FuncBuilder): void {
  const frame = openFrame(b, 'loop');
  const header = b.ssa.newBlock(false, frame.construct);
  frame.header = header;
  const params = frame.sig.params.map((type) => b.e.func.addParam(header.block, type));
  b.e.jump(b.ssa.edgeTo(header, b.popMany(params.length)));
  b.ssa.start(header);
  for (const p of params) b.push(p);
}

function openIf(b: FuncBuilder): void {
  const condition = b.pop();
  const frame = openFrame(b, 'if');
  const params = b.top(frame.sig.params.length);
  const then = b.ssa.newBlock(true);
  const hasElse = b.ends.has(frame.construct.start);
  const orElse = hasElse ? b.ssa.newBlock(true) : joinOf(b, frame);
  if (hasElse) frame.orElse = { block: orElse, params };
  b.e.branch(condition, b.ssa.edgeTo(then, []), b.ssa.edgeTo(orElse, hasElse ? [] : [...params]));
  b.ssa.start(then);
}

function buildElse(b: FuncBuilder): void {
  const frame = b.frames[b.frames.length - 1];
  const { block, params } = frame.orElse!;
  if (b.e.block) b.e.jump(b.ssa.edgeTo(joinOf(b, frame), b.top(frame.sig.results.length)));
  b.stack.length = frame.height;
  for (const p of params) b.push(p);
  b.ssa.start(block);
}

function buildEnd(b: FuncBuilder): void {
  const frame = b.frames.pop()!;
  const { join, header } = frame;
  let results = b.e.block ? b.top(frame.sig.results.length) : [];
  frame.construct.end = b.e.loc;
  if (header) b.ssa.seal(header);
  if (join) {
    if (b.e.block) b.e.jump(b.ssa.edgeTo(join, results));
    b.ssa.seal(join);
    b.ssa.start(join);
    results = join.block.params.slice(0, frame.sig.results.length);
  }
  b.stack.length = frame.height;
  if (!b.e.block) return;
  if (frame.kind === 'function') b.e.return(results);
  else for (const v of results) b.push(v);
}

/** The block after the construct. */
function joinOf(b: FuncBuilder, frame: Frame): SsaBlock {
  if (!frame.join) {
    frame.join = b.ssa.newBlock(false, frame.construct);
    for (const type of frame.sig.results) b.e.func.addParam(frame.join.block, type);
  }
  return frame.join;
}

/** An edge to label `depth`, with its values from the top of the stack. */
function labelEdge(b: FuncBuilder, depth: number): Edge {
  const frame = b.frames[b.frames.length - 1 - depth];
  const arity = frame.header ? frame.sig.params.length : frame.sig.results.length;
  return b.ssa.edgeTo(frame.header ?? joinOf(b, frame), b.top(arity));
}

function branch(b: FuncBuilder, depth: number): void {
  if (depth === b.frames.length - 1) b.e.return(b.top(b.e.func.sig.results.length));
  else b.e.jump(labelEdge(b, depth));
}

function branchIf(b: FuncBuilder, depth: number): void {
  const condition = b.pop();
  const taken = labelEdge(b, depth);
  const next = b.ssa.newBlock(true);
  b.e.branch(condition, taken, b.ssa.edgeTo(next, []));
  b.ssa.start(next);
}

function branchTable(b: FuncBuilder): void {
  const index = b.pop();
  const edges: Edge[] = [];
  for (let n = b.reader.u32() + 1; n > 0; n--) edges.push(labelEdge(b, b.reader.u32()));
  b.e.emit('switch', 'none', [index]).targets = edges;
  b.e.block = undefined;
}
