// Channel 2 of the 8254 timer, whose count can be read: a clock of known rate to measure others by.

import * as x86 from '../x86.ts';

export const PIT_HZ: u32 = 1_193_182;
const CHANNEL_2: u32 = 0x42;
const MODE: u32 = 0x43;
const CONTROL_B: u32 = 0x61; // port B of the old 8255

// Intel 8254 data sheet, control words: channel 2, low byte then high byte, mode 0 (down once, then the output rises);
// and its count, latched to be read.
const MODE_CHANNEL_2_ONCE: u32 = 0xb0;
const LATCH_CHANNEL_2: u32 = 0x80;
const GATE_2: u32 = 1 << 0;
const SPEAKER: u32 = 1 << 1;
const OUTPUT_2: u32 = 1 << 5;

const COUNT_MAX: u32 = 0xffff; // 54.9 ms

/** Starts to count from 0. */
export function start(): void {
  x86.out8(CONTROL_B, (x86.in8(CONTROL_B) & ~SPEAKER) | GATE_2);
  x86.out8(MODE, MODE_CHANNEL_2_ONCE);
  x86.out8(CHANNEL_2, COUNT_MAX & 0xff);
  x86.out8(CHANNEL_2, COUNT_MAX >> 8);
}

/** Counts since start(). Where there is no PIT it stays at 0. */
export function elapsed(): u32 {
  x86.out8(MODE, LATCH_CHANNEL_2);
  const low = x86.in8(CHANNEL_2);
  return COUNT_MAX - (low | (x86.in8(CHANNEL_2) << 8));
}

/** Whether the count has come to its end, and elapsed() is of no use any more. */
export function ended(): bool {
  return (x86.in8(CONTROL_B) & OUTPUT_2) !== 0;
}
