// A channel of the 8254 timer, whose count can be read: a clock of known rate to measure others by. It is channel 2, whose
// interrupt goes nowhere; or channel 0, whose is masked, on machines without the port that gates channel 2 (microvm).

import * as x86 from '../x86.ts';
import { Reference } from './reference.ts';

const PIT_HZ: u32 = 1_193_182;
const COUNTER: u32 = 0x40; // of channel 0
const MODE: u32 = 0x43;
const CONTROL_B: u32 = 0x61; // port B of the old 8255

// Intel 8254 data sheet, control words: low byte then high byte, mode 0 (down once, then the output rises); the count
// latched to be read; the status latched, with the output in its top bit.
const CHANNEL_SHIFT: u32 = 6;
const MODE_ONCE: u32 = 0x30;
const LATCH: u32 = 0x00;
const READ_BACK_STATUS: u32 = 0xe0; // of the channels whose bits from 1 on are set
const STATUS_OUTPUT: u32 = 1 << 7;
const GATE_2: u32 = 1 << 0;
const SPEAKER: u32 = 1 << 1;

const COUNT_MAX: u32 = 0xffff; // 54.9 ms

export class Pit extends Reference {
  private channel: u32 = 2;

  constructor() {
    super('PIT');
  }

  hz(): u64 {
    return PIT_HZ;
  }

  measureCounts(): u32 {
    return PIT_HZ / 1000;
  }

  /** Where there is no PIT it stays at 0. */
  start(): bool {
    x86.out8(CONTROL_B, (x86.in8(CONTROL_B) & ~SPEAKER) | GATE_2);
    this.channel = (x86.in8(CONTROL_B) & (GATE_2 | SPEAKER)) === GATE_2 ? 2 : 0;
    x86.out8(MODE, (this.channel << CHANNEL_SHIFT) | MODE_ONCE);
    x86.out8(COUNTER + this.channel, COUNT_MAX & 0xff);
    x86.out8(COUNTER + this.channel, COUNT_MAX >> 8);
    return true;
  }

  elapsed(): u32 {
    x86.out8(MODE, (this.channel << CHANNEL_SHIFT) | LATCH);
    const low = x86.in8(COUNTER + this.channel);
    return COUNT_MAX - (low | (x86.in8(COUNTER + this.channel) << 8));
  }

  ended(): bool {
    x86.out8(MODE, READ_BACK_STATUS | (2 << this.channel));
    return (x86.in8(COUNTER + this.channel) & STATUS_OUTPUT) !== 0;
  }
}
