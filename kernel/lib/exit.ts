// The machine's exit where ACPI is not used: QEMU's isa-debug-exit device at port 0xf4, whose exit status is
// value * 2 + 1. A machine without it halts.

import * as x86 from '../x86.ts';
import * as serial from './serial.ts';

const DEBUG_EXIT_PORT: u32 = 0xf4;
export const EXIT_DONE: u32 = 0x10;
export const EXIT_PANIC: u32 = 0x11;

export function exit(value: u32): void {
  serial.drain();
  x86.out8(DEBUG_EXIT_PORT, value);
  halt();
}

/** For good. */
export function halt(): void {
  serial.drain();
  while (true) {
    x86.cli();
    x86.hlt();
  }
}
