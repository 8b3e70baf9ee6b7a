// The frame that asm/ makes at an exception (docs/abi.md §7), read from native memory.

import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';

const CR2: u32 = 15;
const RIP: u32 = 18;
const RFLAGS: u32 = 20;
const RSP: u32 = 21;

// rsp's number in instructions; the frame keeps it elsewhere.
const REGISTER_RSP: u32 = 4;

export class Frame {
  constructor(private readonly address: u64) {}

  get cr2(): u64 {
    return this.word(CR2);
  }

  get rip(): u64 {
    return this.word(RIP);
  }

  get rsp(): u64 {
    return this.word(RSP);
  }

  /** A register by its number in instructions: rax rcx rdx rbx rsp rbp rsi rdi r8 … r15. */
  register(number: u32): u64 {
    if (number === REGISTER_RSP) return this.rsp;
    if (number >= 8) return this.word(15 - number);
    return this.word(load<u8>(LOW_REGISTERS + number));
  }

  dump(): void {
    log('panic')
      .digits('rip ', this.rip, 16)
      .digits(' rsp ', this.rsp, 16)
      .digits(' rflags ', this.word(RFLAGS), 8)
      .digits(' cr2 ', this.cr2, 16)
      .end();
    log('panic')
      .digits('cr0 ', x86.read_cr0(), 8)
      .digits(' cr3 ', x86.read_cr3(), 8)
      .digits(' cr4 ', x86.read_cr4(), 8)
      .end();
    this.dumpFour('rax ', 0, ' rcx ', 1, ' rdx ', 2, ' rbx ', 3);
    this.dumpFour('rbp ', 5, ' rsi ', 6, ' rdi ', 7, ' r8  ', 8);
    this.dumpFour('r9  ', 9, ' r10 ', 10, ' r11 ', 11, ' r12 ', 12);
    log('panic')
      .digits('r13 ', this.register(13), 16)
      .digits(' r14 ', this.register(14), 16)
      .digits(' r15 ', this.register(15), 16)
      .end();
  }

  private dumpFour(a: string, i: u32, b: string, j: u32, c: string, k: u32, d: string, l: u32): void {
    log('panic')
      .digits(a, this.register(i), 16)
      .digits(b, this.register(j), 16)
      .digits(c, this.register(k), 16)
      .digits(d, this.register(l), 16)
      .end();
  }

  private word(index: u32): u64 {
    return x86.peek64(this.address + index * 8);
  }
}

/** Where rax … rdi lie in the frame, by their number in instructions. */
const LOW_REGISTERS: usize = memory.data<u8>([14, 12, 11, 13, 0, 8, 10, 9]);
