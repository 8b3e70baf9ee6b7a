// The x86-64 encoder: one Assembler for each function turns method calls into machine code, always in the shortest
// form. Registers are the numbers of mir.ts (0-15 integer, 16-31 xmm), `size` is the operand's size in bytes.
// Opcodes: encode-tables.ts; how they and their operands become bytes: instruction-writer.ts.

import {
  ALU,
  type AluOp,
  COND,
  type Cond,
  CVT_TO_FLOAT,
  CVT_TO_INT,
  MAP_0F,
  P66,
  PF3,
  SHIFT,
  type ShiftOp,
  SSE,
  SSE_SHIFT_IMM,
  SSE_STORE,
  type SseOp,
  type SseStoreOp,
  UNARY,
  type UnaryOp,
} from './encode-tables.ts';
import {
  checkInt32,
  InstructionWriter,
  immBytes,
  isInt8,
  type Label,
  type Mem,
  type RM,
  RM8,
} from './instruction-writer.ts';
import { RAX, XMM0 } from './mir.ts';
import { JMP } from './relax.ts';

export type { Code, Label, Mark, Mem, Reloc, RelocKind, RM } from './instruction-writer.ts';
export type { AluOp, Cond, ShiftOp, SseOp, SseStoreOp, UnaryOp };

export class Assembler extends InstructionWriter {
  // Integer arithmetic

  alu(op: AluOp, size: number, dst: number, src: RM): void {
    this.sized((ALU[op] << 3) | 3, size, dst, src);
  }

  aluMem(op: AluOp, size: number, dst: Mem, src: number): void {
    this.sized((ALU[op] << 3) | 1, size, src, dst);
  }

  aluImm(op: AluOp, size: number, dst: RM, imm: number): void {
    const value = truncate(imm, size);
    // A mask without its upper half clears that of the result either way, and the flags are the same.
    if (op === 'and' && size === 8 && typeof dst === 'number' && value >= 0) size = 4;
    const short = size > 1 && isInt8(value);
    if (dst === RAX && !short) this.plain((ALU[op] << 3) | (size === 1 ? 4 : 5), size);
    else if (size === 1) this.instr(0x80, 1, ALU[op], dst, RM8, 1);
    else this.instr(short ? 0x83 : 0x81, size, ALU[op], dst, 0, short ? 1 : immBytes(size));
    this.imm(value, short ? 1 : size);
  }

  test(size: number, a: RM, b: number): void {
    this.sized(0x85, size, b, a);
  }

  testImm(size: number, rm: RM, imm: number): void {
    const value = truncate(imm, size);
    if (typeof rm === 'number') {
      // The sign flag is 0 either way, and a register has no bytes that fault.
      if (value >= 0 && value <= 0x7f) size = 1;
      else if (value >= 0 && size === 8) size = 4;
    }
    if (rm === RAX) this.plain(size === 1 ? 0xa8 : 0xa9, size);
    else this.instr(size === 1 ? 0xf6 : 0xf7, size, 0, rm, size === 1 ? RM8 : 0, immBytes(size));
    this.imm(value, size);
  }

  shift(op: ShiftOp, size: number, rm: RM, count: number | 'cl'): void {
    const full = size === 1 ? 0 : 1;
    const bytes = size === 1 ? RM8 : 0;
    if (count === 'cl') this.instr(0xd2 | full, size, SHIFT[op], rm, bytes);
    else if (count === 1) this.instr(0xd0 | full, size, SHIFT[op], rm, bytes);
    else {
      this.instr(0xc0 | full, size, SHIFT[op], rm, bytes, 1);
      this.byte(count);
    }
  }

  imul(size: number, dst: number, src: RM): void {
    this.instr(MAP_0F | 0xaf, size, dst, src);
  }

  imulImm(size: number, dst: number, src: RM, imm: number): void {
    const value = truncate(imm, size);
    const short = isInt8(value);
    this.instr(short ? 0x6b : 0x69, size, dst, src, 0, short ? 1 : immBytes(size));
    this.imm(value, short ? 1 : size);
  }

  unary(op: UnaryOp, size: number, rm: RM): void {
    const code = UNARY[op];
    if (size === 1) this.instr((code >> 8) - 1, 1, code & 7, rm, RM8);
    else this.instr(code >> 8, size, code & 7, rm);
  }

  /** Sign-extends rax into rdx: cwd, cdq, cqo. */
  cdq(size: number): void {
    this.plain(0x99, size);
  }

  bsf(size: number, dst: number, src: RM): void {
    this.instr(MAP_0F | 0xbc, size, dst, src);
  }

  bsr(size: number, dst: number, src: RM): void {
    this.instr(MAP_0F | 0xbd, size, dst, src);
  }

  tzcnt(size: number, dst: number, src: RM): void {
    this.instr(PF3 | MAP_0F | 0xbc, size, dst, src);
  }

  lzcnt(size: number, dst: number, src: RM): void {
    this.instr(PF3 | MAP_0F | 0xbd, size, dst, src);
  }

  popcnt(size: number, dst: number, src: RM): void {
    this.instr(PF3 | MAP_0F | 0xb8, size, dst, src);
  }

  bt(size: number, rm: RM, bit: number): void {
    this.instr(MAP_0F | 0xba, size, 4, rm, 0, 1);
    this.byte(bit);
  }

  bswap(size: number, reg: number): void {
    this.opReg(MAP_0F | 0xc8, size, reg);
  }

  // Moves

  mov(size: 4 | 8, dst: number, src: number): void {
    this.instr(0x89, size, src, dst);
  }

  /** Leaves the flags alone. */
  movImm(dst: number, imm: number | bigint, size: 4 | 8): void {
    const value = BigInt.asIntN(64, BigInt(imm));
    const low = Number(BigInt.asIntN(32, value));
    if (size === 4 || value >> 32n === 0n) {
      this.opReg(0xb8, 4, dst);
      this.imm(low, 4);
    } else if (BigInt(low) === value) {
      this.instr(0xc7, 8, 0, dst);
      this.imm(low, 4);
    } else {
      this.opReg(0xb8, 8, dst);
      this.imm(low, 4);
      this.imm(Number(value >> 32n), 4);
    }
  }

  load(dst: number, mem: Mem, width: 1 | 2 | 4 | 8, signed: boolean, size: 4 | 8): void {
    if (width === 8 || (width === 4 && !(signed && size === 8))) this.instr(0x8b, width, dst, mem);
    else if (signed) this.movsx(dst, mem, width, size);
    else this.movzx(dst, mem, width as 1 | 2);
  }

  store(mem: Mem, src: number, width: 1 | 2 | 4 | 8): void {
    this.sized(0x89, width, src, mem);
  }

  storeImm(mem: Mem, imm: number, width: 1 | 2 | 4 | 8): void {
    const value = truncate(imm, width);
    this.instr(width === 1 ? 0xc6 : 0xc7, width, 0, mem, 0, immBytes(width));
    this.imm(value, width);
  }

  lea(size: number, dst: number, mem: Mem): void {
    this.instr(0x8d, size, dst, mem);
  }

  movzx(dst: number, src: RM, width: 1 | 2): void {
    if (width === 1) this.instr(MAP_0F | 0xb6, 4, dst, src, RM8);
    else this.instr(MAP_0F | 0xb7, 4, dst, src);
  }

  movsx(dst: number, src: RM, width: 1 | 2 | 4, size: 4 | 8): void {
    if (width === 1) this.instr(MAP_0F | 0xbe, size, dst, src, RM8);
    else if (width === 2) this.instr(MAP_0F | 0xbf, size, dst, src);
    else this.instr(0x63, 8, dst, src);
  }

  setcc(cc: Cond, dst: RM): void {
    this.instr(MAP_0F | 0x90 | COND[cc], 1, 0, dst, RM8);
  }

  cmov(cc: Cond, size: number, dst: number, src: RM): void {
    this.instr(MAP_0F | 0x40 | COND[cc], size, dst, src);
  }

  push(rm: RM): void {
    if (typeof rm === 'number') this.opReg(0x50, 4, rm);
    else this.instr(0xff, 4, 6, rm);
  }

  pop(rm: RM): void {
    if (typeof rm === 'number') this.opReg(0x58, 4, rm);
    else this.instr(0x8f, 4, 0, rm);
  }

  xchg(size: number, rm: RM, reg: number): void {
    // `90` is a no-operation, while xchg eax, eax clears the upper half.
    const hasRax = rm === RAX || reg === RAX;
    const short = hasRax && typeof rm === 'number' && size !== 1 && rm !== reg;
    if (short) this.opReg(0x90, size, rm === RAX ? reg : rm);
    else this.sized(0x87, size, reg, rm);
  }

  // Atomics

  lock(): void {
    this.reserve();
    this.byte(0xf0);
  }

  xadd(size: number, mem: RM, reg: number): void {
    this.sized(MAP_0F | 0xc1, size, reg, mem);
  }

  cmpxchg(size: number, mem: RM, reg: number): void {
    this.sized(MAP_0F | 0xb1, size, reg, mem);
  }

  // Control

  jcc(cc: Cond, target: Label): void {
    this.branch(0x70 | COND[cc], COND[cc], target);
  }

  jmp(target: Label): void {
    this.branch(0xeb, JMP, target);
  }

  jmpRm(rm: RM): void {
    this.instr(0xff, 4, 4, rm);
  }

  jmpSym(sym: string): void {
    this.branchSym(0xe9, sym);
  }

  callSym(sym: string): void {
    this.branchSym(0xe8, sym);
  }

  callRm(rm: RM): void {
    this.instr(0xff, 4, 2, rm);
  }

  ret(popBytes = 0): void {
    this.reserve();
    this.byte(popBytes === 0 ? 0xc3 : 0xc2);
    if (popBytes !== 0) this.imm(popBytes, 2);
  }

  // Floating point

  /** With an immediate the packed shifts are by that, and `src` is not looked at. */
  sse(op: SseOp, dst: number, src: RM, imm?: number): void {
    const shift = imm === undefined ? undefined : SSE_SHIFT_IMM[op];
    if (shift) this.instr(shift[0], 4, shift[1], dst, 0, 1);
    else {
      if (typeof src === 'number' && src < XMM0) throw new Error(`encoder: ${op} of integer register ${src}`);
      this.instr(SSE[op], 4, dst, src, 0, imm === undefined ? 0 : 1);
    }
    if (imm !== undefined) this.byte(imm);
  }

  sseStore(op: SseStoreOp, mem: Mem, src: number): void {
    this.instr(SSE_STORE[op], 4, src, mem);
  }

  movGprToXmm(size: 4 | 8, dst: number, src: RM): void {
    if (size === 8 && typeof src !== 'number') this.instr(SSE.movq, 4, dst, src);
    else this.instr(P66 | MAP_0F | 0x6e, size, dst, src);
  }

  movXmmToGpr(size: 4 | 8, dst: number, src: number): void {
    this.instr(P66 | MAP_0F | 0x7e, size, src, dst);
  }

  cvtIntToFloat(op: keyof typeof CVT_TO_FLOAT, size: 4 | 8, dst: number, src: RM): void {
    this.instr(CVT_TO_FLOAT[op], size, dst, src);
  }

  cvtFloatToInt(op: keyof typeof CVT_TO_INT, size: 4 | 8, dst: number, src: RM): void {
    this.instr(CVT_TO_INT[op], size, dst, src);
  }

  // The machine

  /** From port dx to al, ax or eax. */
  in(width: 1 | 2 | 4): void {
    this.plain(width === 1 ? 0xec : 0xed, width);
  }

  /** From al, ax or eax to port dx. */
  out(width: 1 | 2 | 4): void {
    this.plain(width === 1 ? 0xee : 0xef, width);
  }

  movFromCr(cr: number, reg: number): void {
    this.instr(MAP_0F | 0x20, 4, cr, reg);
  }

  movToCr(cr: number, reg: number): void {
    this.instr(MAP_0F | 0x22, 4, cr, reg);
  }

  /** From gs:0, 32 bits. */
  loadGs(dst: number): void {
    this.raw(0x65); // the prefix comes before REX
    this.load(dst, { base: -1, index: -1, scale: 1, disp: 0 }, 4, false, 4);
  }

  ud2(): void {
    this.raw(0x0f, 0x0b);
  }
  hlt(): void {
    this.raw(0xf4);
  }
  cli(): void {
    this.raw(0xfa);
  }
  sti(): void {
    this.raw(0xfb);
  }
  cld(): void {
    this.raw(0xfc);
  }
  pause(): void {
    this.raw(0xf3, 0x90);
  }
  lfence(): void {
    this.raw(0x0f, 0xae, 0xe8);
  }
  mfence(): void {
    this.raw(0x0f, 0xae, 0xf0);
  }
  sfence(): void {
    this.raw(0x0f, 0xae, 0xf8);
  }
  cpuid(): void {
    this.raw(0x0f, 0xa2);
  }
  rdtsc(): void {
    this.raw(0x0f, 0x31);
  }
  rdmsr(): void {
    this.raw(0x0f, 0x32);
  }
  wrmsr(): void {
    this.raw(0x0f, 0x30);
  }
  pushfq(): void {
    this.raw(0x9c);
  }
  popfq(): void {
    this.raw(0x9d);
  }
  int3(): void {
    this.raw(0xcc);
  }
  iretq(): void {
    this.raw(0x48, 0xcf);
  }
  repMovsb(): void {
    this.raw(0xf3, 0xa4);
  }
  repMovsq(): void {
    this.raw(0xf3, 0x48, 0xa5);
  }
  repStosb(): void {
    this.raw(0xf3, 0xaa);
  }
  repStosq(): void {
    this.raw(0xf3, 0x48, 0xab);
  }
}

/** The immediate as a signed number of the operand's size (8 bytes: must be a sign-extended 32-bit number). */
function truncate(imm: number, size: number): number {
  if (size === 1) return (imm << 24) >> 24;
  if (size === 2) return (imm << 16) >> 16;
  if (size === 4) return imm | 0;
  checkInt32(imm, 'immediate');
  return imm;
}
