// Boots a machine whose serial log is looked at afterwards: the log, the exit status, and what QEMU's own trace says of the disk.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { UserError } from '../error.ts';
import { QEMU } from './command.ts';
import { verdict } from './run.ts';
import { SerialLog } from './serial.ts';

const EVENTS = [
  ...['virtio_set_status', 'virtio_queue_notify', 'virtio_notify', 'virtio_notify_irqfd'],
  ...['virtio_blk_handle_read', 'virtio_blk_handle_write'],
];

/** Of the disk, since its last reset. */
interface Events {
  kicks: number;
  interrupts: number;
  /** What the disk was asked for, in its order: `read 17+4` are sectors 17 to 20. */
  requests: string[];
}

export interface Outcome extends Events {
  status: number | null;
  lines: string[];
  stderr: string;
  /** What `yaos run` would say; null for success. */
  failure: string | null;
}

/** `args` as of qemuArguments(); QEMU writes its trace to the file `trace`. */
export function boot(args: string[], trace: string, timeout_ms: number): Promise<Outcome> {
  const events = EVENTS.flatMap((event) => ['-trace', `enable=${event}`]);
  return new Promise((resolve, reject) => {
    const qemu = spawn(QEMU, [...args, ...events, '-D', trace], { stdio: ['ignore', 'pipe', 'pipe'] });
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
    qemu.on('error', (error) => reject(new UserError(`yaos: cannot run ${QEMU}: ${error.message}`)));
    qemu.on('close', (status, signal) => {
      clearTimeout(timer);
      const failure = verdict(serial, { status, signal, stopped, message: stderr.trim() }, timeout_ms / 1000);
      const lines = log.split('\r\n').slice(0, -1);
      resolve({ status, lines, stderr, failure, ...countEvents(readTrace(trace)) });
    });
  });
}

/** Empty if QEMU ended before it opened it. */
function readTrace(trace: string): string {
  try {
    return readFileSync(trace, 'utf8');
  } catch {
    return '';
  }
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
