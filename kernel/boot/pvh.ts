// The start information of a PVH boot (Xen's public/arch-x86/hvm/start_info.h), from QEMU's -kernel with an ELF note.

import { log } from '../lib/log.ts';
import { mapFirmware } from '../mm/map.ts';
import { BootInfo } from './info.ts';

export const PVH_MAGIC: u32 = 0x336e_c578;

// struct hvm_start_info
const INFO_BYTES: u32 = 56;
const MAGIC: u32 = 0;
const VERSION: u32 = 4;
const CMDLINE: u32 = 24;
const RSDP: u32 = 32;
const MEMMAP: u32 = 40; // from version 1
const MEMMAP_ENTRIES: u32 = 48;

// struct hvm_memmap_table_entry
const ENTRY_BYTES: u32 = 24;
const ENTRY_ADDRESS: u32 = 0;
const ENTRY_SIZE: u32 = 8;
const ENTRY_TYPE: u32 = 16;
const TYPE_RAM: u32 = 1;
const ENTRIES_MAX: u32 = 256;

export function readPvh(at: u32, info: BootInfo): bool {
  info.loader = 'PVH';
  if (!mapFirmware(at, INFO_BYTES) || load<u32>(at + MAGIC) !== PVH_MAGIC) return false;
  info.rsdp = load<u64>(at + RSDP);
  const cmdline = load<u64>(at + CMDLINE);
  if (cmdline !== 0) info.copyCommandLine(cmdline);
  if (load<u32>(at + VERSION) < 1) return false;
  return readMap(load<u64>(at + MEMMAP), load<u32>(at + MEMMAP_ENTRIES), info);
}

function readMap(address: u64, entries: u32, info: BootInfo): bool {
  if (entries > ENTRIES_MAX || !mapFirmware(address, entries * ENTRY_BYTES)) {
    log('boot').hex('PVH memory map at ', address, 8).decimal(', ', entries).text(' entries, unusable').end();
    return false;
  }
  for (let i: u32 = 0; i < entries; i++) {
    const at = (address as u32) + i * ENTRY_BYTES;
    if (load<u32>(at + ENTRY_TYPE) === TYPE_RAM)
      info.ram.add(load<u64>(at + ENTRY_ADDRESS), load<u64>(at + ENTRY_SIZE));
  }
  return true;
}
