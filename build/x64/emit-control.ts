// Encoding of jumps, calls, returns, tail calls, jump tables, traps and machine intrinsics.

import type { TrapName } from '../ir/ir.ts';
import type { Cond as AsmCond, Mem } from './asm.ts';
import type { Rule } from './emit.ts';
import type { Emitter } from './emitter.ts';
import { INTRINSICS, type Instruction } from './intrinsics.ts';
import { type MBlock, type MInst, R10, R11, RAX, RSP } from './mir.ts';
import { type Cond, type FlagsSpec, invert } from './select-integer.ts';

export const controlRules: Record<string, Rule> = {
  entry() {
    // The convention's registers hold the parameters already.
  },
  loadarg(e, m) {
    loadSlot(e, m, e.incoming(m.data.offset as number));
  },
  storearg(e, m) {
    const at = e.stack(m.data.offset as number);
    if (m.data.imm !== undefined) e.asm.storeImm(at, m.data.imm as number, 8);
    else if (m.data.cls === 'float') e.asm.sseStore(m.data.size === 4 ? 'movss' : 'movsd', at, e.reg(m, 0));
    else e.asm.store(at, e.reg(m, 0), 8);
  },
  learesults(e, m) {
    e.asm.lea(8, e.reg(m, 0), e.stack(e.resultBase));
  },
  loadresult(e, m) {
    loadSlot(e, m, e.stack(e.resultBase + (m.data.offset as number)));
  },
  call(e, m) {
    if (m.data.sym !== undefined) e.asm.callSym(m.data.sym);
    else e.asm.callRm(descriptorCode());
    e.stopsBefore();
    // The callee popped its stack arguments: put rsp back where the frame's offsets count from.
    const popped = (m.data.popped as number | undefined) ?? 0;
    if (popped === 0) return;
    e.frameIsAfterCall(popped);
    e.asm.aluImm('sub', 8, RSP, popped);
    e.frameIs();
  },
  ret(e) {
    restoreFrame(e);
    e.asm.ret(e.options.popped);
    e.frameIs(); // of what follows
  },
  tailcall: emitTailCall,
  jmp(e, m, next) {
    if (m.targets[0].block !== next) e.asm.jmp(e.label(m.targets[0].block));
  },
  br: emitBranch,
  switchchain(e, m, next) {
    const index = e.reg(m, 0);
    const last = m.targets.length - 1;
    for (let i = 0; i < last; i++) {
      if (i === 0) e.asm.test(4, index, index);
      else e.asm.aluImm('cmp', 4, index, i);
      e.asm.jcc('e', e.label(m.targets[i].block));
    }
    if (m.targets[last].block !== next) e.asm.jmp(e.label(m.targets[last].block));
  },
  switchtable: emitJumpTable,
  trap(e, m) {
    e.trapSite(m.data.trap as TrapName);
    e.asm.ud2();
  },
  trapif(e, m) {
    e.setFlags(m);
    e.jumpIf(m.data.cond as Cond, e.trapLabel(m, m.data.trap as TrapName));
  },
  x86(e, m) {
    e.stopsHere();
    const spec = INTRINSICS[m.data.x86 as string] as Instruction;
    spec.emit(
      e.asm,
      m.ops.map((_, i) => e.reg(m, i)),
    );
  },
};

/** The code pointer of the descriptor in rax. */
function descriptorCode(): Mem {
  return { base: RAX, index: -1, scale: 1, disp: 0 };
}

function loadSlot(e: Emitter, m: MInst, at: Mem): void {
  const size = m.data.size as 4 | 8;
  if (m.data.cls === 'float') e.asm.sse(size === 4 ? 'movss' : 'movsd', e.reg(m, 0), at);
  else e.asm.load(e.reg(m, 0), at, size, false, size);
}

function restoreFrame(e: Emitter): void {
  const { saved } = e;
  if (e.locals > 0) {
    e.asm.aluImm('add', 8, RSP, e.locals);
    e.frameIs(8 * saved.length);
  }
  for (let i = saved.length - 1; i >= 0; i--) {
    e.asm.pop(saved[i]);
    e.frameIs(8 * i, i);
  }
}

function emitBranch(e: Emitter, m: MInst, next: MBlock | undefined): void {
  const [yes, no] = m.targets;
  const cond = m.data.cond as Cond;
  if (yes.block === no.block) {
    if ((m.data.flags as FlagsSpec).mem) e.setFlags(m); // the load may trap
    if (yes.block !== next) e.asm.jmp(e.label(yes.block));
    return;
  }
  e.setFlags(m);
  // Where neither falls through, the one that is taken more often has only the branch.
  const inverted = yes.block === next || (no.block !== next && (no.frequency ?? 0) > (yes.frequency ?? 0));
  const [first, second] = inverted ? [no.block, yes.block] : [yes.block, no.block];
  e.jumpIf(inverted ? invert(cond) : cond, e.label(first));
  if (second !== next) e.asm.jmp(e.label(second));
}

/** A table of 32-bit distances from the table itself, so that the code needs no absolute addresses. */
function emitJumpTable(e: Emitter, m: MInst): void {
  const a = e.asm;
  const [index, base, entry] = [e.reg(m, 0), e.reg(m, 1), e.reg(m, 2)];
  const last = m.targets.length - 1;
  const symbol = e.jumpTable(m);
  a.aluImm('cmp', 4, index, last);
  a.jcc('ae' as AsmCond, e.label(m.targets[last].block));
  a.lea(8, base, { base: -1, index: -1, scale: 1, disp: 0, sym: symbol });
  a.load(entry, { base, index, scale: 4, disp: 0 }, 4, true, 8);
  a.alu('add', 8, entry, base);
  a.jmpRm(entry);
}

/** Leaves this function's frame and jumps. The callee's stack arguments, at the bottom of the frame now, move up to end
 * where this function's own did; the return address goes below them (docs/abi.md §2). */
function emitTailCall(e: Emitter, m: MInst): void {
  const a = e.asm;
  const bytes = (m.data.popped as number | undefined) ?? 0;
  if (bytes === 0 && e.options.popped === 0) {
    restoreFrame(e);
  } else {
    const target = e.frame + e.options.popped - bytes;
    a.load(R10, e.stack(e.frame), 8, false, 8);
    // Saved registers lie from `locals` upwards, the last one pushed lowest.
    for (let i = 0; i < e.saved.length; i++) {
      a.load(e.saved[i], e.stack(e.locals + 8 * (e.saved.length - 1 - i)), 8, false, 8);
    }
    e.frameIs(e.frame, 0, R10);
    // Upwards, so the highest first: nothing is overwritten before it is copied.
    for (let at = bytes - 8; at >= 0; at -= 8) {
      a.load(R11, e.stack(at), 8, false, 8);
      a.store(e.stack(target + 8 + at), R11, 8);
    }
    a.store(e.stack(target), R10, 8);
    a.aluImm('add', 8, RSP, target);
    e.frameIs(e.frame - target, 0, R10);
  }
  if (m.data.sym !== undefined) a.jmpSym(m.data.sym);
  else a.jmpRm(descriptorCode());
  e.frameIs(); // of what follows
}
