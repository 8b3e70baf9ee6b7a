// How long from QEMU's start to `yaos: done`, and how much of that is QEMU and its firmware: the time to the first
// byte of a boot sector that does nothing else, on the same machine. Both are run in turn, so that a change in the
// host's load meets both.

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../error.ts';
import { FROM_IMAGE, QEMU, qemuArguments } from '../qemu/command.ts';
import { openDisk } from '../qemu/disk.ts';
import { parseOptions } from '../qemu/options.ts';
import { assembleSector } from '../qemu/sector.ts';
import { median } from './table.ts';

const RUN_MS_MAX = 20_000;
const POLL_MS = 1;

export interface Startup {
  machine: string;
  floor_ms: number;
  done_ms: number;
}

export async function measureStartup(machine: string, rounds: number): Promise<Startup> {
  const directory = mkdtempSync(join(tmpdir(), 'yaos-bench-'));
  try {
    const floorImage = assembleSector('build/bench/floor.S', directory);
    const options = parseOptions({ MACHINE: machine });
    const disk = openDisk(options.disk);
    const command = (image: string) => qemuArguments({ options, disk, accel: 'tcg', from: { image } });
    const floor: number[] = [];
    const done: number[] = [];
    for (let round = 0; round < rounds; round++) {
      floor.push(await timeTo('F', command(floorImage), directory));
      done.push(await timeTo('yaos: done', command(FROM_IMAGE.image), directory));
    }
    return { machine, floor_ms: median(floor), done_ms: median(done) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Milliseconds until `text` has come on the serial line. QEMU writes each byte on its own, and a pipe would wake this
 * process for each, on the CPUs that are measured. So the line goes to a file, which is looked at once a millisecond.
 */
function timeTo(text: string, args: string[], directory: string): Promise<number> {
  const log = join(directory, 'serial.log');
  const output = openSync(log, 'w');
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const qemu = spawn(QEMU, args, { stdio: ['ignore', output, 'inherit'] });
    const timer = setTimeout(() => qemu.kill('SIGKILL'), RUN_MS_MAX);
    let time_ms: number | undefined;
    const look = () => {
      if (time_ms === undefined && readFileSync(log, 'latin1').includes(text)) {
        time_ms = performance.now() - start;
        clearInterval(poll);
      }
    };
    const poll = setInterval(look, POLL_MS);
    qemu.on('error', reject);
    qemu.on('close', () => {
      clearTimeout(timer);
      look();
      clearInterval(poll);
      closeSync(output);
      const last = readFileSync(log, 'latin1').split('\r\n').at(-2) ?? '';
      if (time_ms !== undefined) resolve(time_ms);
      else reject(new UserError(`bench: the machine ended without '${text}': ${last}`));
    });
  });
}
