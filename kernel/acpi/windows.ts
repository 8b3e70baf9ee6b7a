// The address space of PCI host bridges: the windows in their _CRS (ACPI 6.4 §6.4.3.5). A template that gives out bus numbers
// is a host bridge's; no other device has them to give.

import { Regions } from '../mm/regions.ts';
import { findDsdt, HEADER_BYTES, tableLength } from './tables.ts';
import { findTemplate, openTemplate, TemplateItems } from './template.ts';

// Address space descriptors.
const DWORD_SPACE: u32 = 0x87;
const WORD_SPACE: u32 = 0x88;
const QWORD_SPACE: u32 = 0x8a;
const TYPE: u32 = 0; // of the resource
const TYPE_MEMORY: u32 = 0;
const TYPE_IO: u32 = 1;
const TYPE_BUS: u32 = 2;
const VALUES: u32 = 3; // granularity, minimum, maximum, translation, length

export class HostWindows {
  /** A host bridge has been found. */
  known: bool = false;
  readonly io: Regions = new Regions();
  readonly memory: Regions = new Regions();

  /** Those of all host bridges in the DSDT. */
  read(): void {
    const dsdt = findDsdt();
    if (dsdt === 0) return;
    const end = dsdt + tableLength(dsdt);
    let at = findTemplate(dsdt + HEADER_BYTES, end);
    for (; at !== 0; at = findTemplate(at + 1, end)) {
      if (!hasBuses(openTemplate(at, end))) continue;
      this.known = true;
      this.add(openTemplate(at, end));
    }
  }

  private add(items: TemplateItems): void {
    while (items.next()) {
      const width = widthOf(items);
      if (width === 0) continue;
      const type: u32 = load<u8>(items.body + TYPE);
      const first = value(items.body + VALUES + width, width);
      const last = value(items.body + VALUES + 2 * width, width);
      if (last < first || value(items.body + VALUES + 3 * width, width) !== 0) continue; // empty, or translated
      if (type === TYPE_IO) this.io.add(first, last - first + 1);
      else if (type === TYPE_MEMORY) this.memory.add(first, last - first + 1);
    }
  }
}

function hasBuses(items: TemplateItems): bool {
  while (items.next()) if (widthOf(items) !== 0 && load<u8>(items.body + TYPE) === TYPE_BUS) return true;
  return false;
}

/** Bytes of each value of an address space descriptor; 0: it is none. */
function widthOf(items: TemplateItems): u32 {
  const width: u32 =
    items.tag === WORD_SPACE ? 2 : items.tag === DWORD_SPACE ? 4 : items.tag === QWORD_SPACE ? 8 : 0;
  return items.bytes < VALUES + 5 * width ? 0 : width;
}

function value(at: u32, width: u32): u64 {
  return width === 2 ? load<u16>(at) : width === 4 ? load<u32>(at) : load<u64>(at);
}
