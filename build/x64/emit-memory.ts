// Encoding of loads, stores, read-modify-write and atomics.

import type { Mem } from './asm.ts';
import type { Rule } from './emit.ts';
import type { Emitter } from './emitter.ts';
import { type MInst, type MMem, RAX } from './mir.ts';
import type { Piece } from './select-block.ts';

type Width = 1 | 2 | 4 | 8;
const widthOf = (m: MInst): Width => m.data.width as Width;
/** The operand size of arithmetic on a value of this width. */
const wordOf = (width: Width): 4 | 8 => (width === 8 ? 8 : 4);
type Alu = 'add' | 'sub' | 'and' | 'or' | 'xor';

export const memoryRules: Record<string, Rule> = {
  load(e, m) {
    const size = m.data.size as 4 | 8;
    e.asm.load(e.reg(m, 0), e.mem(m), widthOf(m), m.data.signed === true, size);
  },
  store(e, m) {
    const value = e.reg(m, 0);
    e.asm.store(e.mem(m), value, widthOf(m));
  },
  /** All of the block is read before any of it is written. */
  copyblock(e, m) {
    const { from, to, pieces } = m.data as { from: MMem; to: MMem; pieces: Piece[] };
    const part = (mem: MMem, at: number): Mem => e.access(m, { ...mem, disp: mem.disp + at });
    pieces.forEach(({ at, width }, i) => {
      if (width === 16) e.asm.sse('movups', e.reg(m, i), part(from, at));
      else e.asm.load(e.reg(m, i), part(from, at), width, false, wordOf(width));
    });
    pieces.forEach(({ at, width }, i) => {
      if (width === 16) e.asm.sseStore('movups', part(to, at), e.reg(m, i));
      else e.asm.store(part(to, at), e.reg(m, i), width);
    });
  },
  storeimm(e, m) {
    e.asm.storeImm(e.mem(m), truncateImmediate(m.data.imm as number, widthOf(m)), widthOf(m));
  },
  /** An arithmetic instruction with a memory destination. */
  alumem(e, m) {
    const alu = m.data.alu as Alu;
    const width = widthOf(m) as 4 | 8;
    if (m.data.imm !== undefined) e.asm.aluImm(alu, width, e.mem(m), m.data.imm as number);
    else e.asm.aluMem(alu, width, e.mem(m), e.reg(m, 0));
  },
  // An xchg with memory is locked by itself (Intel SDM 3A 9.1.2.1).
  xchgmem(e, m) {
    const value = e.reg(m, 0);
    e.asm.xchg(widthOf(m), e.mem(m), value);
    zeroExtend(e, value, widthOf(m));
  },
  xadd(e, m) {
    const value = e.reg(m, 0);
    if (m.data.negate) e.asm.unary('neg', wordOf(widthOf(m)), value);
    const mem = e.mem(m);
    e.asm.lock();
    e.asm.xadd(widthOf(m), mem, value);
    zeroExtend(e, value, widthOf(m));
  },
  cmpxchg: emitCompareExchange,
  rmwloop(e, m) {
    const a = e.asm;
    const width = widthOf(m);
    const [operand, next] = [e.reg(m, 1), e.reg(m, 2)];
    const again = a.newLabel();
    a.load(RAX, e.mem(m), width, false, wordOf(width));
    a.bind(again);
    a.mov(wordOf(width), next, RAX);
    a.alu(m.data.alu as Alu, wordOf(width), next, operand);
    const mem = e.mem(m);
    a.lock();
    a.cmpxchg(width, mem, next);
    a.jcc('ne', again);
    zeroExtend(e, RAX, width);
  },
};

/** Only the low `width` bytes of the expected value count (threads proposal, atomic.rmwN.cmpxchg_u wraps it). */
function emitCompareExchange(e: Emitter, m: MInst): void {
  const width = widthOf(m);
  const replacement = e.reg(m, 2);
  const mem = e.mem(m);
  e.asm.lock();
  e.asm.cmpxchg(width, mem, replacement);
  zeroExtend(e, RAX, width);
}

function zeroExtend(e: Emitter, reg: number, width: Width): void {
  if (width === 1 || width === 2) e.asm.movzx(reg, reg, width);
  else if (width === 4) e.asm.mov(4, reg, reg);
}

function truncateImmediate(imm: number, width: Width): number {
  if (width === 1) return (imm << 24) >> 24;
  if (width === 2) return (imm << 16) >> 16;
  return imm;
}
