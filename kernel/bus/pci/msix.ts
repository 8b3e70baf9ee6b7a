// MSI-X (PCI 3.0 §6.8.2): a table of messages in one of the function's BARs, an entry for each interrupt source.

import { log } from '../../lib/log.ts';
import { RegisterMap } from '../../lib/registers.ts';
import { LONG, Register, Window, WORD } from '../window.ts';
import * as capability from './capability.ts';
import * as config from './config.ts';
import { BARS_MAX, PciFunction } from './function.ts';
import { Messages, messageAddress, messageData } from './messages.ts';

// The capability.
const CONTROL: u32 = 2;
const TABLE: u32 = 4;
const PENDING: u32 = 8;
const CONTROL_SIZE: u32 = 0x7ff; // entries - 1
const CONTROL_MASK_ALL: u32 = 1 << 14;
const CONTROL_ENABLE: u32 = 1 << 15;
const BAR_INDEX: u32 = 7;

// A table entry.
const ENTRY_BYTES: u32 = 16;
const ENTRY_ADDRESS_LOW: u32 = LONG | 0;
const ENTRY_ADDRESS_HIGH: u32 = LONG | 4;
const ENTRY_DATA: u32 = LONG | 8;
const ENTRY_CONTROL: u32 = LONG | 12;
const ENTRY_MASKED: u32 = 1 << 0;

class Msix extends Messages {
  constructor(
    private readonly registers: RegisterMap,
    private readonly control: Register,
    private readonly table: Window,
    private readonly entryCount: u32,
  ) {
    super();
  }

  get count(): u32 {
    return this.entryCount;
  }

  /** Masks every entry, then switches MSI-X on, which switches INTx off. */
  enable(): void {
    for (let i: u32 = 0; i < this.entryCount; i++) this.table.write(entry(i) + ENTRY_CONTROL, ENTRY_MASKED);
    this.registers.update(this.control, CONTROL_MASK_ALL, CONTROL_ENABLE);
  }

  disable(): void {
    this.registers.update(this.control, CONTROL_ENABLE, 0);
  }

  /** Sends entry `index` as `vector` to the CPU with this APIC ID, and unmasks it. */
  route(index: u32, vector: u32, apicId: u32): void {
    const at = entry(index);
    this.table.write(at + ENTRY_CONTROL, ENTRY_MASKED);
    this.table.write(at + ENTRY_ADDRESS_LOW, messageAddress(apicId));
    this.table.write(at + ENTRY_ADDRESS_HIGH, 0);
    this.table.write(at + ENTRY_DATA, messageData(vector));
    this.table.write(at + ENTRY_CONTROL, 0);
  }
}

/** The function's MSI-X, its table mapped; null (after a line that says what is wrong, if it has one) if unusable. */
export function findMsix(fn: PciFunction): Messages | null {
  const list = fn.capabilities();
  while (list.next()) if (list.id === capability.ID_MSIX) return openMsix(fn, list.offset);
  return null;
}

function openMsix(fn: PciFunction, offset: u32): Messages | null {
  const control = config.read16(fn.address, offset + CONTROL);
  const table = config.read32(fn.address, offset + TABLE);
  const pending = config.read32(fn.address, offset + PENDING);
  const count = (control & CONTROL_SIZE) + 1;
  log('pci')
    .text(fn.name)
    .hex(' MSI-X at ', offset, 2)
    .hex(', control ', control, 4)
    .decimal(': ', count)
    .decimal(' entries at BAR ', table & BAR_INDEX)
    .hex(' + ', table & ~BAR_INDEX, 4)
    .decimal(', pending bits at BAR ', pending & BAR_INDEX)
    .hex(' + ', pending & ~BAR_INDEX, 4)
    .end();
  const index = table & BAR_INDEX;
  const bar = index < BARS_MAX ? fn.bars[index] : null;
  if (bar !== null) {
    const window = bar.window(table & ~BAR_INDEX, count * ENTRY_BYTES);
    if (window !== null && !window.ports)
      return new Msix(fn.registers, WORD | (offset + CONTROL), window, count);
  }
  log('pci').text(fn.name).text(': the MSI-X table lies outside its BAR').end();
  return null;
}

/** Offset of an entry; added to a register constant. */
function entry(index: u32): u32 {
  return index * ENTRY_BYTES;
}
