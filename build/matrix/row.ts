// One row of the matrix: a disk of random bytes, a boot, and everything that the log has wrong.

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boot, type Outcome } from '../qemu/collect.ts';
import { FROM_IMAGE, FROM_KERNEL, QEMU, qemuArguments } from '../qemu/command.ts';
import { openDisk } from '../qemu/disk.ts';
import { randomBytes, SECTOR_BYTES, writeDisk } from '../qemu/dump.ts';
import { parseOptions } from '../qemu/options.ts';
import { type Configuration, DISK_FILE } from './configuration.ts';
import { judge } from './judge.ts';

const DUMPED_SECTORS_MIN = 2;
const DUMPED_SECTORS_MAX = 8;
const SECTORS_MAX = 4096;
/** Of the largest block that a configuration has. */
const SIZE_STEP_SECTORS = 8;

export interface Settings {
  /** Disk and length of the dump depend on it and on the row's name. */
  seed: string;
  /** Where the disk is made, and kept with the log if the row fails. */
  folder: string;
  accel: 'kvm' | 'tcg';
  timeout_s: number;
}

export interface Result {
  name: string;
  verdict: 'passed' | 'failed' | 'skipped';
  /** What is wrong; why it was skipped. */
  problems: string[];
  /** Repeats it when it is pasted into a shell. */
  command: string;
  /** The file with the serial log of a row that failed. */
  log: string;
  time_ms: number;
}

export async function runRow(configuration: Configuration, settings: Settings): Promise<Result> {
  const { name } = configuration;
  const file = join(settings.folder, name.replaceAll(/[^A-Za-z0-9.]+/g, '-'));
  const [path, log, trace] = [`${file}.img`, `${file}.log`, `${file}.trace`];
  const start = performance.now();
  const result = { name, log, command: '' };
  const time_ms = () => performance.now() - start;
  const disk = makeDisk(configuration, `${settings.seed} ${name}`, path);
  if (typeof disk === 'string')
    return { ...result, verdict: 'skipped', problems: [disk], time_ms: time_ms() };
  const args = machineArguments(configuration, path, disk.dumped.length / SECTOR_BYTES, settings.accel);
  const outcome = await boot(args, trace, settings.timeout_s * 1000);
  const reason = cannotDo(outcome);
  const problems = reason === null ? judge(configuration, disk, outcome) : [reason];
  const verdict = reason !== null ? 'skipped' : problems.length > 0 ? 'failed' : 'passed';
  if (verdict === 'failed') writeFileSync(log, [...outcome.lines, outcome.stderr].join('\n'));
  else rmSync(path, { force: true });
  rmSync(trace, { force: true });
  return { ...result, verdict, problems, command: [QEMU, ...args].map(quoted).join(' '), time_ms: time_ms() };
}

export interface KnownDisk {
  sectors: number;
  /** From sector 1 on, what the kernel is to dump. */
  dumped: Buffer;
}

/** A text says why it could not be made. */
function makeDisk({ disk = {} }: Configuration, seed: string, path: string): KnownDisk | string {
  const random = randomBytes(seed, 4);
  const step = (SECTORS_MAX - 2 * DUMPED_SECTORS_MAX) / SIZE_STEP_SECTORS;
  const size = 2 * DUMPED_SECTORS_MAX + (random.readUInt16LE(0) % step) * SIZE_STEP_SECTORS;
  const { sectors = size, format = 'raw', blank = false } = disk;
  const bytes = Math.min(sectors, 2 * DUMPED_SECTORS_MAX) * SECTOR_BYTES;
  const content = blank ? Buffer.alloc(bytes) : randomBytes(`${seed} content`, bytes);
  const wanted = DUMPED_SECTORS_MIN + (random[2] % (DUMPED_SECTORS_MAX - DUMPED_SECTORS_MIN + 1));
  const count = Math.max(1, Math.min(wanted, sectors - 1));
  const dumped = content.subarray(SECTOR_BYTES, (1 + count) * SECTOR_BYTES);
  if (format === 'raw') {
    writeDisk(path, sectors, content);
  } else {
    const raw = `${path}.raw`;
    writeDisk(raw, sectors, content);
    const [driver, ...options] = format.split(',');
    const how = ['-O', driver, ...options.flatMap((option) => ['-o', option])];
    const done = spawnSync('qemu-img', ['convert', '-f', 'raw', ...how, raw, path], { encoding: 'utf8' });
    rmSync(raw);
    if (done.status !== 0) return done.error?.message ?? done.stderr.trim();
  }
  return { sectors, dumped };
}

function machineArguments(
  { machine, direct, panics }: Configuration,
  path: string,
  count: number,
  accel: 'kvm' | 'tcg',
): string[] {
  const attached = machine.QEMUEXTRA?.includes('drive=disk') ?? false;
  const APPEND = count === 1 || panics ? '' : `count=${count}`;
  const options = parseOptions({ ...machine, APPEND });
  const named = path.replaceAll(',', ',,'); // in QEMU's option lists
  const qemuExtra = options.qemuExtra.map((word) => word.replaceAll(DISK_FILE, named));
  const disk = attached ? null : openDisk(path);
  const from = direct ? FROM_KERNEL : FROM_IMAGE;
  return qemuArguments({ options: { ...options, qemuExtra }, disk, accel, from });
}

const LACKS = [
  ...[/is not a valid device model name/, /Property '.*' not found/, /nsupported machine type/],
  ...[
    /unable to find CPU model/,
    /Unknown driver/,
    /is not compiled into this binary/,
    /could not load PC BIOS/,
  ],
  ...[/cannot set up guest memory/, /Cannot allocate memory/, /Invalid parameter/],
];

/** Why this QEMU, or this host, does not have the machine; null if it has. */
function cannotDo({ failure, lines, stderr }: Outcome): string | null {
  if (failure === null || lines.length > 0) return null;
  return stderr.split('\n').find((line) => LACKS.some((pattern) => pattern.test(line))) ?? null;
}

/** A word for a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
