// The 8254 timer (Intel data sheet) on the virtual clock, and port 0x61, which gates channel 2 and shows its output;
// microvm does not have that. Channel 0 raises interrupt line 0; channel 2 is what kernels measure other clocks by.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';
import type { Clock, TimedEvent } from '../time/clock.ts';
import type { Pic } from './pic.ts';

const PIT_HZ = 1_193_182;
const ACCESS_LOW_HIGH = 3;
const READ_BACK_NO_STATUS = 1 << 4;
const MODE_RATE = 2;
const MODE_SQUARE = 3;

class Channel {
  mode = 0;
  private readonly clock: Clock;
  private reload = 0x1_0000;
  private start_ns = 0;
  private gated = true;
  private access = ACCESS_LOW_HIGH;
  private latched = -1;
  private status = -1;
  private readHigh = false;
  private writeLow = -1;
  private event: TimedEvent | undefined;
  private readonly tick: (() => void) | undefined;

  constructor(clock: Clock, tick?: () => void) {
    this.clock = clock;
    this.tick = tick;
  }

  control(value: number): void {
    const access = (value >> 4) & 3;
    if (access === 0) {
      if (this.latched < 0) this.latched = this.count();
      return;
    }
    this.access = access;
    this.mode = (value >> 1) & 7;
    this.latched = -1;
    this.readHigh = false;
    this.writeLow = -1;
    this.clock.cancel(this.event);
  }

  write(value: number): void {
    if (this.access === 1) this.load(value);
    else if (this.access === 2) this.load(value << 8);
    else if (this.writeLow < 0) this.writeLow = value;
    else {
      this.load((value << 8) | this.writeLow);
      this.writeLow = -1;
    }
  }

  /** The read-back command, of the status. */
  latchStatus(): void {
    if (this.status < 0) this.status = (this.output ? 0x80 : 0) | (this.access << 4) | (this.mode << 1);
  }

  read(): number {
    const { status } = this;
    this.status = -1;
    if (status >= 0) return status;
    const value = this.latched >= 0 ? this.latched : this.count();
    if (this.access !== ACCESS_LOW_HIGH) {
      this.latched = -1;
      return this.access === 1 ? value & 0xff : (value >> 8) & 0xff;
    }
    const high = this.readHigh;
    this.readHigh = !high;
    if (high) this.latched = -1;
    return high ? (value >> 8) & 0xff : value & 0xff;
  }

  set gate(on: boolean) {
    if (on && !this.gated) this.start_ns = this.clock.now_ns;
    this.gated = on;
  }

  /** Mode 0: the output rises when the count has come to its end. */
  get output(): boolean {
    return this.mode === 0 ? this.ticks() >= this.reload : (this.ticks() % this.reload) * 2 < this.reload;
  }

  private load(count: number): void {
    this.reload = count === 0 ? 0x1_0000 : count;
    this.start_ns = this.clock.now_ns;
    this.scheduleTick();
  }

  private ticks(): number {
    return this.gated ? Math.floor(((this.clock.now_ns - this.start_ns) * PIT_HZ) / 1e9) : 0;
  }

  private count(): number {
    const ticks = this.ticks();
    const left = this.mode === 0 ? this.reload - ticks : this.reload - (ticks % this.reload);
    return left & 0xffff;
  }

  private scheduleTick(): void {
    this.clock.cancel(this.event);
    this.event = undefined;
    if (this.tick === undefined) return;
    const delay_ns = (this.reload * 1e9) / PIT_HZ;
    this.event = this.clock.schedule(delay_ns, () => {
      this.tick?.();
      if (this.mode === MODE_RATE || this.mode === MODE_SQUARE) this.scheduleTick();
    });
  }
}

export class Pit implements Registers {
  private readonly channels: Channel[];
  private speaker = 0;

  constructor(ports: AddressSpace, clock: Clock, pic: Pic, portB = true) {
    const tick = () => {
      pic.set(0, false);
      pic.set(0, true);
    };
    this.channels = [new Channel(clock, tick), new Channel(clock), new Channel(clock)];
    this.channels[2].gate = false;
    ports.map(0x40, 4, this);
    if (!portB) return;
    ports.map(0x61, 1, {
      read: () => this.readPortB(),
      write: (_offset, _width, value) => this.writePortB(value),
    });
  }

  read(offset: number, _width: Width): number {
    return offset < 3 ? this.channels[offset].read() : 0;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset < 3) this.channels[offset].write(value & 0xff);
    else if (value >> 6 < 3) this.channels[value >> 6].control(value);
    else if ((value & READ_BACK_NO_STATUS) === 0) {
      for (const [i, channel] of this.channels.entries()) if (value & (2 << i)) channel.latchStatus();
    }
  }

  private readPortB(): number {
    return this.speaker | (this.channels[2].output ? 1 << 5 : 0);
  }

  private writePortB(value: number): void {
    this.speaker = value & 3;
    this.channels[2].gate = (value & 1) !== 0;
  }
}
