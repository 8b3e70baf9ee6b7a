// Mapping of what is not RAM: firmware's tables, read-only, and device registers, uncached. Both at page granularity;
// mapping a page twice is harmless.

import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import { LOW_RAM_END, LOW_RAM_START, PAGE, RAM_MAPPED_END, WINDOWS_END, WINDOWS_START } from './layout.ts';

// Flags and results of x86.map (docs/abi.md §7).
export const MAP_WRITABLE: u32 = 1;
const MAP_UNCACHED: u32 = 2;
export const MAP_DONE: u32 = 0;
const MAP_UNALIGNED: u32 = 1;
const MAP_FORBIDDEN: u32 = 2;

const PAGE_MASK: u32 = PAGE - 1;

let windowNext: u32 = WINDOWS_START;

export function mapProblem(result: u32): string {
  if (result === MAP_UNALIGNED) return 'it is not of whole pages';
  return result === MAP_FORBIDDEN ? 'it overlaps the kernel' : 'there are no page tables left';
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
  const offset = (address as u32) & PAGE_MASK;
  const start = address - offset;
  const length = (offset + bytes + PAGE_MASK) & ~PAGE_MASK;
  let virt = start as u32;
  if (start + length > WINDOWS_START) {
    if (length > WINDOWS_END - windowNext)
      return refuse(address, bytes, 'there is no window left below 4 GiB');
    virt = windowNext;
  }
  const result = x86.map(virt, start, length, MAP_WRITABLE | MAP_UNCACHED);
  if (result !== MAP_DONE) return refuse(address, bytes, mapProblem(result));
  if (virt === windowNext) windowNext += length;
  return virt + offset;
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
