// The x86-64 encoder: one Assembler for each function turns method calls into machine code, always in the
// shortest form. Registers are the numbers of mir.ts (0-15 integer, 16-31 xmm), `size` is the operand's size in
// bytes. Branches are written short; finish() lengthens those that do not reach (relax.ts) and fixes all offsets.
// Encoding: Intel SDM volume 2, chapter 2; opcodes: encode-tables.ts.

import {
  ALU,
  type AluOp,
  COND,
  type Cond,
  CVT_TO_FLOAT,
  CVT_TO_INT,
  MAP_0F,
  NOPS,
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
import { RAX, RSP, XMM0 } from './mir.ts';
import { ALIGN, growth, type Items, JMP, type Labels, relax } from './relax.ts';

export type { AluOp, Cond, ShiftOp, SseOp, SseStoreOp, UnaryOp };

/**
 * A memory operand [base + index*scale + disp]; base and index are -1 where there is none, index is not rsp, disp
 * is a signed 32-bit number. With `sym` and neither base nor index it is rip-relative, sym + disp; with `sym` and
 * a register, the symbol's address (sign-extended from 32 bits) is added.
 */
export interface Mem {
  base: number;
  index: number;
  scale: 1 | 2 | 4 | 8;
  disp: number;
  sym?: string;
}
export type RM = number | Mem;

/** A place in the code: a label is bound later than it is made, a mark at once. */
export type Label = number;
export type Mark = number;

export type RelocKind = 'pc32' | 'plt32' | 'abs32s' | 'abs64';
export interface Reloc {
  offset: number;
  kind: RelocKind;
  sym: string;
  /** As ELF wants it: the distance from the field to the instruction's end is already in it. */
  addend: number;
}

export interface Code {
  code: Uint8Array;
  relocs: Reloc[];
  offsetOf(place: Label | Mark): number;
}

/** Which operands are byte registers: 4-7 are spl, bpl, sil, dil only with a REX prefix, else ah, ch, dh, bh. */
const REG8 = 1;
const RM8 = 2;
const BOTH8 = REG8 | RM8;

const INSTRUCTION_BYTES_MAX = 16;
const UNBOUND = -1;

function isInt8(value: number): boolean {
  return (value << 24) >> 24 === value;
}

function checkInt32(value: number, what: string): void {
  if ((value | 0) !== value) throw new RangeError(`encoder: ${what} ${value} does not fit in 32 bits`);
}

export class Assembler {
  private bytes = new Uint8Array(256);
  private length = 0;
  private readonly items: Items = { pos: [], kind: [], arg: [] };
  private readonly labels: Labels = { pos: [], item: [] };
  private readonly relocs: Reloc[] = [];
  /** For each relocation the number of items before it. */
  private readonly relocItems: number[] = [];

  // Places

  newLabel(): Label {
    this.labels.item.push(UNBOUND);
    return this.labels.pos.push(UNBOUND) - 1;
  }

  bind(label: Label): void {
    if (this.labels.pos[label] !== UNBOUND) throw new Error(`encoder: label ${label} is bound twice`);
    this.labels.pos[label] = this.length;
    this.labels.item[label] = this.items.pos.length;
  }

  /** This position; its final offset can be asked for when finish() is done. */
  mark(): Mark {
    const mark = this.newLabel();
    this.bind(mark);
    return mark;
  }

  /** The position with all branches short and no padding. */
  pos(): number {
    return this.length;
  }

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

  /** `count` bytes of no-operations, as few instructions as possible. */
  nop(count: number): void {
    while (count > 0) {
      const nop = NOPS[Math.min(count, NOPS.length - 1)];
      this.raw(...nop);
      count -= nop.length;
    }
  }

  /** Pads with no-operations to a multiple of `bytes` (a power of two) from the function's start. */
  align(bytes: number): void {
    if (bytes > 1) this.item(ALIGN, bytes);
  }

  // Encoding

  /** An opcode whose lowest bit is clear for bytes and set for the other sizes. */
  private sized(opcode: number, size: number, reg: number, rm: RM): void {
    if (size === 1) this.instr(opcode - 1, 1, reg, rm, BOTH8);
    else this.instr(opcode, size, reg, rm);
  }

  /** Prefixes, opcode, ModRM, SIB and displacement; `trailing` bytes of immediate will follow. */
  private instr(opcode: number, size: number, reg: number, rm: RM, bytes = 0, trailing = 0): void {
    this.reserve();
    let rex = (size === 8 ? 0x48 : 0) | ((reg & 8) >> 1);
    if ((bytes & REG8) !== 0 && reg >= 4) rex |= 0x40;
    if (typeof rm === 'number') {
      rex |= (rm & 8) >> 3;
      if ((bytes & RM8) !== 0 && rm >= 4) rex |= 0x40;
      this.opcode(opcode, size, rex);
      this.byte(0xc0 | ((reg & 7) << 3) | (rm & 7));
    } else this.memory(opcode, size, rex, reg, rm, trailing);
  }

  private memory(opcode: number, size: number, rex: number, reg: number, mem: Mem, trailing: number): void {
    let { base, index, scale } = mem;
    const { disp, sym } = mem;
    checkInt32(disp, 'displacement');
    // Without a base the displacement takes 4 bytes, so index*1 becomes the base, and index*2 base and index.
    if (base < 0 && index >= 0 && scale <= 2) {
      base = index;
      index = scale === 1 ? -1 : index;
      scale = 1;
    }
    // As the base, rbp and r13 need a displacement, as the index they don't; rsp can only be the base.
    const swap = (base & 7) === 5 && (index & 7) !== 5 && disp === 0 && sym === undefined;
    if (scale === 1 && base >= 0 && index >= 0 && (swap || index === RSP)) [base, index] = [index, base];
    if (index === RSP) throw new Error('encoder: rsp as the index of a memory operand');
    if (index >= 0) rex |= (index & 8) >> 2;
    if (base >= 0) rex |= (base & 8) >> 3;
    this.opcode(opcode, size, rex);
    const regBits = (reg & 7) << 3;
    if (base < 0 && index < 0 && sym !== undefined) {
      this.byte(regBits | 5);
      this.reloc('pc32', sym, disp - 4 - trailing);
      return;
    }
    const mod = base < 0 ? 0 : displacementMode(base, disp, sym);
    if (index < 0 && base >= 0 && (base & 7) !== RSP) this.byte((mod << 6) | regBits | (base & 7));
    else {
      this.byte((mod << 6) | regBits | 4);
      const scaleBits = scale === 8 ? 0xc0 : scale === 4 ? 0x80 : scale === 2 ? 0x40 : 0;
      this.byte(scaleBits | ((index < 0 ? 4 : index & 7) << 3) | (base < 0 ? 5 : base & 7));
    }
    if (sym !== undefined) this.reloc('abs32s', sym, disp);
    else if (mod === 1) this.byte(disp);
    else if (mod === 2 || base < 0) this.imm(disp, 4);
  }

  /** The register in the opcode's low bits. */
  private opReg(opcode: number, size: number, reg: number): void {
    this.reserve();
    this.opcode(opcode | (reg & 7), size, (size === 8 ? 0x48 : 0) | ((reg & 8) >> 3));
  }

  /** An opcode without operands in ModRM. */
  private plain(opcode: number, size: number): void {
    this.reserve();
    this.opcode(opcode, size, size === 8 ? 0x48 : 0);
  }

  private opcode(opcode: number, size: number, rex: number): void {
    if (size === 2) this.byte(0x66);
    if (opcode > 0xffff) this.byte(opcode >> 16);
    if (rex !== 0) this.byte(rex | 0x40);
    const map = (opcode >> 8) & 3;
    if (map !== 0) this.byte(0x0f);
    if (map === 2) this.byte(0x38);
    if (map === 3) this.byte(0x3a);
    this.byte(opcode);
  }

  private branch(opcode: number, kind: number, target: Label): void {
    this.item(kind, target);
    this.raw(opcode, 0);
  }

  private branchSym(opcode: number, sym: string): void {
    this.raw(opcode);
    this.reloc('plt32', sym, -4);
  }

  private item(kind: number, arg: number): void {
    this.items.pos.push(this.length);
    this.items.kind.push(kind);
    this.items.arg.push(arg);
  }

  /** Four bytes that the linker fills in. */
  private reloc(kind: RelocKind, sym: string, addend: number): void {
    this.relocs.push({ offset: this.length, kind, sym, addend });
    this.relocItems.push(this.items.pos.length);
    this.imm(0, 4);
  }

  private imm(value: number, size: number): void {
    const bytes = immBytes(size);
    for (let i = 0; i < bytes; i++) this.byte(value >> (8 * i));
  }

  private raw(...bytes: number[]): void {
    this.reserve();
    for (const b of bytes) this.byte(b);
  }

  private byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  private reserve(): void {
    if (this.length + INSTRUCTION_BYTES_MAX <= this.bytes.length) return;
    const larger = new Uint8Array(this.bytes.length * 2);
    larger.set(this.bytes);
    this.bytes = larger;
  }

  // Layout

  /** Chooses the branches' sizes and fixes all offsets. The assembler is not used after this. */
  finish(): Code {
    this.checkLabels();
    const long = relax(this.items, this.labels);
    const shift = this.shifts(long);
    const { pos, item } = this.labels;
    const offsetOf = (place: number) => pos[place] + shift[item[place]];
    for (let i = 0; i < this.relocs.length; i++) this.relocs[i].offset += shift[this.relocItems[i]];
    return { code: this.layOut(long, shift, offsetOf), relocs: this.relocs, offsetOf };
  }

  private checkLabels(): void {
    const { kind, arg } = this.items;
    for (let i = 0; i < kind.length; i++) {
      if (kind[i] !== ALIGN && this.labels.pos[arg[i]] === UNBOUND) {
        throw new Error(`encoder: a branch to label ${arg[i]}, which is bound nowhere`);
      }
    }
  }

  /** For each item and the end: by how much the code there has moved from its place in the buffer. */
  private shifts(long: Uint8Array): Int32Array {
    const { pos, kind, arg } = this.items;
    const shift = new Int32Array(pos.length + 1);
    for (let i = 0; i < pos.length; i++) {
      let extra = 0;
      if (kind[i] === ALIGN) extra = -(pos[i] + shift[i]) & (arg[i] - 1);
      else if (long[i] === 1) extra = growth(kind[i]);
      shift[i + 1] = shift[i] + extra;
    }
    return shift;
  }

  private layOut(long: Uint8Array, shift: Int32Array, offsetOf: (label: Label) => number): Uint8Array {
    const { pos, kind, arg } = this.items;
    const source = this.bytes;
    const code = new Assembler();
    code.bytes = new Uint8Array(this.length + shift[pos.length] + INSTRUCTION_BYTES_MAX);
    let copied = 0;
    const copyTo = (end: number) => {
      code.bytes.set(source.subarray(copied, end), code.length);
      code.length += end - copied;
      copied = end;
    };
    for (let i = 0; i < pos.length; i++) {
      copyTo(pos[i]);
      if (kind[i] === ALIGN) {
        code.nop(shift[i + 1] - shift[i]);
        continue;
      }
      copied += 2;
      code.finalBranch(kind[i], long[i] === 1, offsetOf(arg[i]));
    }
    copyTo(this.length);
    return code.bytes.slice(0, code.length);
  }

  private finalBranch(kind: number, long: boolean, target: number): void {
    if (!long) {
      this.byte(kind === JMP ? 0xeb : 0x70 | kind);
      this.byte(target - (this.length + 1));
      return;
    }
    if (kind === JMP) this.byte(0xe9);
    else {
      this.byte(0x0f);
      this.byte(0x80 | kind);
    }
    this.imm(target - (this.length + 4), 4);
  }
}

/** mod of ModRM for a displacement: 0 none, 1 one byte, 2 four bytes. rbp and r13 always have one. */
function displacementMode(base: number, disp: number, sym: string | undefined): 0 | 1 | 2 {
  if (sym !== undefined) return 2;
  if (disp === 0 && (base & 7) !== 5) return 0;
  return isInt8(disp) ? 1 : 2;
}

/** Bytes of an immediate: never more than 4, sign-extended to 8. */
function immBytes(size: number): number {
  return size === 8 ? 4 : size;
}

/** The immediate as a signed number of the operand's size (8 bytes: must be a sign-extended 32-bit number). */
function truncate(imm: number, size: number): number {
  if (size === 1) return (imm << 24) >> 24;
  if (size === 2) return (imm << 16) >> 16;
  if (size === 4) return imm | 0;
  checkInt32(imm, 'immediate');
  return imm;
}
