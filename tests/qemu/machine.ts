// Boots what was built in QEMU with the command line of `yaos run`, on a disk whose content the test knows, and
// collects the serial log, the exit status and what QEMU's own trace says of kicks and interrupts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boot, type Outcome } from '../../build/qemu/collect.ts';
import { FROM_IMAGE, FROM_KERNEL, qemuArguments } from '../../build/qemu/command.ts';
import { openDisk } from '../../build/qemu/disk.ts';
import { randomBytes, SECTOR_BYTES, writeDisk } from '../../build/qemu/dump.ts';
import { parseOptions, type Variables } from '../../build/qemu/options.ts';

export type { Outcome } from '../../build/qemu/collect.ts';
export { addressOf, dumpsOf, hexDump, SECTOR_BYTES } from '../../build/qemu/dump.ts';

const RUN_MS_MAX = 30_000;
/** Sectors at the beginning that are random, unless the test says how many; the others are holes. */
const RANDOM_SECTORS = 4;

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
  disk(
    sectors = 2 + (randomBytes(`${this.seed} size`, 2).readUInt16LE(0) % 4096),
    random = RANDOM_SECTORS,
  ): Disk {
    const path = join(this.directory, `seed-${this.seed}-disk-${this.count++}.img`);
    const content = randomBytes(`${this.seed} ${this.count}`, random * SECTOR_BYTES);
    writeDisk(path, sectors, content);
    return { path, sectors, sectorOne: content.subarray(SECTOR_BYTES, 2 * SECTOR_BYTES) };
  }

  /** `variables` as for make; `direct` boots with -kernel. */
  boot(variables: Variables, direct = false, timeout_ms = RUN_MS_MAX): Promise<Outcome> {
    const options = parseOptions({ ...variables, ACCEL: 'tcg' });
    const trace = join(this.directory, `trace-${this.count++}`);
    const from = direct ? FROM_KERNEL : FROM_IMAGE;
    const args = qemuArguments({ options, disk: openDisk(options.disk), accel: 'tcg', from });
    return boot(args, trace, timeout_ms);
  }
}
