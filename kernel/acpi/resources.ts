// Devices that the firmware describes by AML alone: just enough to find `Device () { Name (_HID, "…") … Name (_CRS,
// ResourceTemplate () { … }) }` in a definition block by its bytes, as aml.ts finds \_S5. The resource templates (ACPI 6.4
// §6.4) of such a device are data, and name its registers and its interrupt.

const NAME_OP: u32 = 0x08;
const STRING_PREFIX: u32 = 0x0d;
const BUFFER_OP: u32 = 0x11;
const HID_NAME: u32 = 0x4449_485f; // '_HID'
const CRS_NAME: u32 = 0x5352_435f; // '_CRS'
/** From a device's name to its resources: other short names come between. */
const CRS_DISTANCE_MAX: u32 = 64;

// Resource data types (§6.4.2, §6.4.3): small items have their length in the tag.
const LARGE: u32 = 0x80;
const SMALL_LENGTH: u32 = 7;
const SMALL_END: u32 = 0x78;
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
      if (this.findTemplate()) return true;
    }
    return false;
  }

  private findTemplate(): bool {
    const last = min(this.at + CRS_DISTANCE_MAX, this.end);
    for (let at = this.at; at + 8 <= last; at++) {
      if (load<u8>(at) !== NAME_OP || load<u32>(at + 1) !== CRS_NAME || load<u8>(at + 5) !== BUFFER_OP)
        continue;
      // §20.2.4: the top bits of PkgLength's first byte count the others; then the buffer's size, which an encoded
      // integer tells and the end tag tells too.
      at += 6;
      at += 1 + (load<u8>(at) >> 6);
      if (at >= this.end) return false;
      const prefix: u32 = load<u8>(at);
      at += prefix === 0x0a ? 2 : prefix === 0x0b ? 3 : prefix === 0x0c ? 5 : 1;
      this.readTemplate(at);
      return true;
    }
    return false;
  }

  private readTemplate(at: u32): void {
    const found = new Resources();
    this.resources = found;
    while (at + 3 <= this.end) {
      const tag: u32 = load<u8>(at);
      const large = (tag & LARGE) !== 0;
      const bytes: u32 = large ? load<u16>(at + 1) : tag & SMALL_LENGTH;
      const body = at + (large ? 3 : 1);
      if ((!large && (tag & ~SMALL_LENGTH) === SMALL_END) || bytes > this.end - body) return;
      if (tag === MEMORY32_FIXED && bytes >= MEMORY32_FIXED_BYTES && found.bytes === 0) {
        found.address = load<u32>(body + 1);
        found.bytes = load<u32>(body + 5);
      } else if (tag === EXTENDED_INTERRUPT && bytes >= EXTENDED_INTERRUPT_BYTES && !found.hasInterrupt) {
        found.hasInterrupt = true;
        found.activeLow = (load<u8>(body) & INTERRUPT_ACTIVE_LOW) !== 0;
        found.gsi = load<u32>(body + 2);
      }
      at = body + bytes;
    }
  }
}
