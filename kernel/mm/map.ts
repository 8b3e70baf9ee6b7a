// Mapping of what is not RAM: firmware's tables, read-only, and device registers, uncached. Both at page granularity;
// mapping a page twice is harmless.

import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import {
  APICS_END,
  APICS_START,
  LARGE_PAGE,
  LOW_RAM_END,
  LOW_RAM_START,
  MIB,
  PAGE,
  RAM_MAPPED_END,
  WINDOWS_END,
  WINDOWS_START,
} from './layout.ts';
import { makeIn } from './objects.ts';
import { Regions } from './regions.ts';

// Flags and results of x86.map (docs/abi.md §7).
export const MAP_WRITABLE: u32 = 1;
const MAP_UNCACHED: u32 = 2;
export const MAP_DONE: u32 = 0;
const MAP_UNALIGNED: u32 = 1;
const MAP_FORBIDDEN: u32 = 2;

const PAGE_MASK: u32 = PAGE - 1;

/** What is shown where below 4 GiB: a device that comes back finds its own. */
class Shown {
  constructor(
    public readonly next: Shown | null,
    public readonly start: u64,
    public readonly bytes: u32,
    public readonly virt: u32,
  ) {}
}

let windowNext: u32 = WINDOWS_START;
let shown: Shown | null = null;
/** RAM as the boot loader has told it; and its end below 4 GiB, with what the firmware keeps there. */
let ram: Regions | null = null;
let lowRamEnd: u64 = 0;

export function mapProblem(result: u32): string {
  if (result === MAP_UNALIGNED) return 'it is beyond what the CPU can address';
  if (result === MAP_FORBIDDEN) return 'it overlaps the kernel';
  return 'all page tables are in use: give the machine fewer devices, or asm/paging.S more tables';
}

/** From now on no device's registers are looked for in RAM. */
export function keepForRam(regions: Regions): void {
  ram = regions;
  for (let i: u32 = 0; i < regions.count; i++) {
    const region = regions.at(i);
    if (region.start <= u32.MAX_VALUE)
      lowRamEnd = max(lowRamEnd, (region.end + MIB - 1) & ~((MIB - 1) as u64));
  }
}

/** Where RAM ends below 4 GiB, with what the firmware keeps there. */
export function endOfLowRam(): u64 {
  return lowRamEnd;
}

/** Where all RAM ends. */
export function endOfRam(): u64 {
  let end = lowRamEnd;
  const regions = ram;
  for (let i: u32 = 0; regions !== null && i < regions.count; i++) end = max(end, regions.at(i).end);
  return end;
}

/** Makes firmware's memory at a physical address readable there; false if it is out of reach. */
export function mapFirmware(address: u64, bytes: u32): bool {
  const end = address + bytes;
  if (address < LOW_RAM_START || bytes === 0 || end > WINDOWS_START) return false;
  if (mappedAtEntry(address as u32, end)) return true;
  const start = (address as u32) & ~PAGE_MASK;
  return x86.map(start, start, ((end - start + PAGE_MASK) as u32) & ~PAGE_MASK, 0) === MAP_DONE;
}

function mappedAtEntry(address: u32, end: u64): bool {
  if (end <= LOW_RAM_END) return true;
  return address >= x86.image_end() && end <= RAM_MAPPED_END;
}

/**
 * Maps device registers, at their own address where that lies below the windows, and returns their linear-memory
 * address, 0 (after a line) if that cannot be.
 */
export function mapDevice(address: u64, bytes: u32): u32 {
  if (overlapsRam(address, address + bytes)) return refuse(address, bytes, 'there is RAM');
  const offset = (address as u32) & PAGE_MASK;
  const start = address - offset;
  const length = (offset + bytes + PAGE_MASK) & ~PAGE_MASK;
  let virt = start as u32;
  if (start + length > WINDOWS_START) {
    for (let at = shown; at !== null; at = at!.next)
      if (at.start === start && at.bytes === length) return at.virt + offset;
    if (length > WINDOWS_END - windowNext)
      return refuse(address, bytes, 'there is no window left below 4 GiB');
    virt = windowNext;
  }
  const result = x86.map(virt, start, length, MAP_WRITABLE | MAP_UNCACHED);
  if (result !== MAP_DONE) return refuse(address, bytes, mapProblem(result));
  if (virt === windowNext) {
    windowNext += length;
    const arena = makeIn(null); // it outlives the device
    shown = new Shown(shown, start, length, virt);
    makeIn(arena);
  }
  return virt + offset;
}

/** Reserves addresses for mapWindow(), a multiple of 2 MiB at such a multiple; 0 (after a line): there are none left. */
export function reserveWindow(bytes: u32): u32 {
  const start = (windowNext + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
  if (start < windowNext || bytes > WINDOWS_END - start)
    return refuse(0, bytes, 'there is no window left below 4 GiB');
  windowNext = start + bytes;
  return start;
}

/** Shows RAM above 4 GiB at a reserved window; by one CPU only, whatever it showed before. */
export function mapWindow(window: u32, address: u64, bytes: u32): bool {
  return x86.map(window, address, bytes, MAP_WRITABLE) === MAP_DONE;
}

/** As mapDevice, for what a device says: it may not be where the APICs are either. */
export function mapBar(address: u64, bytes: u32): u32 {
  if (address < APICS_END && address + bytes > APICS_START)
    return refuse(address, bytes, 'the APICs are there');
  return mapDevice(address, bytes);
}

/** Firmware and devices may say that registers are where they cannot be: what is written there would hit memory. */
function overlapsRam(start: u64, end: u64): bool {
  if (start < lowRamEnd || end < start) return true;
  const regions = ram;
  return regions !== null && regions.overlaps(start, end);
}

function refuse(address: u64, bytes: u32, why: string): u32 {
  log('memory')
    .hex('device registers at ', address, 12)
    .size(', ', bytes)
    .text(', cannot be mapped: ')
    .text(why)
    .end();
  return 0;
}
