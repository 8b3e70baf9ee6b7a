// The main job: sector 1 of the first disk, read and dumped twice. The second read proves that the interrupt path was
// re-armed after the first. The command line may ask for other sectors, sector=N count=N, and for more reads of them
// before those two, repeat=N, which say nothing. A read that fails is tried again where there are attempts=N left.

import { Disk, SECTOR_BYTES } from '../drivers/disk.ts';
import { number } from '../lib/cmdline.ts';
import { hexdump } from '../lib/hexdump.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';
import { theDisk } from './disk.ts';

const READS: u32 = 2;
const COUNT_MAX: u32 = 2048;
const REPEAT_MAX: u32 = 1_000_000;
const ATTEMPTS: u32 = 1;
const ATTEMPTS_MAX: u32 = 1000;
/** What the buffer holds before the first read, so that a read which does nothing shows. */
const FILLING: u8 = 0x12;

function read(disk: Disk, sector: u32, count: u32, buffer: u32, attempts: u32): void {
  for (let i: u32 = 0; i < attempts; i++) if (disk.read(sector, count, buffer)) return;
  panic('the disk cannot be read');
}

export function readJob(): void {
  const disk = theDisk();
  const sector = number('sector', 1, u32.MAX_VALUE);
  const count = number('count', 1, COUNT_MAX);
  const bytes = count * SECTOR_BYTES;
  const buffer = frames.allocate(bytes);
  const attempts = max(number('attempts', ATTEMPTS, ATTEMPTS_MAX), 1);
  const silent = number('repeat', 0, REPEAT_MAX);
  for (let i: u32 = 0; i < silent; i++) {
    read(disk, sector, count, buffer, attempts);
  }
  memory.fill(buffer, FILLING, bytes);
  disk.setTrace(true);
  for (let i: u32 = 0; i < READS; i++) {
    read(disk, sector, count, buffer, attempts);
    hexdump(buffer, bytes);
  }
}
