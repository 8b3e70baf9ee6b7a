// Reads of a disk at several depths, in requests a second: the kernel's job=blkbench by interrupt and polled, beside the
// floor (bench/block, the least that a guest can do), all on the same QEMU and disk in turn; and qemu-img bench, which
// has no guest. Medians of some rounds. Linux is measured where Debian's kernel for clouds is installed, else a line says so.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../error.ts';
import { out, root } from '../paths.ts';
import { QEMU } from '../qemu/command.ts';
import { type LinuxGuest, linuxGuest } from './linux.ts';
import { isInstalled } from './process.ts';
import { median, printColumns, progress } from './table.ts';

const ROUNDS = 5;
const DEPTHS = [1, 4, 16, 32, 64, 128];
const REQUEST_BYTES = 4096;
const DISK_BYTES = 64 * 2 ** 20;
/** Linux alone takes seconds to boot, and then measures all depths. */
const RUN_MS_MAX = 300_000;
const LINUX_ROUNDS = 3;

interface Backend {
  name: string;
  /** QEMU's -drive. */
  drive: string;
  /** Enough for a few tenths of a second. */
  count: (depth: number) => number;
}

export function measureBlock(): void {
  const directory = mkdtempSync(join(tmpdir(), 'yaos-bench-'));
  try {
    const floor = buildFloor(directory);
    const disk = join(directory, 'disk.img');
    writeFileSync(disk, Buffer.alloc(DISK_BYTES, 'yaos'));
    const backends: Backend[] = [
      {
        name: 'file, cache=none, aio=native',
        drive: `file=${disk},format=raw,cache=none,aio=native`,
        count: (depth) => (depth === 1 ? 4000 : 20_000),
      },
      {
        name: 'null-co',
        drive: `file.driver=null-co,file.size=${DISK_BYTES},format=raw`,
        count: (depth) => (depth === 1 ? 10_000 : 100_000),
      },
    ];
    const linux = linuxGuest(directory);
    if (linux === undefined)
      console.log(
        "a Linux guest is left out: Debian's cloud kernel (linux-image-cloud-amd64) is not installed",
      );
    for (const backend of backends) measureBackend(backend, floor, linux);
    measureImage(disk);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function measureBackend(backend: Backend, floor: string, linux: LinuxGuest | undefined): void {
  const { name } = backend;
  const title = `${name}: reads of 4 KiB a second at a depth of`;
  const rows = [[title, 'floor', 'interrupts', '/ floor', 'polled', '/ floor']];
  const peer = linux && ratesOfLinux(linux, backend);
  if (peer) rows[0].push('Linux', 'interrupts / Linux');
  for (const [at, depth] of DEPTHS.entries()) {
    const [base, byInterrupt, polled] = ratesOfGuests(backend, depth, floor);
    const row = [
      ...[base.toFixed(0), byInterrupt.toFixed(0), (byInterrupt / base).toFixed(2)],
      ...[polled.toFixed(0), (polled / base).toFixed(2)],
    ];
    if (peer) row.push(peer[at].toFixed(0), (byInterrupt / peer[at]).toFixed(2));
    rows.push([String(depth), ...row]);
  }
  progress('');
  printColumns(rows);
}

/** The floor's rate, and the kernel's by interrupt and polled. */
function ratesOfGuests({ name, drive, count }: Backend, depth: number, floor: string): number[] {
  const words = `size=${REQUEST_BYTES} qd=${depth} count=${count(depth)} pattern=rand`;
  const guests: [kernel: string, line: string][] = [
    [floor, words],
    [join(out, 'kernel.elf'), `job=blkbench ${words} poll=0`],
    [join(out, 'kernel.elf'), `job=blkbench ${words} poll=1`],
  ];
  const rates: number[][] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    progress(`${name}, ${depth} in flight, round ${round + 1} of ${ROUNDS}`);
    for (const [i, [kernel, line]] of guests.entries())
      rates[i].push(...ratesOf(['-kernel', kernel, '-append', line], drive));
  }
  return rates.map(median);
}

/** At each depth. */
function ratesOfLinux({ kernel, initrd }: LinuxGuest, { name, drive, count }: Backend): number[] {
  const line = `console=ttyS0 quiet panic=-1 mitigations=off -- ${DEPTHS.map((d) => `${d}:${count(d)}`).join(' ')}`;
  const rounds = Array.from({ length: LINUX_ROUNDS }, (_, round) => {
    progress(`${name}, Linux, round ${round + 1} of ${LINUX_ROUNDS}`);
    const rates = ratesOf(['-kernel', kernel, '-initrd', initrd, '-append', line], drive);
    if (rates.length === DEPTHS.length) return rates;
    throw new UserError(`bench: ${kernel} told ${rates.length} rates, not ${DEPTHS.length}`);
  });
  return DEPTHS.map((_, at) => median(rounds.map((rates) => rates[at])));
}

/** What a guest tells. */
function ratesOf(boot: string[], drive: string): number[] {
  const { stdout, stderr } = spawnSync(
    QEMU,
    [
      ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
      ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-machine', 'pc', '-m', '256', '-accel', 'tcg'],
      ...['-drive', `if=none,id=disk,${drive}`, '-device', 'virtio-blk-pci,drive=disk,queue-size=1024'],
      ...boot,
    ],
    { encoding: 'latin1', timeout: RUN_MS_MAX },
  );
  const rates = [...stdout.matchAll(/^BLK .*\biops=(\d+)/gm)].map(([, iops]) => Number(iops));
  if (rates.length > 0) return rates;
  const last = (stderr || stdout).trim().split(/\r?\n/).slice(-2).join(', ');
  throw new UserError(`bench: ${boot[1]} with "${boot.at(-1)}" told no rate: ${last}`);
}

function measureImage(disk: string): void {
  if (!isInstalled('qemu-img')) {
    console.log('qemu-img bench is left out: qemu-img is not installed (Debian: qemu-utils)');
    return;
  }
  const rates = [1, 64].map((depth) => {
    const args = ['bench', '-q', '-f', 'raw', '-t', 'none', '-n', '-c', '20000', '-d', String(depth)];
    const start = performance.now();
    const { status } = spawnSync('qemu-img', [...args, '-s', String(REQUEST_BYTES), disk]);
    if (status !== 0) throw new UserError('bench: qemu-img bench failed on the disk of the benchmark');
    return `${((20_000 / (performance.now() - start)) * 1000).toFixed(0)} at ${depth}`;
  });
  console.log(`qemu-img bench, sequential reads of the file without a guest, a second: ${rates.join(', ')}`);
}

/** Its sources are 32-bit: gcc -m32 needs no library for them. */
function buildFloor(directory: string): string {
  const source = join(root, 'bench/block');
  const elf = join(directory, 'floor.elf');
  const flags = ['-m32', '-O2', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-fno-strict-aliasing'];
  const commands = [
    ['gcc', ...flags, '-c', join(source, 'floor.c'), '-o', join(directory, 'floor.o')],
    ['as', '--32', join(source, 'start.S'), '-o', join(directory, 'start.o')],
    [
      ...[
        'ld',
        '-m',
        'elf_i386',
        '-z',
        'noexecstack',
        '--no-warn-rwx-segments',
        '-T',
        join(source, 'floor.ld'),
      ],
      ...['-o', elf, join(directory, 'start.o'), join(directory, 'floor.o')],
    ],
  ];
  for (const [command, ...args] of commands) {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status !== 0)
      throw new UserError(`bench: ${command} cannot build the floor guest: ${stderr.trim().split('\n')[0]}`);
  }
  return elf;
}
