// The high precision event timer (IA-PC HPET Specification 1.0a §2.3): its main counter, at QEMU's rate, on the virtual
// clock. Its timers are not there.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';
import type { Clock } from '../time/clock.ts';

export const HPET_ADDRESS = 0xfed0_0000;
/** The lower half of the capabilities, which the HPET table repeats: Intel's, 64 bits. */
export const HPET_ID = 0x8086_a201;

const PERIOD_FS = 0x004;
const CONFIGURATION = 0x010;
const COUNTER = 0x0f0;
const BYTES = 0x400;

const ENABLE = 1 << 0;
const PERIOD_NS = 10;

export class Hpet implements Registers {
  private readonly clock: Clock;
  private configuration = 0;
  /** What was counted before it was last enabled, and when that was. */
  private counted = 0;
  private since_ns = 0;

  constructor(memory: AddressSpace, clock: Clock) {
    this.clock = clock;
    memory.map(HPET_ADDRESS, BYTES, this);
  }

  read(offset: number, _width: Width): number {
    if (offset === 0) return HPET_ID;
    if (offset === PERIOD_FS) return PERIOD_NS * 1e6;
    if (offset === CONFIGURATION) return this.configuration;
    if (offset === COUNTER) return this.count % 2 ** 32;
    return offset === COUNTER + 4 ? Math.floor(this.count / 2 ** 32) : 0;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset !== CONFIGURATION) return;
    this.counted = this.count;
    this.since_ns = this.clock.now_ns;
    this.configuration = value & ENABLE;
  }

  private get count(): number {
    const { configuration, counted, clock, since_ns } = this;
    return counted + (configuration & ENABLE ? Math.floor((clock.now_ns - since_ns) / PERIOD_NS) : 0);
  }
}
