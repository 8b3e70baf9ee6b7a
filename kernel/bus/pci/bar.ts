// Base address registers (PCI 3.0 §6.2.5): what they decode, where and how much. A size is found by writing ones, with
// decoding switched off meanwhile.

import { Line } from '../../lib/line.ts';
import { log } from '../../lib/log.ts';
import { PAGE } from '../../mm/layout.ts';
import { mapBar } from '../../mm/map.ts';
import { Window } from '../window.ts';
import * as config from './config.ts';
import { Resource } from './resource.ts';

// Low bits of a BAR (§6.2.5.1) and of the expansion ROM's (§6.2.5.2).
const IO: u32 = 1 << 0;
const IO_FLAGS: u32 = 0x3;
const MEMORY_FLAGS: u32 = 0xf;
const MEMORY_TYPE: u32 = 0x6;
const MEMORY_BELOW_1_MIB: u32 = 0x2;
const MEMORY_64: u32 = 0x4;
const PREFETCHABLE: u32 = 0x8;
const ROM_FLAGS: u32 = 0x7ff;
const ROM_ENABLE: u32 = 1 << 0;

export class Bar extends Resource {
  constructor(
    /** Its function's, and its number. */
    private readonly address: u32,
    private readonly name: string,
    public readonly index: u32,
    /** I/O ports rather than memory. */
    public readonly ports: bool,
    start: u64,
    bytes: u64,
    /** The low bits: type and prefetchable. */
    private readonly flags: u32,
  ) {
    super();
    this.start = start;
    this.startWritten = start;
    this.bytes = bytes;
    this.bytesWritten = bytes;
    this.align = ports ? bytes : max(bytes, PAGE as u64); // what is mapped is nobody else's
    this.low = !this.is64;
  }

  get is64(): bool {
    return !this.ports && (this.flags & MEMORY_TYPE) === MEMORY_64;
  }

  /** Of the days when this meant something; it is left where it is. */
  get isBelow1Mib(): bool {
    return !this.ports && (this.flags & MEMORY_TYPE) === MEMORY_BELOW_1_MIB;
  }

  get isPrefetchable(): bool {
    return !this.ports && (this.flags & PREFETCHABLE) !== 0;
  }

  /** Makes `bytes` bytes from `offset` accessible; null (after a line, if it is not the caller's mistake) if not. */
  window(offset: u32, bytes: u32): Window | null {
    if (bytes === 0 || (offset as u64) + bytes > this.bytes || this.start === 0) return null;
    if (this.ports) return new Window((this.start as u32) + offset, bytes, true);
    const base = mapBar(this.start + offset, bytes);
    return base === 0 ? null : new Window(base, bytes, false);
  }

  write(): void {
    const register = config.BAR_0 + this.index * 4;
    const command = config.pause(this.address);
    config.write32(this.address, register, (this.start as u32) | this.flags);
    if (this.is64) config.write32(this.address, register + 4, (this.start >> 32) as u32);
    config.resume(this.address, command);
  }

  isKept(): bool {
    const register = config.BAR_0 + this.index * 4;
    if (config.read32(this.address, register) !== ((this.start as u32) | this.flags)) return false;
    return !this.is64 || config.read32(this.address, register + 4) === ((this.start >> 32) as u32);
  }

  describe(line: Line): Line {
    line.text(this.name).decimal(' BAR ', this.index).text(': ');
    if (this.ports) line.hex('ports at ', this.start, 4);
    else line.text(this.kind()).hex(' at ', this.start, this.is64 ? 12 : 8);
    line.size(', ', this.bytes);
    if (this.isPrefetchable) line.text(', prefetchable');
    return this.start === 0 ? line.text(', not placed') : line;
  }

  private kind(): string {
    if (this.is64) return 'memory64';
    return (this.flags & MEMORY_TYPE) === MEMORY_BELOW_1_MIB ? 'memory20' : 'memory32';
  }
}

/** Reads and sizes BAR `index` of `count` of the function at `address`, decoding off; null if there is none. */
export function readBar(address: u32, name: string, index: u32, count: u32): Bar | null {
  const register = config.BAR_0 + index * 4;
  const low = config.read32(address, register);
  const sizeLow = probe(address, register, low, 0xffff_ffff);
  if (sizeLow === 0) return null;
  if (low & IO) {
    const mask = sizeLow & ~IO_FLAGS;
    return mask === 0
      ? null
      : new Bar(address, name, index, true, low & ~IO_FLAGS, lowestBit(mask), low & IO_FLAGS);
  }
  const flags = low & MEMORY_FLAGS;
  if ((flags & MEMORY_TYPE) !== MEMORY_64) {
    const mask = sizeLow & ~MEMORY_FLAGS;
    return mask === 0
      ? null
      : new Bar(address, name, index, false, low & ~MEMORY_FLAGS, lowestBit(mask), flags);
  }
  if (index + 1 === count) return null; // no room for its upper half
  const high = config.read32(address, register + 4);
  const sizeHigh = probe(address, register + 4, high, 0xffff_ffff);
  const mask = ((sizeHigh as u64) << 32) | (sizeLow & ~MEMORY_FLAGS);
  if (mask === 0) return null;
  return new Bar(
    address,
    name,
    index,
    false,
    ((high as u64) << 32) | (low & ~MEMORY_FLAGS),
    lowestBit(mask),
    flags,
  );
}

/** Logs the expansion ROM, if there is one; decoding off. */
export function describeRom(address: u32, register: u32, name: string): void {
  const value = config.read32(address, register);
  const mask = probe(address, register, value & ~ROM_ENABLE, ~ROM_ENABLE) & ~ROM_FLAGS;
  if (mask === 0) return;
  const line = log('pci')
    .text(name)
    .hex(' ROM: memory32 at ', value & ~ROM_FLAGS, 8)
    .size(', ', lowestBit(mask));
  if ((value & ~ROM_FLAGS) === 0) line.text(', not placed');
  line.end();
}

/** The size: the lowest address bit that can be set. Higher ones may be hard-wired to 0 (I/O, memory below 1 MiB). */
function lowestBit(mask: u64): u64 {
  return mask & (~mask + 1);
}

/** What the register holds after ones are written; the old value is put back. */
function probe(address: u32, register: u32, old: u32, ones: u32): u32 {
  config.write32(address, register, ones);
  const result = config.read32(address, register);
  config.write32(address, register, old);
  return result;
}
