// A window of device registers, in memory or in I/O ports alike. A register is described once, as width and offset in
// one constant, and every access is checked against the window's length.

import * as x86 from '../x86.ts';

/** WIDTH | offset. */
export type Register = u32;
export const BYTE: Register = 1 << 28;
export const WORD: Register = 2 << 28;
export const LONG: Register = 4 << 28;
const OFFSET: u32 = 0x0fff_ffff;

export class Window {
  constructor(
    /** Linear-memory address or port number. */
    public readonly base: u32,
    public readonly bytes: u32,
    public readonly ports: bool,
  ) {}

  read(register: Register): u32 {
    const at = this.locate(register);
    const width = register & ~OFFSET;
    if (this.ports) return width === BYTE ? x86.in8(at) : width === WORD ? x86.in16(at) : x86.in32(at);
    return width === BYTE ? x86.load8(at) : width === WORD ? x86.load16(at) : x86.load32(at);
  }

  write(register: Register, value: u32): void {
    const at = this.locate(register);
    const width = register & ~OFFSET;
    if (this.ports) {
      if (width === BYTE) x86.out8(at, value);
      else if (width === WORD) x86.out16(at, value);
      else x86.out32(at, value);
    } else {
      if (width === BYTE) x86.store8(at, value);
      else if (width === WORD) x86.store16(at, value);
      else x86.store32(at, value);
    }
  }

  /** A register of 64 bits, as two of 32 (virtio 1.2 §4.1.3.1): the lower half, and then the upper one behind it. */
  write64(register: Register, value: u64): void {
    this.write(register, value as u32);
    this.write(register + 4, (value >> 32) as u32);
  }

  has(register: Register): bool {
    return (register & OFFSET) + (register >> 28) <= this.bytes;
  }

  private locate(register: Register): u32 {
    assert(this.has(register), 'device register beyond its window');
    return this.base + (register & OFFSET);
  }
}
