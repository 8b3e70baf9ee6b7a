// What ACPI tells of PCI slots in which cards come and go, where QEMU has them (docs/specs/acpi_pci_hotplug in its manual): the
// interrupt and the general-purpose event that announce it (ACPI 6.4 §4.8.4.1), and which number a bus has in the registers.
// The latter is Name (BSEL, …) in a bridge's device, which is found by its bytes, as aml.ts finds \_S5.

import { FADT_SIGNATURE, findDsdt, findTable, HEADER_BYTES, tableLength } from './tables.ts';

// FADT (§5.2.9).
const SCI_INTERRUPT: u32 = 46;
const GPE0_BLOCK: u32 = 80;
const GPE0_BYTES: u32 = 92;
const FADT_BYTES_MIN: u32 = 93;

export class EventBlock {
  /** An interrupt of the ISA bus. */
  interrupt: u32 = 0;
  /** Ports of the status registers and of the enable registers, 0: there are none. */
  status: u32 = 0;
  enable: u32 = 0;
}

export function findEvents(): EventBlock {
  const found = new EventBlock();
  const fadt = findTable(FADT_SIGNATURE);
  if (fadt === 0 || tableLength(fadt) < FADT_BYTES_MIN) return found;
  const bytes: u32 = load<u8>(fadt + GPE0_BYTES);
  const port = load<u32>(fadt + GPE0_BLOCK);
  if (bytes < 2 || port === 0 || port > u16.MAX_VALUE) return found;
  found.interrupt = load<u16>(fadt + SCI_INTERRUPT);
  found.status = port;
  found.enable = port + bytes / 2;
  return found;
}

const BSEL_NAME: u32 = 0x4c45_5342; // 'BSEL'
const ADR_NAME: u32 = 0x5244_415f; // '_ADR'
const NAME_OP: u32 = 0x08;
const DEVICE_OP: u32 = 0x825b; // two bytes
const NAME_BYTES_MIN: u32 = 6; // with a constant of one byte
const DEPTH_MAX: u32 = 16;

/** Walks the buses that have such slots: `while (buses.next()) … buses.number … buses.depth … buses.step(i)`. */
export class HotplugBuses {
  number: u32 = 0;
  /** How many bridges lead to it. */
  depth: u32 = 0;
  /** Of the devices that the walk is in: their ends, and their addresses on their buses (§6.1.1), slot << 16 | function. */
  private readonly ends: StaticArray<u32> = new StaticArray<u32>(DEPTH_MAX);
  private readonly steps: StaticArray<u32> = new StaticArray<u32>(DEPTH_MAX);
  private at: u32 = 0;
  private end: u32 = 0;

  constructor() {
    const dsdt = findDsdt();
    if (dsdt !== 0) {
      this.at = dsdt + HEADER_BYTES;
      this.end = dsdt + tableLength(dsdt);
    }
  }

  next(): bool {
    for (; this.at + NAME_BYTES_MIN <= this.end; this.at++) {
      const at = this.at;
      while (this.depth > 0 && at >= this.ends[this.depth - 1]) this.depth--;
      if ((load<u16>(at) as u32) === DEVICE_OP) this.enter(at);
      else if ((load<u8>(at) as u32) === NAME_OP && load<u32>(at + 1) === BSEL_NAME) {
        this.number = this.constant(at + 5);
        this.at++;
        return true;
      }
    }
    return false;
  }

  step(index: u32): u32 {
    return this.steps[index];
  }

  /** §20.2.5.2: DeviceOp PkgLength NameString; QEMU's address comes first. */
  private enter(at: u32): void {
    if (at + 7 > this.end) return;
    const lead: u32 = load<u8>(at + 2);
    const more = lead >> 6;
    const mask: u32 = ((1 << (more * 8)) as u32) - 1;
    const length = more === 0 ? lead & 63 : (lead & 15) | ((load<u32>(at + 3) & mask) << 4);
    const address = at + 3 + more + 4;
    if (this.depth === DEPTH_MAX || address + NAME_BYTES_MIN > this.end || load<u8>(address) !== NAME_OP)
      return;
    if (load<u32>(address + 1) !== ADR_NAME) return;
    this.ends[this.depth] = at + 2 + length;
    this.steps[this.depth] = this.constant(address + 5);
    this.depth++;
  }

  /** §20.2.3: an integer constant of up to 32 bits; 0 where the table ends too early. */
  private constant(at: u32): u32 {
    const op: u32 = load<u8>(at);
    const bytes: u32 = op === 0x0a ? 1 : op === 0x0b ? 2 : op === 0x0c ? 4 : 0;
    if (bytes === 0) return op;
    if (at + 1 + bytes > this.end) return 0;
    return bytes === 1 ? load<u8>(at + 1) : bytes === 2 ? load<u16>(at + 1) : load<u32>(at + 1);
  }
}
