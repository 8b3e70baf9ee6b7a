// The main job: sector 1 of the first disk, read and dumped twice. The second read proves that the interrupt path
// was re-armed after the first.

import { firstDisk, SECTOR_BYTES } from '../drivers/disk.ts';
import { hexdump } from '../lib/hexdump.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';

const SECTOR: u64 = 1;
/** What the buffer holds before the first read, so that a read which does nothing shows. */
const FILLING: u8 = 0x12;
const READS: u32 = 2;

export function readJob(): void {
  const disk = firstDisk();
  if (disk === null) {
    panic('no usable disk; attach one with -device virtio-blk-pci');
    return;
  }
  const buffer = frames.allocate(SECTOR_BYTES);
  memory.fill(buffer, FILLING, SECTOR_BYTES);
  disk.setTrace(true);
  for (let i: u32 = 0; i < READS; i++) {
    if (!disk.read(SECTOR, 1, buffer)) panic('sector 1 cannot be read');
    hexdump(buffer, SECTOR_BYTES);
  }
}
