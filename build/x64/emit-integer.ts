// Encoding of moves, integer arithmetic and conditions.

import type { Cond as AsmCond, Mem, RM } from './asm.ts';
import type { Rule } from './emit.ts';
import { type Emitter, XMM_SCRATCH } from './emitter.ts';
import { type MInst, RDX, SLOT0 } from './mir.ts';
import type { Cond } from './select-integer.ts';

type Size = 4 | 8;
const sizeOf = (m: MInst): Size => m.data.size as Size;
const isReg = (x: RM): x is number => typeof x === 'number';

export const integerRules: Record<string, Rule> = {
  mov(e, m) {
    move(e, m.ops[0].loc, m.ops[1].loc, sizeOf(m));
  },
  xchg(e, m) {
    exchange(e, m.ops[0].loc, m.ops[1].loc);
  },
  movimm(e, m) {
    const imm = m.data.imm as number | bigint;
    const to = e.reg(m, 0);
    // Flags never live from one machine instruction to the next, so xor is free to clear the register.
    if (BigInt(imm) === 0n) e.asm.alu('xor', 4, to, to);
    else e.asm.movImm(to, imm, sizeOf(m));
  },
  mov32(e, m) {
    e.asm.mov(4, e.reg(m, 0), e.reg(m, 1));
  },
  movzx(e, m) {
    e.asm.movzx(e.reg(m, 0), e.reg(m, 1), m.data.width as 1 | 2);
  },
  movsx(e, m) {
    e.asm.movsx(e.reg(m, 0), e.reg(m, 1), m.data.width as 1 | 2 | 4, sizeOf(m));
  },
  lea: emitLea,
  alu(e, m) {
    const alu = m.data.alu as 'add';
    if (m.data.imm !== undefined) e.asm.aluImm(alu, sizeOf(m), e.reg(m, 0), m.data.imm as number);
    else e.asm.alu(alu, sizeOf(m), e.reg(m, 0), e.source(m, 2));
    e.claimFlags(e.reg(m, 0), sizeOf(m));
  },
  unary(e, m) {
    e.asm.unary(m.data.unary as 'not', sizeOf(m), e.reg(m, 0));
  },
  imul(e, m) {
    e.asm.imul(sizeOf(m), e.reg(m, 0), e.source(m, 2));
  },
  imulimm(e, m) {
    e.asm.imulImm(sizeOf(m), e.reg(m, 0), e.rm(m, 1), m.data.imm as number);
  },
  mulhigh(e, m) {
    e.asm.unary(m.data.signed ? 'imul' : 'mul', sizeOf(m), e.rm(m, 2));
  },
  shift(e, m) {
    const count = m.data.imm === undefined ? 'cl' : (m.data.imm as number);
    if (count !== 0) e.asm.shift(m.data.shift as 'shl', sizeOf(m), e.reg(m, 0), count);
    else if (sizeOf(m) === 4) e.asm.mov(4, e.reg(m, 0), e.reg(m, 0));
  },
  div: emitDivision,
  // An input of 0 leaves the destination as it is: what AMD documents for bsf and bsr, and newer editions of Intel's
  // manual too; all their processors do so. Of 32 bits the upper half may become zero, which it is already.
  clz(e, m) {
    const bits = sizeOf(m) * 8;
    const [d, s] = [e.reg(m, 0), e.reg(m, 1)];
    e.asm.movImm(d, 2 * bits - 1, 4);
    e.asm.bsr(sizeOf(m), d, s);
    e.asm.aluImm('xor', 4, d, bits - 1);
  },
  ctz(e, m) {
    const [d, s] = [e.reg(m, 0), e.reg(m, 1)];
    e.asm.movImm(d, sizeOf(m) * 8, 4);
    e.asm.tzcnt(sizeOf(m), d, s); // to a processor without tzcnt this is bsf; with it, it is several times faster
  },
  popcnt(e, m) {
    e.asm.popcnt(sizeOf(m), e.reg(m, 0), e.rm(m, 1));
  },
  setcc(e, m) {
    setCondition(e, m, m.data.cond as Cond);
  },
  cmov(e, m) {
    e.setFlags(m);
    const cond = m.data.cond as Cond;
    const [d, other] = [e.reg(m, 0), e.rm(m, 2)];
    if (cond === 'ne_p') {
      e.asm.cmov('ne', sizeOf(m), d, other);
      e.asm.cmov('p', sizeOf(m), d, other);
    } else {
      e.asm.cmov(cond as AsmCond, sizeOf(m), d, other);
    }
  },
};

/** Between any two locations of one class. Slots are written whole: an i32 has a zero upper half there too. */
function move(e: Emitter, toLoc: number, fromLoc: number, size: Size): void {
  if (toLoc === fromLoc) return;
  const [to, from] = [e.locOperand(toLoc), e.locOperand(fromLoc)];
  const a = e.asm;
  if (isReg(to) && to >= 16) {
    if (isReg(from)) a.sse('movaps', to, from);
    else a.sse('movsd', to, from);
  } else if (isReg(from) && from >= 16) {
    a.sseStore('movsd', to as Mem, from);
  } else if (isReg(to)) {
    if (isReg(from)) a.mov(size, to, from);
    else a.load(to, from, size, false, size);
  } else if (isReg(from)) {
    a.store(to, from, 8);
  } else {
    // push reads before it moves rsp, pop addresses after it has moved rsp back (Intel SDM 2B, POP).
    a.push(from);
    a.pop(to);
  }
}

function exchange(e: Emitter, x: number, y: number): void {
  const a = e.asm;
  if (x >= 16 && x < SLOT0) {
    a.sse('movaps', XMM_SCRATCH, x);
    a.sse('movaps', x, y);
    a.sse('movaps', y, XMM_SCRATCH);
    return;
  }
  const [p, q] = [e.locOperand(x), e.locOperand(y)];
  if (isReg(p)) a.xchg(8, q, p);
  else if (isReg(q)) a.xchg(8, p, q);
  else {
    a.push(p);
    a.push({ ...q, disp: q.disp + 8 });
    a.pop({ ...p, disp: p.disp + 8 });
    a.pop(q);
  }
}

/** 128 does not fit in a byte with a sign, -128 does. The zero and sign flags are the result's either way. */
function addImmediate(e: Emitter, size: Size, to: number, imm: number): void {
  if (imm === 128) e.asm.aluImm('sub', size, to, -128);
  else e.asm.aluImm('add', size, to, imm);
}

/** An addition in its shortest form: inc-free add when the result shares a register, else lea. */
function emitLea(e: Emitter, m: MInst): void {
  const mem = e.address(m, m.data.mem!);
  const size = sizeOf(m);
  const to = e.reg(m, 0);
  const sum = mem.sym === undefined && mem.scale === 1;
  if (sum && mem.index < 0 && mem.base === to) {
    if (mem.disp !== 0) {
      addImmediate(e, size, to, mem.disp);
      e.claimFlags(to, size);
    } else if (size === 4) e.asm.mov(4, to, to);
  } else if (sum && mem.index < 0 && mem.disp === 0) {
    e.asm.mov(size, to, mem.base);
  } else if (sum && mem.disp === 0 && (mem.base === to || mem.index === to)) {
    e.asm.alu('add', size, to, mem.base === to ? mem.index : mem.base);
    e.claimFlags(to, size);
  } else {
    e.asm.lea(size, to, mem);
  }
}

function emitDivision(e: Emitter, m: MInst): void {
  const a = e.asm;
  const size = sizeOf(m);
  const divisor = e.reg(m, 2);
  const divide = (): void => {
    if (m.data.signed) a.cdq(size);
    else a.alu('xor', 4, RDX, RDX);
    e.trapSite('division');
    a.unary(m.data.signed ? 'idiv' : 'div', size, divisor);
  };
  if (!m.data.checkMinusOne) {
    divide();
    return;
  }
  const done = a.newLabel();
  const minusOne = e.outOfLine(m, () => {
    a.alu('xor', 4, RDX, RDX);
    a.jmp(done);
  });
  a.aluImm('cmp', size, divisor, -1);
  a.jcc('e', minusOne);
  divide();
  a.bind(done);
}

/** 0 or 1. The register is cleared before the comparison where that does not read it. */
function setCondition(e: Emitter, m: MInst, cond: Cond): void {
  const a = e.asm;
  const to = e.reg(m, 0);
  if (cond === 'e_np' || cond === 'ne_p') {
    // Of the unordered result's flags ZF and PF are both set: turn them into 0 or 1 by a move under parity.
    e.setFlags(m);
    const even = cond === 'e_np';
    const skip = a.newLabel();
    a.movImm(to, even ? 0 : 1, 4);
    a.jcc('p', skip);
    a.setcc(even ? 'e' : 'ne', to);
    a.bind(skip);
    return;
  }
  const free = !e.flagsAreKnown(m) && m.ops.every((o, i) => i === 0 || o.loc !== to);
  if (free) a.alu('xor', 4, to, to);
  e.setFlags(m);
  a.setcc(cond as AsmCond, to);
  if (!free) a.movzx(to, to, 1);
}
