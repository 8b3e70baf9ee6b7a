// What the boot loader says about the machine, in one form whoever it was: RAM, where ACPI's root pointer may be, and
// the command line. All of it is copied here before the memory that it lies in is used for anything else.

import { mapFirmware } from '../mm/map.ts';

/** A range of usable RAM, physical. */
export class Region {
  constructor(
    public start: u64,
    public end: u64,
  ) {}
}

export const REGIONS_MAX: u32 = 64;
export const COMMAND_LINE_BYTES: u32 = 1024;

export class BootInfo {
  loader: string = '';
  readonly regions: StaticArray<Region | null> = new StaticArray<Region | null>(REGIONS_MAX);
  regionCount: u32 = 0;
  /** Ranges that did not fit above. */
  regionsLost: u32 = 0;
  /** Physical address of ACPI's root pointer, 0: look for it. */
  rsdp: u64 = 0;
  /** Where the extended BIOS data area starts, 0: unknown. */
  ebda: u32 = 0;
  /** NUL-terminated. */
  readonly commandLine: usize = heap.alloc(COMMAND_LINE_BYTES);

  constructor() {
    store<u8>(this.commandLine, 0);
  }

  addRam(start: u64, bytes: u64): void {
    if (bytes === 0 || start + bytes < start) return;
    if (this.regionCount === REGIONS_MAX) {
      this.regionsLost++;
      return;
    }
    this.regions[this.regionCount++] = new Region(start, start + bytes);
  }

  /** Copies the NUL-terminated string at a physical address, cut to what fits. */
  copyCommandLine(address: u64): void {
    let length: u32 = 0;
    for (; length < COMMAND_LINE_BYTES - 1; length++) {
      if (!mapFirmware(address + length, 1)) break;
      const byte = load<u8>((address as usize) + length);
      if (byte === 0) break;
      store<u8>(this.commandLine + length, byte);
    }
    store<u8>(this.commandLine + length, 0);
  }
}
