// MSI (PCI 3.0 §6.8.1): one message, its address and data in the capability; of 64 bits, and without a mask, as QEMU's switches
// have it, or with one, as its bridges.

import type { PciFunction } from './function.ts';
import { sendMessage } from './message.ts';

const CAPABILITY = 0x05;
const CONTROL = 2;
const ADDRESS = 4;
const ADDRESS_HIGH = 8;
const DATA = 12;
const MASK = 16;
const BODY_BYTES = 12;
const BODY_BYTES_MASKED = 22;
const CONTROL_ENABLE = 1 << 0;
const CONTROL_COUNT = 7 << 4;
const CONTROL_64 = 1 << 7;
const CONTROL_MASK = 1 << 8;

export class Msi {
  private readonly fn: PciFunction;
  private readonly capability: number;

  constructor(fn: PciFunction, at?: number, masked = false) {
    this.fn = fn;
    const space = fn.config;
    this.capability = space.addCapability(
      CAPABILITY,
      new Uint8Array(masked ? BODY_BYTES_MASKED : BODY_BYTES),
      at,
    );
    space.set16(this.capability + CONTROL, CONTROL_64 | (masked ? CONTROL_MASK : 0));
    if (masked) space.setWritable(this.capability + MASK, 1, 4);
    space.setWritable(this.capability + CONTROL, CONTROL_ENABLE | CONTROL_COUNT, 2);
    space.setWritable(this.capability + ADDRESS, 0xffff_fffc, 4);
    space.setWritable(this.capability + ADDRESS_HIGH, 0xffff_ffff, 4);
    space.setWritable(this.capability + DATA, 0xffff, 2);
  }

  get enabled(): boolean {
    return (this.fn.config.get16(this.capability + CONTROL) & CONTROL_ENABLE) !== 0;
  }

  notify(): void {
    if (!this.enabled) return;
    const space = this.fn.config;
    const masked = (space.get16(this.capability + CONTROL) & CONTROL_MASK) !== 0;
    if (masked && (space.get32(this.capability + MASK) & 1) !== 0) return;
    const high = space.get32(this.capability + ADDRESS_HIGH);
    const address = high * 2 ** 32 + space.get32(this.capability + ADDRESS);
    sendMessage(this.fn, 0, address, space.get16(this.capability + DATA));
  }
}
