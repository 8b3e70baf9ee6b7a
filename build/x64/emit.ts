// Emission: allocated machine IR to bytes. Fixed frame, one prologue, trap stubs behind it.
//
// Requires: every operand has a location, block parameters are gone, blocks in their final order. Guarantees: the frame's shape is the one that
// docs/abi.md §2 describes, so that a table is enough to unwind; every instruction that may fault on purpose has a trap site.

import { countMade } from '../heap.ts';
import type { Sig, TrapName } from '../ir/ir.ts';
import { LOOP_ALIGN } from './align.ts';
import type { Code } from './asm.ts';
import { controlRules } from './emit-control.ts';
import { convertRules } from './emit-convert.ts';
import { floatRules } from './emit-float.ts';
import { integerRules } from './emit-integer.ts';
import { memoryRules } from './emit-memory.ts';
import { type EmitOptions, Emitter, type FrameState, type JumpTable } from './emitter.ts';
import { type MBlock, type MInst, R10, R11, RSP } from './mir.ts';
import type { Selected } from './select.ts';

export interface EmittedFunction {
  name: string;
  code: Uint8Array;
  relocs: Code['relocs'];
  /** Byte offsets within the function. */
  traps: { offset: number; kind: TrapName }[];
  /** Code offset → offset in the Wasm file. */
  /** `stops`: offsets that a back trace may ask for, the first and the last; none: it does not meet this code. */
  lines: { offset: number; loc: number; stops: number[] }[];
  /** Entry i of a table is its label's offset within the function. */
  tables: { symbol: string; offsets: number[] }[];
  frame: number;
  /** How the frame is built up and taken down, if that was asked for. */
  frames: FrameState[];
  /** Callee-saved registers in the order they are pushed. */
  saved: readonly number[];
  calls: Callee[];
  popped: number;
  usesFloat: boolean;
  /** Of the function's start. */
  align: number;
  /** Where each machine instruction begins, if that was asked for; without one: what stands behind the blocks. */
  insts?: { offset: number; inst: MInst | undefined }[];
  /** The same for debugging information, with what stands behind the blocks. */
  steps: Step[];
  /** Of the spill slots, from the end of the stack arguments. */
  slots: number;
}

export interface Step {
  offset: number;
  inst: MInst;
  /** It goes on here, out of line. */
  cold: boolean;
}

/** Of a call: the symbol; for one by a reference the function's type. */
export type Callee = string | Sig;

/** How each machine instruction is encoded. `next` is the block that follows in the code. */
export type Rule = (e: Emitter, m: MInst, next: MBlock | undefined) => void;

const RULES: Record<string, Rule> = {
  ...integerRules,
  ...memoryRules,
  ...floatRules,
  ...convertRules,
  ...controlRules,
};

const FUNCTION_ALIGN = 16;
const PAGE = 4096;
/** Above this many pages the prologue's stack probes are a loop. */
const UNROLLED_PROBES_MAX = 16;

export function emit(selected: Selected, options: EmitOptions): EmittedFunction {
  const e = new Emitter(selected, options);
  const order = e.func.blocks;
  emitPrologue(e);
  for (let i = 0; i < order.length; i++) emitBlock(e, order[i], order[i + 1]);
  if (options.trace) e.insts.push({ mark: e.asm.mark(), inst: undefined });
  e.emitCold();
  const done = e.asm.finish();
  return {
    name: e.func.name,
    code: done.code,
    relocs: done.relocs,
    traps: e.traps.map((t) => ({ offset: done.offsetOf(t.mark), kind: t.kind })),
    lines: e.lines.map(({ mark, loc, stops }) => ({
      offset: done.offsetOf(mark),
      loc,
      stops: stops.map((stop) => done.offsetOf(stop.mark) + stop.at),
    })),
    tables: e.tables.map((t: JumpTable) => ({
      symbol: t.symbol,
      offsets: t.labels.map((l) => done.offsetOf(l)),
    })),
    frame: e.frame,
    frames: e.frames.map(({ mark, at, ...state }) => ({ ...state, offset: done.offsetOf(mark) + at })),
    saved: e.saved,
    calls: callees(order),
    popped: options.popped,
    steps: e.steps.map(({ mark, ...step }) => ({ ...step, offset: done.offsetOf(mark) })),
    slots: e.slotBase - (e.frame + 8 + options.popped),
    insts: options.trace ? e.insts.map((i) => ({ offset: done.offsetOf(i.mark), inst: i.inst })) : undefined,
    usesFloat: e.func.usedRegs >>> 16 !== 0,
    align: e.func.aligned ? LOOP_ALIGN : options.cold ? 1 : FUNCTION_ALIGN,
  };
}

function callees(blocks: readonly MBlock[]): Callee[] {
  const calls = blocks.flatMap((b) => b.insts.filter((m) => m.op === 'call' || m.op === 'tailcall'));
  return calls.map(({ data }) => data.sym ?? (data.sig as Sig));
}

function emitBlock(e: Emitter, block: MBlock, next: MBlock | undefined): void {
  if (block.aligned) e.asm.align(LOOP_ALIGN);
  e.asm.bind(e.label(block));
  e.forgetFlags();
  for (const m of block.insts) {
    if (e.options.trace) e.insts.push({ mark: e.asm.mark(), inst: m });
    countMade();
    e.step(m, false);
    e.at(m.loc);
    const rule = RULES[m.op];
    if (!rule) throw new Error(`emit: no rule for ${m.op}`);
    rule(e, m, next);
    e.afterInstruction(m);
  }
}

function emitPrologue(e: Emitter): void {
  const a = e.asm;
  for (const [i, r] of e.saved.entries()) {
    a.push(r);
    e.frameIs(8 * (i + 1), i + 1);
  }
  if (e.locals > PAGE) probeStack(e);
  if (e.locals === 0) return;
  a.aluImm('sub', 8, RSP, e.locals);
  e.frameIs();
}

/** Touches every page of a large frame in order, so that an overflow meets the guard page and not what lies below. */
function probeStack(e: Emitter): void {
  const a = e.asm;
  const pages = Math.floor(e.locals / PAGE);
  if (pages <= UNROLLED_PROBES_MAX) {
    for (let i = 1; i <= pages; i++) a.aluImm('or', 4, e.stack(-i * PAGE), 0);
    return;
  }
  const loop = a.newLabel();
  a.lea(8, R10, e.stack(-pages * PAGE));
  a.mov(8, R11, RSP);
  a.bind(loop);
  a.aluImm('sub', 8, R11, PAGE);
  a.aluImm('or', 4, { base: R11, index: -1, scale: 1, disp: 0 }, 0);
  a.alu('cmp', 8, R11, R10);
  a.jcc('a', loop);
}
