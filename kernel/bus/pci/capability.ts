// A function's list of capabilities (PCI 3.0 §6.7). The pointers come from the device, so a list that loops or points
// into the header ends there, and says so. PCI Express has a second list, in the space above (Base 4.0 §7.6.3).

import { log } from '../../lib/log.ts';
import * as config from './config.ts';

export const ID_MSI: u32 = 0x05;
export const ID_VENDOR: u32 = 0x09;
export const ID_STANDARD_HOT_PLUG: u32 = 0x0c;
export const ID_EXPRESS: u32 = 0x10;
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

const FIRST_EXTENDED: u32 = 0x100;
const EXTENDED_MAX: u32 = (config.BYTES_EXTENDED - FIRST_EXTENDED) / 4;
const NOTHING: u32 = 0xffff_ffff; // what conventional PCI answers up there

/** Not on conventional PCI, and not by mechanism #1. */
export function hasExtendedSpace(address: u32): bool {
  return config.read32(address, FIRST_EXTENDED) !== NOTHING;
}

/** Walks the list of extended capabilities, which is empty where configuration space ends at 256 bytes. */
export class ExtendedCapabilities {
  offset: u32 = 0;
  id: u32 = 0;
  version: u32 = 0;
  private pointer: u32 = 0;
  private steps: u32 = 0;

  constructor(
    private readonly address: u32,
    private readonly name: string,
  ) {
    // §7.6.3: without capabilities, the first header is 0.
    if (hasExtendedSpace(address) && config.read32(address, FIRST_EXTENDED) !== 0)
      this.pointer = FIRST_EXTENDED;
  }

  next(): bool {
    this.offset = this.pointer & ~3;
    if (this.offset === 0) return false;
    if (this.offset < FIRST_EXTENDED || this.steps === EXTENDED_MAX) {
      log('pci').text(this.name).text(': the list of extended capabilities goes astray').end();
      this.pointer = 0;
      return false;
    }
    this.steps++;
    const header = config.read32(this.address, this.offset);
    this.id = header & 0xffff;
    this.version = (header >> 16) & 0xf;
    this.pointer = header >> 20;
    return true;
  }
}
