// A window of device registers, in memory or in I/O ports alike.

import { BYTE, CACHED, LONG, Register, RegisterMap, WORD } from '../lib/registers.ts';
import * as x86 from '../x86.ts';

export { BYTE, CACHED, LONG, Register, WORD };

/** Of virtio's structures the selectors are, which are near their beginning. */
const CACHED_BYTES: u32 = 0x40;

export class Window extends RegisterMap {
  constructor(
    /** Linear-memory address or port number. */
    public readonly base: u32,
    bytes: u32,
    public readonly ports: bool,
  ) {
    super(bytes, min(bytes, CACHED_BYTES));
  }

  protected load(offset: u32, width: Register): u32 {
    const at = this.base + offset;
    if (this.ports) return width === BYTE ? x86.in8(at) : width === WORD ? x86.in16(at) : x86.in32(at);
    return width === BYTE ? x86.load8(at) : width === WORD ? x86.load16(at) : x86.load32(at);
  }

  protected store(offset: u32, width: Register, value: u32): void {
    const at = this.base + offset;
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
}
