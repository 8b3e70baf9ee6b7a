// What the boot loader says about the machine, in one form whoever it was: RAM, where ACPI's root pointer may be, and
// the command line. All of it is copied here before the memory that it lies in is used for anything else.

import { mapFirmware } from '../mm/map.ts';
import { Regions } from '../mm/regions.ts';

export const COMMAND_LINE_BYTES: u32 = 1024;

export class BootInfo {
  loader: string = '';
  /** Usable RAM, physical. */
  readonly ram: Regions = new Regions();
  /** Physical address of ACPI's root pointer, 0: look for it. */
  rsdp: u64 = 0;
  /** Where the extended BIOS data area starts, 0: unknown. */
  ebda: u32 = 0;
  /** NUL-terminated. */
  readonly commandLine: usize = heap.alloc(COMMAND_LINE_BYTES);

  constructor() {
    store<u8>(this.commandLine, 0);
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
