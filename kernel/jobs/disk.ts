// The disk that a job is about.

import { Disk, firstDisk } from '../drivers/disk.ts';
import { panic } from '../lib/panic.ts';

/** The first one; panics when there is none. */
export function theDisk(): Disk {
  const disk = firstDisk();
  if (disk === null) {
    panic('no usable disk: its lines above say why, or attach one with -device virtio-blk-pci');
  }
  return disk!;
}
