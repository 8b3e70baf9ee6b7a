// The IOAPIC (Intel 82093AA data sheet): interrupt lines to messages. Lines are levels here; a line that is edge-
// triggered sends when it rises, a level-triggered one whenever it is high and not in service.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';

export const IOAPIC_ADDRESS = 0xfec0_0000;
/** The second one, of a machine that has two. */
export const IOAPIC_2_ADDRESS = 0xfec1_0000;
export const IOAPIC_PINS = 24;

const SELECT = 0x00;
const WINDOW = 0x10;
const END_OF_INTERRUPT = 0x40; // from version 0x20 on
const REGISTER_ID = 0;
const REGISTER_VERSION = 1;
const REGISTER_ARBITRATION = 2;
const REGISTER_TABLE = 0x10;
const VERSION = 0x20 | ((IOAPIC_PINS - 1) << 16);

const REMOTE_IRR = 1 << 14;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const READ_ONLY = (1 << 12) | REMOTE_IRR;

/** Gives `vector` to the CPU with APIC ID `destination`. */
export type Request = (destination: number, vector: number, level: boolean) => void;

export class IoApic implements Registers {
  private readonly request: Request;
  private readonly low = new Uint32Array(IOAPIC_PINS).fill(MASKED);
  private readonly high = new Uint32Array(IOAPIC_PINS);
  private readonly lines = new Uint8Array(IOAPIC_PINS);
  private selected = 0;
  private id = 0;

  constructor(memory: AddressSpace, request: Request, address = IOAPIC_ADDRESS) {
    this.request = request;
    memory.map(address, 0x1000, this);
  }

  set(pin: number, high: boolean): void {
    const rises = high && this.lines[pin] === 0;
    this.lines[pin] = high ? 1 : 0;
    if (high && (rises || this.low[pin] & LEVEL)) this.service(pin);
  }

  /** A CPU has finished the level-triggered interrupt `vector`. */
  end(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const entry = this.low[pin];
      if ((entry & 0xff) !== vector || !(entry & LEVEL) || !(entry & REMOTE_IRR)) continue;
      this.low[pin] &= ~REMOTE_IRR;
      if (this.lines[pin]) this.service(pin);
    }
  }

  read(offset: number, _width: Width): number {
    if (offset === SELECT) return this.selected;
    if (offset !== WINDOW) return 0;
    if (this.selected === REGISTER_ID || this.selected === REGISTER_ARBITRATION) return this.id << 24;
    if (this.selected === REGISTER_VERSION) return VERSION;
    const pin = (this.selected - REGISTER_TABLE) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return 0;
    return this.selected & 1 ? this.high[pin] : this.low[pin];
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === SELECT) this.selected = value & 0xff;
    else if (offset === END_OF_INTERRUPT) this.end(value & 0xff);
    else if (offset === WINDOW) this.writeSelected(value);
  }

  private writeSelected(value: number): void {
    if (this.selected === REGISTER_ID) this.id = (value >>> 24) & 15;
    const pin = (this.selected - REGISTER_TABLE) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return;
    if (this.selected & 1) {
      this.high[pin] = value;
      return;
    }
    this.low[pin] = (value & ~READ_ONLY) | (this.low[pin] & READ_ONLY);
    if (!(value & LEVEL)) this.low[pin] &= ~REMOTE_IRR;
    if (this.lines[pin] && this.low[pin] & LEVEL) this.service(pin);
  }

  private service(pin: number): void {
    const entry = this.low[pin];
    if (entry & MASKED || entry & REMOTE_IRR) return;
    const level = (entry & LEVEL) !== 0;
    if (level) this.low[pin] |= REMOTE_IRR;
    this.request(this.high[pin] >>> 24, entry & 0xff, level);
  }
}
