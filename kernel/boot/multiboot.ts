// Multiboot 1 information (Multiboot specification 0.6.96 §3.3), from our boot block and from QEMU's -kernel.

import { log } from '../lib/log.ts';
import { mapFirmware } from '../mm/map.ts';
import { BootInfo } from './info.ts';

export const MULTIBOOT_MAGIC: u32 = 0x2bad_b002;

// Offsets in the information structure, and the bits of `flags` under which the fields exist.
const INFO_BYTES: u32 = 88;
const FLAGS: u32 = 0;
const MEM_LOWER_KIB: u32 = 4;
const MEM_UPPER_KIB: u32 = 8;
const CMDLINE: u32 = 16;
const MMAP_LENGTH: u32 = 44;
const MMAP_ADDRESS: u32 = 48;
const HAS_MEMORY: u32 = 1 << 0;
const HAS_CMDLINE: u32 = 1 << 2;
const HAS_MMAP: u32 = 1 << 6;

// A memory map entry: its size without the size field itself, base, length, type.
const ENTRY_BASE: u32 = 4;
const ENTRY_LENGTH: u32 = 12;
const ENTRY_TYPE: u32 = 20;
const ENTRY_BYTES_MIN: u32 = 20;
const TYPE_RAM: u32 = 1;
const MMAP_BYTES_MAX: u32 = 8192;

export function readMultiboot(at: u32, info: BootInfo): bool {
  info.loader = 'multiboot';
  if (!mapFirmware(at, INFO_BYTES)) return false;
  const flags = load<u32>(at + FLAGS);
  // The EBDA lies between the top of conventional memory and 640 KiB.
  if (flags & HAS_MEMORY) info.ebda = load<u32>(at + MEM_LOWER_KIB) << 10;
  if (flags & HAS_CMDLINE) info.copyCommandLine(load<u32>(at + CMDLINE));
  if (flags & HAS_MMAP) return readMap(load<u32>(at + MMAP_ADDRESS), load<u32>(at + MMAP_LENGTH), info);
  if (flags & HAS_MEMORY) info.ram.add(0x10_0000, (load<u32>(at + MEM_UPPER_KIB) as u64) << 10);
  return true;
}

function readMap(at: u32, bytes: u32, info: BootInfo): bool {
  if (bytes > MMAP_BYTES_MAX || !mapFirmware(at, bytes)) {
    log('boot').hex('multiboot memory map at ', at, 8).decimal(', ', bytes).text(' bytes, unusable').end();
    return false;
  }
  const end = at + bytes;
  while (end - at >= ENTRY_BYTES_MIN + 4) {
    const size = load<u32>(at);
    if (size < ENTRY_BYTES_MIN || size > end - at - 4) break;
    if (load<u32>(at + ENTRY_TYPE) === TYPE_RAM)
      info.ram.add(load<u64>(at + ENTRY_BASE), load<u64>(at + ENTRY_LENGTH));
    at += size + 4;
  }
  return true;
}
