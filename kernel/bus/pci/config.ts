// PCI configuration space by configuration mechanism #1 (PCI 3.0 §3.2.2.3.2), which every PC has. An address is that
// of the mechanism's address port: bus << 16 | device << 11 | function << 8.

import * as x86 from '../../x86.ts';

const ADDRESS_PORT: u32 = 0xcf8;
const DATA_PORT: u32 = 0xcfc;
const ENABLE: u32 = 1 << 31;

// The header (PCI 3.0 §6.1), all types.
export const VENDOR_ID: u32 = 0x00;
export const DEVICE_ID: u32 = 0x02;
export const COMMAND: u32 = 0x04;
export const STATUS: u32 = 0x06;
export const REVISION_AND_CLASS: u32 = 0x08;
export const HEADER_TYPE: u32 = 0x0e;
export const BAR_0: u32 = 0x10;
export const CAPABILITIES: u32 = 0x34;
export const INTERRUPT_LINE: u32 = 0x3c;
export const INTERRUPT_PIN: u32 = 0x3d;
/** Type 0 only. */
export const SUBSYSTEM_ID: u32 = 0x2e;
export const ROM_TYPE_0: u32 = 0x30;
/** Type 1 only (PCI-to-PCI Bridge 1.2 §3.2). */
export const SECONDARY_BUS: u32 = 0x19;
export const ROM_TYPE_1: u32 = 0x38;

export const NO_VENDOR: u32 = 0xffff;

// Command register (§6.2.2) and status register (§6.2.3).
export const COMMAND_IO: u32 = 1 << 0;
export const COMMAND_MEMORY: u32 = 1 << 1;
export const COMMAND_MASTER: u32 = 1 << 2;
export const COMMAND_INTX_OFF: u32 = 1 << 10;
export const STATUS_CAPABILITIES: u32 = 1 << 4;

// Header type (§6.2.1).
export const HEADER_MULTIFUNCTION: u32 = 0x80;
export const HEADER_LAYOUT: u32 = 0x7f;
export const LAYOUT_BRIDGE: u32 = 1;

export function addressOf(bus: u32, device: u32, fn: u32): u32 {
  return (bus << 16) | (device << 11) | (fn << 8);
}

export function read8(address: u32, offset: u32): u32 {
  select(address, offset);
  return x86.in8(DATA_PORT + (offset & 3));
}

export function read16(address: u32, offset: u32): u32 {
  select(address, offset);
  return x86.in16(DATA_PORT + (offset & 2));
}

export function read32(address: u32, offset: u32): u32 {
  select(address, offset);
  return x86.in32(DATA_PORT);
}

export function write16(address: u32, offset: u32, value: u32): void {
  select(address, offset);
  x86.out16(DATA_PORT + (offset & 2), value);
}

export function write32(address: u32, offset: u32, value: u32): void {
  select(address, offset);
  x86.out32(DATA_PORT, value);
}

function select(address: u32, offset: u32): void {
  x86.out32(ADDRESS_PORT, ENABLE | address | (offset & 0xfc));
}
