// Inlining, where it leaves no trace in what a trap reports. Two kinds of calls:
//
// - of small functions that cannot trap and call nothing. Their instructions take the call's place in the Wasm file:
//   they are an operator of the caller now;
// - hosted, of a small function to itself, once at each call. A trap in the copy has the same function, line and
//   kind. Half of the calls are gone; recursion without an end still exhausts the stack.
//
// Requires contiguous loops and leaves them. Whoever is inlined has no tail calls (they would need a frame less than
// there is) and at most one result.

import { cloneBlocks } from '../ir/clone.ts';
import { type Block, effectsOf, type Func, type Inst } from '../ir/ir.ts';
import { arrangeLoops } from '../ir/loops.ts';
import { Replacements, removeTrivialParams } from '../ir/params.ts';

export interface Inlining {
  /** The IR of a function of the module, undefined if it is imported or not small. */
  callee(index: number): Func | undefined;
  /** Whether a function may be inlined into itself: frames of a back trace are lost. */
  recursion: boolean;
}

/** In instructions, constants left out. */
const LEAF_SIZE_MAX = 12;
const RECURSIVE_SIZE_MAX = 40;
/** What a function may grow to by its own copies: a few rounds of small ones (fib: 4), one of the largest. */
const UNROLLED_SIZE_MAX = 320;

type BodyFor = (call: Inst) => Block[] | undefined;

export function inlineCalls(func: Func, inlining: Inlining): void {
  const own = inlining.recursion ? recursiveBody(func) : undefined;
  const isOwn = (call: Inst) => call.index === func.index;
  expandCalls(func, (call) => (isOwn(call) ? undefined : leafBody(inlining.callee(call.index))));
  if (!own) return;
  const calls = own.flatMap((b) => b.insts.filter((i) => i.op === 'call' && isOwn(i))).length;
  let added = calls * sizeOf(own);
  for (let size = sizeOf(own) + added; size <= UNROLLED_SIZE_MAX; size += added) {
    expandCalls(func, (call) => (isOwn(call) ? own : undefined));
    added *= calls;
    if (calls === 1) break;
  }
}

/** Puts a body in the place of each call that there is one for. */
function expandCalls(func: Func, bodyFor: BodyFor): void {
  const bodyOf = (inst: Inst) => (isCandidate(inst) ? bodyFor(inst) : undefined);
  if (!func.blocks.some((b) => b.insts.some((i) => bodyOf(i)))) return;
  const replaced = new Replacements(func.nextValue);
  // What has been inlined is not looked at again: it is in `done` already.
  const done: Block[] = [];
  for (const first of func.blocks) {
    let block = first;
    for (let at = 0; at < block.insts.length; at++) {
      const call = block.insts[at];
      const body = bodyOf(call);
      if (!body) continue;
      const rest = split(func, block, at);
      const copies = expand(func, block, call, body, rest, call.index !== func.index);
      if (call.type !== 'none') replaced.set(call, rest.params[0]);
      done.push(block, ...copies);
      block = rest;
      at = -1;
    }
    done.push(block);
  }
  func.blocks = done;
  replaced.rewrite(func);
  arrangeLoops(func);
  removeTrivialParams(func);
}

function isCandidate({ op, sig }: Inst): boolean {
  return op === 'call' && sig!.results.length <= 1;
}

function sizeOf(blocks: Block[]): number {
  let size = 0;
  for (const { insts } of blocks) for (const { op } of insts) if (op !== 'const') size++;
  return size;
}

/** A copy of the blocks of `func` as they are now, if it may be inlined into itself. */
function recursiveBody(func: Func): Block[] | undefined {
  const { blocks } = func;
  const recursive = (i: Inst) => i.op === 'call' && i.index === func.index;
  if (func.sig.results.length > 1 || !blocks.some((b) => b.insts.some(recursive))) return undefined;
  if (blocks.some((b) => isTailCall(b.terminator)) || sizeOf(blocks) > RECURSIVE_SIZE_MAX) return undefined;
  const copy = cloneBlocks(func, blocks, blocks[0].params);
  copy[0].params = blocks[0].params;
  return copy;
}

function isTailCall({ op }: Inst): boolean {
  return op === 'tailcall' || op === 'tailcallref';
}

function leafBody(callee: Func | undefined): Block[] | undefined {
  const fits = callee && sizeOf(callee.blocks) <= LEAF_SIZE_MAX && callee.blocks.every(isHarmless);
  return fits ? callee.blocks : undefined;
}

/** Cannot trap, is no call, and is in no loop: one may run for ever, and who asks where should see the function. */
function isHarmless({ insts, terminator, loopDepth }: Block): boolean {
  if (loopDepth > 0 || !['return', 'jump', 'br'].includes(terminator.op)) return false;
  return insts.every((i) => i === terminator || (i.op !== 'fence' && !effectsOf(i).traps));
}

/** Moves what comes after the call at `at` to a block of its own, whose parameter is the call's result. */
function split(func: Func, block: Block, at: number): Block {
  const rest = func.newBlock();
  rest.loopDepth = block.loopDepth;
  const call = block.insts[at];
  if (call.type !== 'none') func.addParam(rest, call.type);
  rest.insts = block.insts.splice(at).slice(1);
  for (const inst of rest.insts) inst.block = rest;
  return rest;
}

/** Ends `block` with a copy of `body` that goes on at `rest`; returns the copy's other blocks. */
function expand(
  func: Func,
  block: Block,
  call: Inst,
  body: Block[],
  rest: Block,
  relocate: boolean,
): Block[] {
  const copies = cloneBlocks(func, body, call.args);
  for (const copy of copies) {
    copy.loopDepth += block.loopDepth;
    if (relocate) for (const inst of copy.insts) inst.loc = call.loc;
    const t = copy.terminator;
    if (t.op !== 'return') continue;
    t.targets = [{ block: rest, args: t.args }];
    t.op = 'jump';
    t.args = [];
  }
  for (const inst of copies[0].insts) {
    inst.block = block;
    block.insts.push(inst);
  }
  return copies.slice(1);
}
