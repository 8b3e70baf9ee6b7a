// A function's list of capabilities (PCI 3.0 §6.7). The pointers come from the device, so a list that loops or points
// into the header ends there, and says so.

import { log } from '../../lib/log.ts';
import * as config from './config.ts';

export const ID_VENDOR: u32 = 0x09;
export const ID_MSIX: u32 = 0x11;

const FIRST_OFFSET: u32 = 0x40;
/** A capability takes 4 bytes at least, so that there cannot be more of them. */
const CAPABILITIES_MAX: u32 = (256 - 0x40) / 4;

/** Walks the list: `while (list.next()) … list.id … list.offset`. */
export class Capabilities {
  offset: u32 = 0;
  id: u32 = 0;
  private pointer: u32 = 0;
  private steps: u32 = 0;

  constructor(
    private readonly address: u32,
    private readonly name: string,
  ) {
    if (config.read16(address, config.STATUS) & config.STATUS_CAPABILITIES) {
      this.pointer = config.read8(address, config.CAPABILITIES);
    }
  }

  next(): bool {
    this.offset = this.pointer & ~3; // §6.7: the low bits are reserved
    if (this.offset === 0) return false;
    if (this.offset < FIRST_OFFSET || this.steps === CAPABILITIES_MAX) {
      log('pci')
        .text(this.name)
        .text(': the capability list ')
        .text(this.offset < FIRST_OFFSET ? 'leaves its area' : 'loops')
        .end();
      this.pointer = 0;
      return false;
    }
    this.steps++;
    const header = config.read16(this.address, this.offset);
    this.id = header & 0xff;
    this.pointer = header >> 8;
    return true;
  }
}
