// The disk that a job is about.

import { Disk, disks } from '../drivers/disk.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';

/** The first one; panics when there is none. */
export function theDisk(): Disk {
  return disks.need('no usable disk: its lines above say why, or attach one with -device virtio-blk-pci');
}

/** As theDisk(), for a job that writes. */
export function theDiskToWrite(): Disk {
  const disk = theDisk();
  if (!disk.readOnly) return disk;
  log(disk.name).text('is read-only: give the job a disk that can be written').end();
  panic('the disk cannot be written');
  return disk;
}
