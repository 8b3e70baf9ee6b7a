// The MC146818 clock and its CMOS memory, ports 0x70 and 0x71: the date at which the machine was switched on, which is
// an option and not the host's, and the time since then.

import type { AddressSpace, Registers } from '../bus/space.ts';
import type { Clock } from '../time/clock.ts';

const STATUS_A = 0x0a;
const STATUS_B = 0x0b;
const STATUS_D = 0x0d;
const CENTURY = 0x32;
const HOURS = 4;
const DIVIDER_32768_HZ = 0x26;
const UPDATING = 1 << 7;
/** An update ends a second; what the date reads as meanwhile is undefined. The clock tells of it beforehand. */
const UPDATE_MS = 1.984;
const NOTICE_MS = 0.244;
const UNDEFINED = 0xff;
const HOURS_24 = 1 << 1;
const BINARY = 1 << 2;
const AFTERNOON = 1 << 7;
const VALID = 1 << 7;

/** By register. */
const FIELDS: Record<number, (date: Date) => number> = {
  0: (date) => date.getUTCSeconds(),
  2: (date) => date.getUTCMinutes(),
  [HOURS]: (date) => date.getUTCHours(),
  6: (date) => date.getUTCDay() + 1,
  7: (date) => date.getUTCDate(),
  8: (date) => date.getUTCMonth() + 1,
  9: (date) => date.getUTCFullYear() % 100,
  [CENTURY]: (date) => Math.floor(date.getUTCFullYear() / 100),
};

export class Cmos implements Registers {
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
    ports.map(0x70, 2, this);
  }

  read(offset: number): number {
    if (offset === 0) return 0xff;
    const now_ms = this.start_ms + this.clock.now_ns / 1e6;
    const left_ms = 1000 - (now_ms % 1000);
    if (this.index === STATUS_A && left_ms <= NOTICE_MS + UPDATE_MS) return this.memory[STATUS_A] | UPDATING;
    const field = FIELDS[this.index];
    if (field === undefined) return this.memory[this.index];
    if (left_ms <= UPDATE_MS) return UNDEFINED;
    return this.encode(field(new Date(now_ms)));
  }

  write(offset: number, _width: number, value: number): void {
    if (offset === 0) this.index = value & 0x7f;
    else if (FIELDS[this.index] === undefined) this.memory[this.index] = value;
  }

  /** As status B says. */
  private encode(value: number): number {
    const status = this.memory[STATUS_B];
    const number = (n: number) => (status & BINARY ? n : (Math.floor(n / 10) << 4) | (n % 10));
    if (this.index !== HOURS || status & HOURS_24) return number(value);
    return number(value % 12 || 12) | (value >= 12 ? AFTERNOON : 0);
  }
}
