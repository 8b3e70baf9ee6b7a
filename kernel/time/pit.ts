// Channel 2 of the 8254 timer, whose output can be read: a known time to measure other clocks by.

import * as x86 from '../x86.ts';

const PIT_HZ: u32 = 1_193_182;
const CHANNEL_2: u32 = 0x42;
const MODE: u32 = 0x43;
const CONTROL_B: u32 = 0x61; // port B of the old 8255

// Intel 8254 data sheet, control word: channel 2, low byte then high byte, mode 0: the output rises at the end.
const MODE_CHANNEL_2_ONCE: u32 = 0xb0;
const GATE_2: u32 = 1 << 0;
const SPEAKER: u32 = 1 << 1;
const OUTPUT_2: u32 = 1 << 5;

/** A read of the port takes about 1 µs on real hardware and less on a virtual one. */
const POLLS_MAX: u32 = 1_000_000;

/** Starts to count `microseconds`, at most 50,000. */
export function start(microseconds: u32): void {
  const count = ((PIT_HZ / 100) * microseconds) / 10_000;
  x86.out8(CONTROL_B, (x86.in8(CONTROL_B) & ~SPEAKER) | GATE_2);
  x86.out8(MODE, MODE_CHANNEL_2_ONCE);
  x86.out8(CHANNEL_2, count & 0xff);
  x86.out8(CHANNEL_2, count >> 8);
}

/** False if the time never ends: there is no PIT. */
export function awaitEnd(): bool {
  // With no PIT the port reads as all ones, which would look like the end at once.
  if (x86.in8(CONTROL_B) & OUTPUT_2) return false;
  for (let polls: u32 = 0; polls < POLLS_MAX; polls++) if (x86.in8(CONTROL_B) & OUTPUT_2) return true;
  return false;
}
