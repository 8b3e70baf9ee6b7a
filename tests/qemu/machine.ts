// Boots what was built in QEMU with the command line of `yaos run`, on a disk whose content the test knows, and
// collects the serial log, the exit status and what QEMU's own trace says of kicks and interrupts.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FROM_IMAGE, FROM_KERNEL, QEMU, qemuArguments } from '../../build/qemu/command.ts';
import { openDisk } from '../../build/qemu/disk.ts';
import { parseOptions, type Variables } from '../../build/qemu/options.ts';
import { verdict } from '../../build/qemu/run.ts';
import { SerialLog } from '../../build/qemu/serial.ts';

export const SECTOR_BYTES = 512;
const RUN_MS_MAX = 30_000;
/** Sectors at the beginning that are random, unless the test says how many; the others are holes. */
const RANDOM_SECTORS = 4;
const EVENTS = [
  ...['virtio_set_status', 'virtio_queue_notify', 'virtio_notify', 'virtio_notify_irqfd'],
  ...['virtio_blk_handle_read', 'virtio_blk_handle_write'],
];

export interface Outcome extends Events {
  status: number | null;
  lines: string[];
  stderr: string;
  /** What `yaos run` would say; null for success. */
  failure: string | null;
}

/** Of the disk, since its last reset. */
interface Events {
  kicks: number;
  interrupts: number;
  /** What the disk was asked for, in its order: `read 17+4` are sectors 17 to 20. */
  requests: string[];
}

export interface Disk {
  path: string;
  sectors: number;
  sectorOne: Buffer;
}

/** A folder for one test file's disks and traces, removed by `remove`. */
export class Workbench {
  readonly seed = process.env.YAOS_SEED ?? '1';
  readonly directory = mkdtempSync(join(tmpdir(), 'yaos-qemu-'));
  private count = 0;

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  /** Random by the seed, which is in the file's name and so in what a failing test prints. */
  disk(sectors = 2 + (this.random('size').readUInt16LE(0) % 4096), random = RANDOM_SECTORS): Disk {
    const path = join(this.directory, `seed-${this.seed}-disk-${this.count++}.img`);
    const content = Buffer.concat(
      Array.from({ length: random }, (_, i) => this.random(`${this.count} ${i}`)),
    );
    const file = openSync(path, 'w');
    writeSync(file, content.subarray(0, sectors * SECTOR_BYTES));
    ftruncateSync(file, sectors * SECTOR_BYTES);
    closeSync(file);
    return { path, sectors, sectorOne: content.subarray(SECTOR_BYTES, 2 * SECTOR_BYTES) };
  }

  /** A sector of random bytes. */
  private random(purpose: string): Buffer {
    const hashes = Array.from({ length: SECTOR_BYTES / 32 }, (_, i) =>
      createHash('sha256').update(`${this.seed} ${purpose} ${i}`).digest(),
    );
    return Buffer.concat(hashes);
  }

  /** `variables` as for make; `direct` boots with -kernel. */
  async boot(variables: Variables, direct = false, timeout_ms = RUN_MS_MAX): Promise<Outcome> {
    const options = parseOptions({ ...variables, ACCEL: 'tcg' });
    const trace = join(this.directory, `trace-${this.count++}`);
    const from = direct ? FROM_KERNEL : FROM_IMAGE;
    const args = qemuArguments({ options, disk: openDisk(options.disk), accel: 'tcg', from });
    const events = EVENTS.flatMap((event) => ['-trace', `enable=${event}`]);
    const ended = await runQemu([...args, ...events, '-D', trace], timeout_ms);
    return { ...ended, ...countEvents(readFileSync(trace, 'utf8')) };
  }
}

function runQemu(args: string[], timeout_ms: number): Promise<Omit<Outcome, keyof Events>> {
  return new Promise((resolve, reject) => {
    const qemu = spawn(QEMU, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const serial = new SerialLog();
    let log = '';
    let stderr = '';
    let stopped: 'timeout' | null = null;
    const timer = setTimeout(() => {
      stopped = 'timeout';
      qemu.kill('SIGKILL');
    }, timeout_ms);
    qemu.stdout.on('data', (bytes: Buffer) => {
      serial.add(bytes);
      log += bytes.toString('latin1');
    });
    qemu.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    qemu.on('error', reject);
    qemu.on('close', (status, signal) => {
      clearTimeout(timer);
      const failure = verdict(serial, { status, signal, stopped, message: stderr.trim() }, timeout_ms / 1000);
      resolve({ status, lines: log.split('\r\n').slice(0, -1), stderr, failure });
    });
  });
}

/** The firmware may have used the disk before the kernel reset it. */
function countEvents(trace: string): Events {
  const events = trace.split('\n').map((line) => line.replace(/^.*?(?=virtio_)/, ''));
  const reset = events.findLastIndex((event) => /^virtio_set_status .* val 0$/.test(event));
  const sinceReset = events.slice(reset + 1);
  const count = (...names: string[]) =>
    sinceReset.filter((e) => names.some((n) => e.startsWith(`${n} `))).length;
  const requests = sinceReset.flatMap((event) => {
    const found = /^virtio_blk_handle_(read|write) .* sector (\d+) nsectors (\d+)$/.exec(event);
    return found ? [`${found[1]} ${found[2]}+${found[3]}`] : [];
  });
  const kicks = count('virtio_queue_notify');
  return { kicks, interrupts: count('virtio_notify', 'virtio_notify_irqfd'), requests };
}

/** What the contract wants of a dump, made of what the host wrote. */
export function hexDump(bytes: Buffer, address: number): string[] {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const lines = [`addr:${hex(address, 8)}:`];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const text = row.map((byte) => (byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`~${hex(address + at, 8)} - ${row.map((byte) => `${hex(byte, 2)} `).join('')}${text}`);
  }
  return lines;
}

/** The dumps of a log, each from its `addr:` line on. */
export function dumpsOf(lines: string[], bytes = SECTOR_BYTES): string[][] {
  return lines.flatMap((line, i) => (line.startsWith('addr:') ? [lines.slice(i, i + 1 + bytes / 16)] : []));
}

export function addressOf(dump: string[]): number {
  return Number.parseInt(dump[0].slice('addr:'.length), 16);
}
