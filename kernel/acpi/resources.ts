// Devices that the firmware describes by AML alone: just enough to find `Device () { Name (_HID, "…") … Name (_CRS,
// ResourceTemplate () { … }) }` in a definition block by its bytes, as aml.ts finds \_S5. The resource templates (ACPI 6.4
// §6.4) of such a device are data, and name its registers and its interrupt.

import { findTemplate, openTemplate } from './template.ts';

const NAME_OP: u32 = 0x08;
const STRING_PREFIX: u32 = 0x0d;
const HID_NAME: u32 = 0x4449_485f; // '_HID'
/** From a device's name to its resources: other short names come between. */
const CRS_DISTANCE_MAX: u32 = 64;

// Large items of a template (§6.4.3).
const MEMORY32_FIXED: u32 = 0x86; // §6.4.3.4
const MEMORY32_FIXED_BYTES: u32 = 9;
const EXTENDED_INTERRUPT: u32 = 0x89; // §6.4.3.6
const EXTENDED_INTERRUPT_BYTES: u32 = 6;
const INTERRUPT_ACTIVE_LOW: u32 = 1 << 2;

/** The first of each kind; 0 bytes: it has no registers. */
export class Resources {
  address: u32 = 0;
  bytes: u32 = 0;
  hasInterrupt: bool = false;
  gsi: u32 = 0;
  activeLow: bool = false;
}

/** Walks the devices of one hardware id in a definition block: `while (devices.next()) … devices.resources`. */
export class AmlDevices {
  resources: Resources = new Resources();
  private at: u32;

  constructor(
    /** Address and end of the block's AML. */
    start: u32,
    private readonly end: u32,
    /** The id as its first eight characters, which are all: `LNRO0005`. */
    private readonly id: u64,
  ) {
    this.at = start;
  }

  next(): bool {
    for (; this.at + 15 <= this.end; this.at++) {
      const at = this.at;
      const named =
        load<u8>(at) === NAME_OP &&
        load<u32>(at + 1) === HID_NAME &&
        load<u8>(at + 5) === STRING_PREFIX &&
        load<u64>(at + 6) === this.id &&
        load<u8>(at + 14) === 0;
      if (!named) continue;
      this.at += 15;
      if (this.readResources()) return true;
    }
    return false;
  }

  private readResources(): bool {
    const at = findTemplate(this.at, min(this.at + CRS_DISTANCE_MAX, this.end));
    if (at === 0) return false;
    const items = openTemplate(at, this.end);
    const found = new Resources();
    this.resources = found;
    while (items.next()) {
      if (items.tag === MEMORY32_FIXED && items.bytes >= MEMORY32_FIXED_BYTES && found.bytes === 0) {
        found.address = load<u32>(items.body + 1);
        found.bytes = load<u32>(items.body + 5);
      } else if (
        items.tag === EXTENDED_INTERRUPT &&
        items.bytes >= EXTENDED_INTERRUPT_BYTES &&
        !found.hasInterrupt
      ) {
        found.hasInterrupt = true;
        found.activeLow = (load<u8>(items.body) & INTERRUPT_ACTIVE_LOW) !== 0;
        found.gsi = load<u32>(items.body + 2);
      }
    }
    return true;
  }
}
