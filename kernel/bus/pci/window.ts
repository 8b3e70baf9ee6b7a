// A bridge's windows (PCI-to-PCI Bridge 1.2 §3.2.5.6 to §3.2.5.9): which I/O ports and which memory it passes on to the
// buses behind it. Windows for I/O and for prefetchable memory are optional, and the latter may reach above 4 GiB.

import { Line } from '../../lib/line.ts';
import * as config from './config.ts';
import { Resource, Space } from './resource.ts';

export const IO: u32 = 0;
export const MEMORY: u32 = 1;
export const PREFETCHABLE: u32 = 2;
export const KINDS: u32 = 3;

const NAMES: StaticArray<string> = ['I/O', 'memory', 'prefetchable'];

const IO_SHIFT: u32 = 8; // a byte has address bits 15 … 12 at 7 … 4
const IO_GRANULARITY: u64 = 0x1000;
const MEMORY_SHIFT: u32 = 16; // a word has address bits 31 … 20 at 15 … 4
const MEMORY_GRANULARITY: u64 = 0x10_0000;
const CAPABILITY: u32 = 0xf; // of I/O and prefetchable base: how many bits there are
const WIDE: u32 = 1; // 32 bits of ports, 64 of memory

export class BridgeWindow extends Resource {
  readonly inside: Space = new Space();
  /** The least that it can be, and be aligned to. */
  readonly granularity: u64;
  /** Whether it can be anywhere: of prefetchable memory. */
  readonly is64: bool;

  constructor(
    public readonly address: u32,
    private readonly name: string,
    public readonly kind: u32,
    low: u32,
  ) {
    super();
    this.inside.follow(this);
    this.granularity = kind === IO ? IO_GRANULARITY : MEMORY_GRANULARITY;
    this.align = this.granularity;
    this.is64 = kind === PREFETCHABLE && (low & CAPABILITY) === WIDE;
    this.low = !this.is64;
    this.read();
  }

  /** Closed, where the limit is below the base; open from 0 after a reset, which is nowhere too. */
  private read(): void {
    let start: u64 = 0;
    let last: u64 = 0;
    if (this.kind === IO) {
      start = (config.read8(this.address, config.IO_BASE) & 0xf0) << IO_SHIFT;
      last = (config.read8(this.address, config.IO_LIMIT) & 0xf0) << IO_SHIFT;
      if (config.read8(this.address, config.IO_BASE) & WIDE) {
        start |= config.read16(this.address, config.IO_BASE_UPPER) << 16;
        last |= config.read16(this.address, config.IO_LIMIT_UPPER) << 16;
      }
    } else {
      const register = this.kind === MEMORY ? config.MEMORY_BASE : config.PREFETCHABLE_BASE;
      start = (config.read16(this.address, register) & 0xfff0) << MEMORY_SHIFT;
      last = (config.read16(this.address, register + 2) & 0xfff0) << MEMORY_SHIFT;
      if (this.is64) {
        start |= (config.read32(this.address, config.PREFETCHABLE_BASE_UPPER) as u64) << 32;
        last |= (config.read32(this.address, config.PREFETCHABLE_LIMIT_UPPER) as u64) << 32;
      }
    }
    if (last < start) return;
    this.startWritten = start;
    this.bytesWritten = last - start + this.granularity;
    this.start = start;
    if (start !== 0) this.bytes = this.bytesWritten;
  }

  get isWindow(): bool {
    return true;
  }

  get isDisturbed(): bool {
    return this.changed && !this.grows;
  }

  /** It can be written one register after the other: each step is more than what it was, and no more than what it will be. */
  private get grows(): bool {
    const before = this.startWritten;
    const endBefore = before + this.bytesWritten;
    if (before === 0 || this.start === 0 || this.start > before || this.end < endBefore) return false;
    return this.start >> 32 === before >> 32 && (this.end - 1) >> 32 === (endBefore - 1) >> 32;
  }

  write(): void {
    // Closed: from the highest address to the lowest.
    const closed = this.start === 0 || this.bytes === 0;
    const start: u64 = closed ? ~0 : this.start;
    const last: u64 = closed ? 0 : this.end - 1;
    const command = this.grows ? 0 : config.pause(this.address);
    if (this.kind === IO) {
      config.write8(this.address, config.IO_BASE, ((start as u32) >> IO_SHIFT) & 0xff);
      config.write8(this.address, config.IO_LIMIT, ((last as u32) >> IO_SHIFT) & 0xff);
      config.write16(this.address, config.IO_BASE_UPPER, 0);
      config.write16(this.address, config.IO_LIMIT_UPPER, 0);
    } else {
      const register = this.kind === MEMORY ? config.MEMORY_BASE : config.PREFETCHABLE_BASE;
      config.write16(this.address, register, (start as u32) >> MEMORY_SHIFT);
      config.write16(this.address, register + 2, (last as u32) >> MEMORY_SHIFT);
      if (this.is64) {
        config.write32(this.address, config.PREFETCHABLE_BASE_UPPER, (start >> 32) as u32);
        config.write32(this.address, config.PREFETCHABLE_LIMIT_UPPER, (last >> 32) as u32);
      }
    }
    config.resume(this.address, command);
  }

  isKept(): bool {
    const now = new BridgeWindow(this.address, this.name, this.kind, this.is64 ? WIDE : 0);
    return now.start === this.start && now.bytes === this.bytes;
  }

  describe(line: Line): Line {
    line.text(this.name).text(' window: ').text(NAMES[this.kind]);
    if (this.bytes === 0) return line.text(', closed');
    line.hex(' at ', this.start, this.kind === IO ? 4 : this.is64 ? 12 : 8).size(', ', this.bytes);
    return this.start === 0 ? line.text(', not placed') : line;
  }
}

/** Null if the bridge has none of this kind. */
export function openWindow(address: u32, name: string, kind: u32): BridgeWindow | null {
  if (kind === IO && !isThere(address, config.IO_BASE, config.IO_LIMIT)) return null;
  if (kind === PREFETCHABLE && !isThere(address, config.PREFETCHABLE_BASE, config.PREFETCHABLE_LIMIT))
    return null;
  const low = kind === PREFETCHABLE ? config.read16(address, config.PREFETCHABLE_BASE) : 0;
  return new BridgeWindow(address, name, kind, low);
}

/** §3.2.5.6, §3.2.5.9: a window that is not implemented reads as 0 whatever is written. */
function isThere(address: u32, base: u32, limit: u32): bool {
  if (config.read8(address, base) !== 0 || config.read8(address, limit) !== 0) return true;
  const command = config.pause(address);
  config.write8(address, base, 0xf0);
  const there = config.read8(address, base) !== 0;
  config.write8(address, base, 0);
  config.resume(address, command);
  return there;
}
