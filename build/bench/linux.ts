// A Linux guest that reads blocks: Debian's kernel for clouds, where it is installed, and an initial RAM disk with the
// modules of virtio-blk and bench/block/linux.c. One boot measures all depths, as it takes seconds.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../error.ts';
import { root } from '../paths.ts';

export interface LinuxGuest {
  kernel: string;
  initrd: string;
}

/** Each after those that it needs. One that is missing is part of the kernel. */
const MODULES = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev'],
  ...['virtio_pci', 'virtio_blk'],
];
const MODULE_FOLDERS = ['virtio', 'block'];

/** Puts the initial RAM disk into `directory`. Undefined: no such kernel is installed. */
export function linuxGuest(directory: string): LinuxGuest | undefined {
  const name = filesIn('/boot').findLast((file) => /^vmlinuz-.*-cloud-amd64$/.test(file));
  const drivers = `/lib/modules/${name?.slice('vmlinuz-'.length)}/kernel/drivers`;
  if (name === undefined || !existsSync(drivers)) return undefined;
  const paths = MODULES.flatMap((module) => MODULE_FOLDERS.map((f) => join(drivers, f, `${module}.ko`)));
  const modules = paths.filter((path) => existsSync(path)).map((path) => readFileSync(path));
  const initrd = join(directory, 'linux.cpio');
  writeFileSync(initrd, initialRamDisk(buildInit(directory), modules));
  return { kernel: join('/boot', name), initrd };
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

function buildInit(directory: string): Buffer {
  const program = join(directory, 'init');
  const args = ['-std=gnu11', '-O2', '-static', join(root, 'bench/block/linux.c'), '-o', program];
  const { status, stderr } = spawnSync('gcc', args, { encoding: 'utf8' });
  if (status !== 0)
    throw new UserError(`bench: gcc cannot build the Linux guest's program: ${stderr.trim().split('\n')[0]}`);
  return readFileSync(program);
}

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const CONSOLE = { mode: 0o020600, device: [5, 1] };

function initialRamDisk(init: Buffer, modules: Buffer[]): Buffer {
  return Buffer.concat([
    entry('dev', DIRECTORY),
    entry('dev/console', CONSOLE.mode, Buffer.alloc(0), CONSOLE.device),
    entry('modules', DIRECTORY),
    ...modules.map((module, i) => entry(`modules/${String(i).padStart(2, '0')}.ko`, PROGRAM, module)),
    entry('init', PROGRAM, init),
    entry('TRAILER!!!', 0),
  ]);
}

/** Of an archive in cpio's "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */
function entry(name: string, mode: number, content: Uint8Array = Buffer.alloc(0), device = [0, 0]): Buffer {
  const fields = [0, mode, 0, 0, 1, 0, content.length, 0, 0, ...device, name.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([aligned(Buffer.from(header)), aligned(content)]);
}

function aligned(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
