// The two 8259A interrupt controllers (Intel data sheet), the slave on the master's input 2. The kernel masks them,
// but what is not masked comes through LINT0 as on a PC.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';

const ICW1 = 1 << 4;
const ICW1_WITH_ICW4 = 1 << 0;
const OCW3 = 1 << 3;
const OCW3_READ_IN_SERVICE = 3;
const OCW3_READ_REQUESTED = 2;
const OCW2_EOI = 1 << 5;
const OCW2_SPECIFIC = 1 << 6;
const ICW4_AUTO_EOI = 1 << 1;
const CASCADE = 2;

class Chip implements Registers {
  requested = 0;
  inService = 0;
  mask = 0;
  private lines = 0;
  private base = 0;
  private step = 0;
  private withIcw4 = false;
  private autoEoi = false;
  private readInService = false;

  constructor(base: number) {
    this.base = base;
  }

  /** Edge-triggered: a rising line is a request. */
  set(line: number, high: boolean): void {
    const bit = 1 << line;
    if (high && (this.lines & bit) === 0) this.requested |= bit;
    if (!high) this.requested &= ~bit;
    this.lines = high ? this.lines | bit : this.lines & ~bit;
  }

  /** The request to be served now, -1: none. Lower numbers have priority. */
  pending(): number {
    const waiting = this.requested & ~this.mask;
    for (let line = 0; line < 8; line++) {
      if (this.inService & (1 << line)) return -1;
      if (waiting & (1 << line)) return line;
    }
    return -1;
  }

  acknowledge(line: number): number {
    if (!this.autoEoi) this.inService |= 1 << line;
    this.requested &= ~(1 << line);
    return this.base + line;
  }

  read(offset: number, _width: Width): number {
    if (offset === 1) return this.mask;
    return this.readInService ? this.inService : this.requested;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === 0) this.writeCommand(value);
    else if (this.step === 0) this.mask = value & 0xff;
    else this.writeInitialisation(value);
  }

  private writeCommand(value: number): void {
    if (value & ICW1) {
      this.step = 2;
      this.withIcw4 = (value & ICW1_WITH_ICW4) !== 0;
      this.requested = 0;
      this.inService = 0;
      this.mask = 0;
      this.autoEoi = false;
    } else if (value & OCW3) {
      if ((value & 3) === OCW3_READ_IN_SERVICE) this.readInService = true;
      else if ((value & 3) === OCW3_READ_REQUESTED) this.readInService = false;
    } else if (value & OCW2_EOI) {
      const line = value & OCW2_SPECIFIC ? value & 7 : 31 - Math.clz32(this.inService & -this.inService);
      if (line >= 0) this.inService &= ~(1 << line);
    }
  }

  private writeInitialisation(value: number): void {
    if (this.step === 2) this.base = value & 0xf8;
    if (this.step === 4) this.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
    this.step = this.step === 2 ? 3 : this.step === 3 && this.withIcw4 ? 4 : 0;
  }
}

export class Pic {
  // As the firmware leaves them.
  private readonly master = new Chip(0x08);
  private readonly slave = new Chip(0x70);

  constructor(ports: AddressSpace) {
    ports.map(0x20, 2, this.master);
    ports.map(0xa0, 2, this.slave);
    this.master.mask = 0xff;
    this.slave.mask = 0xff;
  }

  /** Sets interrupt line 0 … 15. */
  set(line: number, high: boolean): void {
    if (line < 8) this.master.set(line, high);
    else this.slave.set(line - 8, high);
    this.master.set(CASCADE, this.slave.pending() >= 0);
  }

  get pending(): boolean {
    return this.master.pending() >= 0;
  }

  /** Gives the processor the vector of the request to be served; -1: there is none. */
  acknowledge(): number {
    const line = this.master.pending();
    if (line !== CASCADE) return line < 0 ? -1 : this.master.acknowledge(line);
    this.master.acknowledge(line);
    const below = this.slave.pending();
    const vector = below < 0 ? -1 : this.slave.acknowledge(below);
    this.master.set(CASCADE, false);
    this.master.set(CASCADE, this.slave.pending() >= 0);
    return vector;
  }
}
