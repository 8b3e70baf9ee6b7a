// Resource templates (ACPI 6.4 §6.4): `Name (_CRS, ResourceTemplate () { … })` in a definition block is data, a list of
// items, and can be read without running AML.

const NAME_OP: u32 = 0x08;
const BUFFER_OP: u32 = 0x11;
const CRS_NAME: u32 = 0x5352_435f; // '_CRS'

// §6.4.2, §6.4.3: small items have their length in the tag.
const LARGE: u32 = 0x80;
const SMALL_LENGTH: u32 = 7;
const SMALL_END: u32 = 0x78;

/** Walks the items: `while (items.next()) … items.tag … items.body`. */
export class TemplateItems {
  tag: u32 = 0;
  /** Where the item's data are, behind tag and length. */
  body: u32 = 0;
  bytes: u32 = 0;

  constructor(
    private at: u32,
    private readonly end: u32,
  ) {}

  next(): bool {
    if (this.at + 3 > this.end) return false;
    this.tag = load<u8>(this.at);
    const large = (this.tag & LARGE) !== 0;
    this.bytes = large ? load<u16>(this.at + 1) : this.tag & SMALL_LENGTH;
    this.body = this.at + (large ? 3 : 1);
    if ((!large && (this.tag & ~SMALL_LENGTH) === SMALL_END) || this.bytes > this.end - this.body)
      return false;
    this.at = this.body + this.bytes;
    return true;
  }
}

/** Where in AML from `at` to `end` the next template's `Name (_CRS, Buffer` starts; 0: there is none. */
export function findTemplate(at: u32, end: u32): u32 {
  for (; at + 8 <= end; at++) {
    if (load<u8>(at) === NAME_OP && load<u32>(at + 1) === CRS_NAME && load<u8>(at + 5) === BUFFER_OP)
      return at;
  }
  return 0;
}

/** The items of the template that findTemplate() has found. */
export function openTemplate(at: u32, end: u32): TemplateItems {
  // §20.2.4: the top bits of PkgLength's first byte count the others; then the buffer's size, which an encoded integer
  // tells and the end tag tells too.
  at += 6;
  at += 1 + (load<u8>(at) >> 6);
  const prefix: u32 = at < end ? load<u8>(at) : 0;
  at += prefix === 0x0a ? 2 : prefix === 0x0b ? 3 : prefix === 0x0c ? 5 : 1;
  return new TemplateItems(min(at, end), end);
}
