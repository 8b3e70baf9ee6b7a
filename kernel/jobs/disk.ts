// The disk that a job is about.

import { Disk, disks } from '../drivers/disk.ts';

/** The first one; panics when there is none. */
export function theDisk(): Disk {
  return disks.need('no usable disk: its lines above say why, or attach one with -device virtio-blk-pci');
}
