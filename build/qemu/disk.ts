// The disk that the guest reads: the default one, made on first use, or the user's file with its format.

import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../error.ts';
import { reason } from '../files.ts';
import { out } from '../paths.ts';

const SECTOR_BYTES = 512;
const DEFAULT_DISK = 'out/usr.img';
const DEFAULT_DISK_SECTORS = 131072;
const QCOW2_MAGIC = 'QFI\xfb';

export interface Disk {
  path: string;
  format: 'raw' | 'qcow2';
}

/** The file that DISK names; 'none' gives null. */
export function openDisk(disk: string): Disk | null {
  if (disk === 'none') return null;
  if (disk === DEFAULT_DISK && !existsSync(disk)) return { path: makeDefaultDisk(), format: 'raw' };
  const path = resolve(disk);
  return { path, format: formatOf(disk, path) };
}

/** 64 MiB without data but in sector 1, which begins with a text that shows in the dump. */
function makeDefaultDisk(): string {
  const path = resolve(out, 'usr.img');
  if (existsSync(path)) return path;
  const partial = `${path}.${process.pid}`;
  const file = openSync(partial, 'w');
  try {
    ftruncateSync(file, DEFAULT_DISK_SECTORS * SECTOR_BYTES);
    writeSync(file, 'SECTOR-ONE', SECTOR_BYTES);
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
  return path;
}

/** By content, because a guest that could write a raw disk must not choose its format by the file's name. */
function formatOf(name: string, path: string): Disk['format'] {
  try {
    const stats = statSync(path);
    // Opening a FIFO waits for whoever writes.
    if (stats.isFIFO() || stats.isSocket() || stats.isCharacterDevice())
      throw new UserError(`yaos: DISK=${name}: neither a file nor a block device`);
    const file = openSync(path, 'r');
    try {
      const magic = new Uint8Array(QCOW2_MAGIC.length);
      readSync(file, magic, 0, magic.length, 0);
      return Buffer.from(magic).toString('latin1') === QCOW2_MAGIC ? 'qcow2' : 'raw';
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`yaos: DISK=${name}: ${reason(error)}`);
  }
}
