// The high precision event timer's main counter (IA-PC HPET Specification 1.0a), a clock of known rate that is read by one
// access of memory. Its timers are not used.

import { findHpet } from '../acpi/hpet.ts';
import { mapDevice } from '../mm/map.ts';
import * as x86 from '../x86.ts';
import { Reference } from './reference.ts';

// Registers (§2.3.1).
const PERIOD_FS: u32 = 0x004; // the capabilities' upper half
const CONFIGURATION: u32 = 0x010;
const COUNTER: u32 = 0x0f0; // its lower half
const REGISTERS_BYTES: u32 = 0x400;

const ENABLE: u32 = 1 << 0; // §2.3.5
const PERIOD_FS_MAX: u32 = 100_000_000; // §2.3.4: 100 ns
const FS_PER_SECOND: u64 = 1_000_000_000_000_000;

/** A count is at most a tenth of the PIT's, so half its time is as good. */
const MEASURE_HZ: u64 = 2000;

export class Hpet extends Reference {
  private registers: u32 = 0;
  private period_fs: u32 = 0;
  private first: u32 = 0;

  constructor() {
    super('HPET');
  }

  hz(): u64 {
    return FS_PER_SECOND / this.period_fs;
  }

  measureCounts(): u32 {
    return (this.hz() / MEASURE_HZ) as u32;
  }

  start(): bool {
    if (this.registers === 0) {
      const address = findHpet();
      if (address !== 0) this.registers = mapDevice(address, REGISTERS_BYTES);
      if (this.registers === 0) return false;
    }
    this.period_fs = x86.load32(this.registers + PERIOD_FS);
    if (this.period_fs === 0 || this.period_fs > PERIOD_FS_MAX) return false;
    const configuration = this.registers + CONFIGURATION;
    x86.store32(configuration, x86.load32(configuration) | ENABLE);
    this.first = x86.load32(this.registers + COUNTER);
    return true;
  }

  elapsed(): u32 {
    return x86.load32(this.registers + COUNTER) - this.first;
  }

  /** 32 bits last 42 seconds and more. */
  ended(): bool {
    return false;
  }
}
