// What all x86-64 instructions share: the bytes' buffer, labels, the instruction format (prefixes, opcode, ModRM, SIB,
// displacement: Intel SDM volume 2, chapter 2), and the final layout. Branches are written short; finish() lengthens
// those that do not reach (relax.ts) and fixes all offsets. The instructions themselves are in asm.ts.

import { NOPS } from './encode-tables.ts';
import { RSP } from './mir.ts';
import { ALIGN, growth, type Items, JMP, type Labels, relax } from './relax.ts';

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
  /** What the code means: bytes from the symbol. */
  disp: number;
}

export interface Code {
  code: Uint8Array;
  relocs: Reloc[];
  offsetOf(place: Label | Mark): number;
}

/** Which operands are byte registers: 4-7 are spl, bpl, sil, dil only with a REX prefix, else ah, ch, dh, bh. */
const REG8 = 1;
export const RM8 = 2;
const BOTH8 = REG8 | RM8;

const INSTRUCTION_BYTES_MAX = 16;
const UNBOUND = -1;

export function isInt8(value: number): boolean {
  return (value << 24) >> 24 === value;
}

export function checkInt32(value: number, what: string): void {
  if ((value | 0) !== value) throw new RangeError(`encoder: ${what} ${value} does not fit in 32 bits`);
}

export class InstructionWriter {
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
  protected sized(opcode: number, size: number, reg: number, rm: RM): void {
    if (size === 1) this.instr(opcode - 1, 1, reg, rm, BOTH8);
    else this.instr(opcode, size, reg, rm);
  }

  /** Prefixes, opcode, ModRM, SIB and displacement; `trailing` bytes of immediate will follow. */
  protected instr(opcode: number, size: number, reg: number, rm: RM, bytes = 0, trailing = 0): void {
    if (reg < 0 || (typeof rm === 'number' && rm < 0)) throw new Error('encoder: an operand has no register');
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
      this.reloc('pc32', sym, disp - 4 - trailing, disp);
      return;
    }
    const mod = base < 0 ? 0 : displacementMode(base, disp, sym);
    if (index < 0 && base >= 0 && (base & 7) !== RSP) this.byte((mod << 6) | regBits | (base & 7));
    else {
      this.byte((mod << 6) | regBits | 4);
      const scaleBits = scale === 8 ? 0xc0 : scale === 4 ? 0x80 : scale === 2 ? 0x40 : 0;
      this.byte(scaleBits | ((index < 0 ? 4 : index & 7) << 3) | (base < 0 ? 5 : base & 7));
    }
    if (sym !== undefined) this.reloc('abs32s', sym, disp, disp);
    else if (mod === 1) this.byte(disp);
    else if (mod === 2 || base < 0) this.imm(disp, 4);
  }

  /** The register in the opcode's low bits. */
  protected opReg(opcode: number, size: number, reg: number): void {
    this.reserve();
    this.opcode(opcode | (reg & 7), size, (size === 8 ? 0x48 : 0) | ((reg & 8) >> 3));
  }

  /** An opcode without operands in ModRM. */
  protected plain(opcode: number, size: number): void {
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

  protected branch(opcode: number, kind: number, target: Label): void {
    this.item(kind, target);
    this.raw(opcode, 0);
  }

  protected branchSym(opcode: number, sym: string): void {
    this.raw(opcode);
    this.reloc('plt32', sym, -4, 0);
  }

  private item(kind: number, arg: number): void {
    this.items.pos.push(this.length);
    this.items.kind.push(kind);
    this.items.arg.push(arg);
  }

  /** Four bytes that the linker fills in. */
  private reloc(kind: RelocKind, sym: string, addend: number, disp: number): void {
    this.relocs.push({ offset: this.length, kind, sym, addend, disp });
    this.relocItems.push(this.items.pos.length);
    this.imm(0, 4);
  }

  protected imm(value: number, size: number): void {
    const bytes = immBytes(size);
    for (let i = 0; i < bytes; i++) this.byte(value >> (8 * i));
  }

  protected raw(...bytes: number[]): void {
    this.reserve();
    for (const b of bytes) this.byte(b);
  }

  protected byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  protected reserve(): void {
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
    const code = new InstructionWriter();
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
export function immBytes(size: number): number {
  return size === 8 ? 4 : size;
}
