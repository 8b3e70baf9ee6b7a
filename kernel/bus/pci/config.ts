// PCI configuration space. By ECAM where the firmware tells of it (PCI Express Base 4.0 §7.2.2): 4096 bytes of each
// function in memory. Else by mechanism #1 (PCI 3.0 §3.2.2.3.2): 256 bytes, through two ports. An address is that of
// the mechanism's port: bus << 16 | device << 11 | function << 8; ECAM has it 4 bits higher.

import { EcamRange, findEcam } from '../../acpi/mcfg.ts';
import { SpinLock } from '../../lib/lock.ts';
import { log } from '../../lib/log.ts';
import { BYTE, Register, RegisterMap, WORD } from '../../lib/registers.ts';
import { mapBar } from '../../mm/map.ts';
import * as x86 from '../../x86.ts';

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
export const PRIMARY_BUS: u32 = 0x18;
export const SECONDARY_BUS: u32 = 0x19;
export const SUBORDINATE_BUS: u32 = 0x1a;
export const IO_BASE: u32 = 0x1c;
export const IO_LIMIT: u32 = 0x1d;
export const MEMORY_BASE: u32 = 0x20;
export const MEMORY_LIMIT: u32 = 0x22;
export const PREFETCHABLE_BASE: u32 = 0x24;
export const PREFETCHABLE_LIMIT: u32 = 0x26;
export const PREFETCHABLE_BASE_UPPER: u32 = 0x28;
export const PREFETCHABLE_LIMIT_UPPER: u32 = 0x2c;
export const IO_BASE_UPPER: u32 = 0x30;
export const IO_LIMIT_UPPER: u32 = 0x32;
export const ROM_TYPE_1: u32 = 0x38;

export const NO_VENDOR: u32 = 0xffff;

// Command register (§6.2.2) and status register (§6.2.3).
export const COMMAND_IO: u32 = 1 << 0;
export const COMMAND_MEMORY: u32 = 1 << 1;
export const COMMAND_MASTER: u32 = 1 << 2;
const DECODING: u32 = COMMAND_IO | COMMAND_MEMORY;
export const COMMAND_INTX_OFF: u32 = 1 << 10;
export const STATUS_CAPABILITIES: u32 = 1 << 4;

// Header type (§6.2.1).
export const HEADER_MULTIFUNCTION: u32 = 0x80;
export const HEADER_LAYOUT: u32 = 0x7f;
export const LAYOUT_BRIDGE: u32 = 1;

/** What mechanism #1 reaches, and ECAM. */
export const BYTES: u32 = 256;
export const BYTES_EXTENDED: u32 = 4096;

const ADDRESS_PORT: u32 = 0xcf8;
const DATA_PORT: u32 = 0xcfc;
const ENABLE: u32 = 1 << 31;

const ECAM_SHIFT: u32 = 4;
const ECAM_BUS_SHIFT: u32 = 20;
/** ECAM is mapped two buses at a time, for that is a large page. */
const PAIR_BYTES: u32 = 2 << ECAM_BUS_SHIFT;
const PAIRS: u32 = 128;

class Access {
  /** Of the ports, which are used one after the other, by interrupt handlers too. */
  readonly lock: SpinLock = new SpinLock();
  /** What goes to releaseIrq(). */
  flags: u32 = 0;
  ports: bool = false;
  range: EcamRange | null = null;
  /** By pair of buses: the linear-memory address of its ECAM, 0: not mapped. */
  readonly pairs: StaticArray<u32> = new StaticArray<u32>(PAIRS);
}

const access = new Access();

/** Finds out which mechanisms there are. */
export function init(): void {
  x86.out32(ADDRESS_PORT, ENABLE);
  access.ports = x86.in32(ADDRESS_PORT) === ENABLE;
  const range = findEcam();
  if (range === null) return;
  access.range = range;
  if (!isSound(range)) {
    log('pci')
      .hex('ECAM at ', range.base, 8)
      .decimal(', buses ', range.firstBus)
      .decimal(' to ', range.lastBus)
      .text(', cannot be: not used')
      .end();
    access.range = null;
    memory.fill(changetype<usize>(access.pairs), 0, PAIRS * 4);
    return;
  }
  log('pci')
    .hex('ECAM at ', range.base, 8)
    .decimal(', buses ', range.firstBus)
    .decimal(' to ', range.lastBus)
    .end();
}

/** The firmware may say anything: what mechanism #1 shows as the host bridge must be there. */
function isSound(range: EcamRange): bool {
  if (range.base & (PAIR_BYTES - 1) || range.firstBus !== 0) return false;
  reach(0);
  if (access.pairs[0] === 0) return false;
  const id = x86.load32(access.pairs[0]);
  if (!access.ports) return true;
  x86.out32(ADDRESS_PORT, ENABLE);
  return id === x86.in32(DATA_PORT);
}

/** Where ECAM is, if there is one. */
export function ecamRange(): EcamRange | null {
  return access.range;
}

/** Makes what ECAM there is for a bus accessible; false: its functions cannot be reached by any means. */
export function reach(bus: u32): bool {
  const range = access.range;
  if (range === null || (bus | 1) > range.lastBus) return access.ports;
  const pair = bus >> 1;
  if (access.pairs[pair] === 0) access.pairs[pair] = mapBar(range.base + pair * PAIR_BYTES, PAIR_BYTES);
  return access.pairs[pair] !== 0 || access.ports;
}

export function addressOf(bus: u32, device: u32, fn: u32): u32 {
  return (bus << 16) | (device << 11) | (fn << 8);
}

export function read8(address: u32, offset: u32): u32 {
  const at = ecam(address, offset);
  if (at !== 0) return x86.load8(at);
  if (!select(address, offset)) return 0xff;
  return leave(x86.in8(DATA_PORT + (offset & 3)));
}

export function read16(address: u32, offset: u32): u32 {
  const at = ecam(address, offset);
  if (at !== 0) return x86.load16(at);
  if (!select(address, offset)) return 0xffff;
  return leave(x86.in16(DATA_PORT + (offset & 2)));
}

export function read32(address: u32, offset: u32): u32 {
  const at = ecam(address, offset);
  if (at !== 0) return x86.load32(at);
  if (!select(address, offset)) return 0xffff_ffff;
  return leave(x86.in32(DATA_PORT));
}

export function write8(address: u32, offset: u32, value: u32): void {
  const at = ecam(address, offset);
  if (at !== 0) {
    x86.store8(at, value);
  } else if (select(address, offset)) {
    x86.out8(DATA_PORT + (offset & 3), value);
    leave(0);
  }
}

export function write16(address: u32, offset: u32, value: u32): void {
  const at = ecam(address, offset);
  if (at !== 0) {
    x86.store16(at, value);
  } else if (select(address, offset)) {
    x86.out16(DATA_PORT + (offset & 2), value);
    leave(0);
  }
}

export function write32(address: u32, offset: u32, value: u32): void {
  const at = ecam(address, offset);
  if (at !== 0) {
    x86.store32(at, value);
  } else if (select(address, offset)) {
    x86.out32(DATA_PORT, value);
    leave(0);
  }
}

/** Switches off what a function decodes, as is due while an address changes; what it returns goes to resume(). */
export function pause(address: u32): u32 {
  const command = read16(address, COMMAND);
  if (command & DECODING) write16(address, COMMAND, command & ~DECODING);
  return command;
}

export function resume(address: u32, command: u32): void {
  if (command & DECODING) write16(address, COMMAND, command);
}

/** Those of a function as a map: for who changes bits. */
export class FunctionRegisters extends RegisterMap {
  constructor(private readonly address: u32) {
    super(BYTES_EXTENDED, 0);
  }

  protected load(offset: u32, width: Register): u32 {
    if (width === BYTE) return read8(this.address, offset);
    return width === WORD ? read16(this.address, offset) : read32(this.address, offset);
  }

  protected store(offset: u32, width: Register, value: u32): void {
    if (width === BYTE) write8(this.address, offset, value);
    else if (width === WORD) write16(this.address, offset, value);
    else write32(this.address, offset, value);
  }
}

/** The linear-memory address of a register, 0: there is no ECAM for it. */
function ecam(address: u32, offset: u32): u32 {
  const pair = access.pairs[address >> 17];
  return pair === 0 ? 0 : pair + ((address << ECAM_SHIFT) & (PAIR_BYTES - 1)) + offset;
}

/** Takes the ports and chooses a register, until leave(); false: mechanism #1 does not reach it. */
function select(address: u32, offset: u32): bool {
  if (offset >= BYTES) return false;
  const flags = access.lock.acquireIrq();
  access.flags = flags;
  x86.out32(ADDRESS_PORT, ENABLE | address | (offset & 0xfc));
  return true;
}

function leave(value: u32): u32 {
  access.lock.releaseIrq(access.flags);
  return value;
}
