// The two 8259A interrupt controllers, moved out of the exceptions' way and masked for good: interrupts come as
// messages to the local APIC.

import * as x86 from '../x86.ts';

const MASTER_COMMAND: u32 = 0x20;
const MASTER_DATA: u32 = 0x21;
const SLAVE_COMMAND: u32 = 0xa0;
const SLAVE_DATA: u32 = 0xa1;

// Initialisation command words (Intel 8259A data sheet).
const ICW1_INIT_WITH_ICW4: u32 = 0x11;
const ICW3_SLAVE_ON_2: u32 = 1 << 2;
const ICW3_SLAVE_ID: u32 = 2;
const ICW4_8086: u32 = 1;
const ALL: u32 = 0xff;

/** A spurious interrupt cannot be masked: it comes as request 7 or 15 of the vectors from `base`. */
export function init(base: u32): void {
  x86.out8(MASTER_COMMAND, ICW1_INIT_WITH_ICW4);
  x86.out8(SLAVE_COMMAND, ICW1_INIT_WITH_ICW4);
  x86.out8(MASTER_DATA, base);
  x86.out8(SLAVE_DATA, base + 8);
  x86.out8(MASTER_DATA, ICW3_SLAVE_ON_2);
  x86.out8(SLAVE_DATA, ICW3_SLAVE_ID);
  x86.out8(MASTER_DATA, ICW4_8086);
  x86.out8(SLAVE_DATA, ICW4_8086);
  x86.out8(MASTER_DATA, ALL);
  x86.out8(SLAVE_DATA, ALL);
}
