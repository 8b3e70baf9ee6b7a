// Base address registers (PCI 3.0 §6.2.5): what they decode, where and how much. The firmware has placed them; a
// size is found by writing ones, with decoding switched off meanwhile.

import { log } from '../../lib/log.ts';
import { mapBar } from '../../mm/map.ts';
import { Window } from '../window.ts';
import * as config from './config.ts';

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

export class Bar {
  constructor(
    /** I/O ports rather than memory. */
    public readonly ports: bool,
    public readonly address: u64,
    public readonly bytes: u64,
    /** The low bits: type and prefetchable. */
    public readonly flags: u32,
  ) {}

  get is64(): bool {
    return !this.ports && (this.flags & MEMORY_TYPE) === MEMORY_64;
  }

  /** Makes `bytes` bytes from `offset` accessible; null (after a line, if it is not the caller's mistake) if not. */
  window(offset: u32, bytes: u32): Window | null {
    if (bytes === 0 || (offset as u64) + bytes > this.bytes || this.address === 0) return null;
    if (this.ports) return new Window((this.address as u32) + offset, bytes, true);
    const base = mapBar(this.address + offset, bytes);
    return base === 0 ? null : new Window(base, bytes, false);
  }

  describe(subsystem: string, name: string, index: u32): void {
    const line = log(subsystem).text(name).decimal(' BAR ', index).text(': ');
    if (this.ports) line.hex('ports at ', this.address, 4);
    else line.text(this.kind()).hex(' at ', this.address, this.is64 ? 12 : 8);
    line.size(', ', this.bytes);
    if (!this.ports && this.flags & PREFETCHABLE) line.text(', prefetchable');
    if (this.address === 0) line.text(', not placed');
    line.end();
  }

  private kind(): string {
    if (this.is64) return 'memory64';
    return (this.flags & MEMORY_TYPE) === MEMORY_BELOW_1_MIB ? 'memory20' : 'memory32';
  }
}

/** Reads and sizes BAR `index` of `count` of the function at `address`, decoding off; null if there is none. */
export function readBar(address: u32, index: u32, count: u32): Bar | null {
  const register = config.BAR_0 + index * 4;
  const low = config.read32(address, register);
  const sizeLow = probe(address, register, low, 0xffff_ffff);
  if (sizeLow === 0) return null;
  if (low & IO) {
    const mask = sizeLow & ~IO_FLAGS;
    return mask === 0 ? null : new Bar(true, low & ~IO_FLAGS, lowestBit(mask), low & IO_FLAGS);
  }
  const flags = low & MEMORY_FLAGS;
  if ((flags & MEMORY_TYPE) !== MEMORY_64) {
    const mask = sizeLow & ~MEMORY_FLAGS;
    return mask === 0 ? null : new Bar(false, low & ~MEMORY_FLAGS, lowestBit(mask), flags);
  }
  if (index + 1 === count) return null; // no room for its upper half
  const high = config.read32(address, register + 4);
  const sizeHigh = probe(address, register + 4, high, 0xffff_ffff);
  const mask = ((sizeHigh as u64) << 32) | (sizeLow & ~MEMORY_FLAGS);
  if (mask === 0) return null;
  return new Bar(false, ((high as u64) << 32) | (low & ~MEMORY_FLAGS), lowestBit(mask), flags);
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
