// The MC146818 clock and its CMOS memory, ports 0x70 and 0x71: the date at which the machine was switched on, which is
// an option and not the host's, and the time since then.

import type { AddressSpace } from '../bus/space.ts';
import type { Clock } from '../time/clock.ts';

const STATUS_A = 0x0a;
const STATUS_B = 0x0b;
const STATUS_D = 0x0d;
const CENTURY = 0x32;
const DIVIDER_32768_HZ = 0x26;
const HOURS_24 = 1 << 1;
const VALID = 1 << 7;

/** By register; in BCD, as status B says. */
const FIELDS: Record<number, (date: Date) => number> = {
  0: (date) => date.getUTCSeconds(),
  2: (date) => date.getUTCMinutes(),
  4: (date) => date.getUTCHours(),
  6: (date) => date.getUTCDay() + 1,
  7: (date) => date.getUTCDate(),
  8: (date) => date.getUTCMonth() + 1,
  9: (date) => date.getUTCFullYear() % 100,
  [CENTURY]: (date) => Math.floor(date.getUTCFullYear() / 100),
};

export class Cmos {
  private readonly clock: Clock;
  private readonly start_ms: number;
  private readonly memory = new Uint8Array(128);
  private index = 0;

  constructor(ports: AddressSpace, clock: Clock, start: Date) {
    this.clock = clock;
    this.start_ms = start.getTime();
    this.memory[STATUS_A] = DIVIDER_32768_HZ;
    this.memory[STATUS_B] = HOURS_24;
    this.memory[STATUS_D] = VALID;
    ports.map(0x70, 2, {
      read: (offset) => (offset === 0 ? 0xff : this.read()),
      write: (offset, _width, value) => {
        if (offset === 0) this.index = value & 0x7f;
        else if (FIELDS[this.index] === undefined) this.memory[this.index] = value;
      },
    });
  }

  private read(): number {
    const field = FIELDS[this.index];
    if (field === undefined) return this.memory[this.index];
    const value = field(new Date(this.start_ms + this.clock.now_ns / 1e6));
    return (Math.floor(value / 10) << 4) | (value % 10);
  }
}
