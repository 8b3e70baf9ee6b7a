// The main job: sector 1 of the first disk, read and dumped twice. The second read proves that the interrupt path was
// re-armed after the first. The command line may ask for other sectors, sector=N count=N, and for more reads of them
// before those two, repeat=N, which say nothing.

import { SECTOR_BYTES } from '../drivers/disk.ts';
import { number } from '../lib/cmdline.ts';
import { hexdump } from '../lib/hexdump.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';
import { theDisk } from './disk.ts';

const READS: u32 = 2;
const COUNT_MAX: u32 = 2048;
const REPEAT_MAX: u32 = 1_000_000;
/** What the buffer holds before the first read, so that a read which does nothing shows. */
const FILLING: u8 = 0x12;

export function readJob(): void {
  const disk = theDisk();
  const sector = number('sector', 1, u32.MAX_VALUE);
  const count = number('count', 1, COUNT_MAX);
  const bytes = count * SECTOR_BYTES;
  const buffer = frames.allocate(bytes);
  const silent = number('repeat', 0, REPEAT_MAX);
  for (let i: u32 = 0; i < silent; i++) {
    if (!disk.read(sector, count, buffer)) panic('the disk cannot be read');
  }
  memory.fill(buffer, FILLING, bytes);
  disk.setTrace(true);
  for (let i: u32 = 0; i < READS; i++) {
    if (!disk.read(sector, count, buffer)) panic('the disk cannot be read');
    hexdump(buffer, bytes);
  }
}
