// `yaos run` with disks that are none, or damaged: the kernel's own outcome, or one line, and an end. SEED=… makes other damages.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Random } from '../translator/values.ts';

const SEED = Number(process.env.SEED ?? 1);
const DAMAGED = 12;
/** Where a qcow2 file has its header and first tables; then come data. */
const TABLES_BYTES = 4 * 65536;
const QCOW2_MAGIC = 'QFI\xfb';
const TIME_MS_MAX = 60_000;

const directory = mkdtempSync(join(tmpdir(), 'yaos-disks-'));
afterAll(() => rmSync(directory, { recursive: true }));
const disk = join(directory, 'disk');

/** The last line of what yaos says itself: the outcome goes to standard output, what was wrong from the start to standard error. */
function run(): { status: number | null; last: string | undefined } {
  const args = ['run', '--kernel', '--disk', disk, '--timeout', '20'];
  const { status, stdout, stderr } = spawnSync('out/yaos', args, {
    encoding: 'latin1',
    timeout: TIME_MS_MAX,
  });
  const last = `${stdout}${stderr}`.split(/\r?\n/).findLast((line) => line.startsWith('yaos: '));
  return { status, last };
}

test.each([
  ['a text', () => writeFileSync(disk, 'no disk\n'), /^yaos: panicked: the disk cannot be read$/],
  ['nothing', () => writeFileSync(disk, ''), /^yaos: panicked: the disk cannot be read$/],
  ['a folder', () => mkdirSync(disk), /^yaos: DISK=\S+: it is a directory$/],
  ['a FIFO', () => spawnSync('mkfifo', [disk]), /^yaos: DISK=\S+: neither a file nor a block device$/],
  [
    'no more than a magic number',
    () => writeFileSync(disk, QCOW2_MAGIC, 'latin1'),
    /^yaos: QEMU failed with status 1: /,
  ],
] as const)('%s', (_, make, line) => {
  rmSync(disk, { recursive: true, force: true });
  make();
  const { status, last } = run();
  expect(last).toMatch(line);
  expect(status).toBe(1);
});

test.each(Array.from({ length: DAMAGED }, (_, i) => SEED + i))('a damaged qcow2 file, SEED=%i', (seed) => {
  const random = new Random(seed);
  rmSync(disk, { recursive: true, force: true });
  spawnSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'preallocation=metadata', disk, '1M']);
  const bytes = readFileSync(disk);
  expect(bytes.length).toBeGreaterThan(TABLES_BYTES);
  // Not the magic number: it would be a raw disk then.
  for (let left = 1 + random.below(20); left > 0; left--)
    bytes[4 + random.below(random.chance(0.5) ? 100 : TABLES_BYTES)] = random.below(256);
  writeFileSync(disk, random.chance(0.2) ? bytes.subarray(0, random.below(bytes.length)) : bytes);
  const { status, last } = run();
  expect(last).toMatch(/^yaos: /);
  expect([0, 1]).toContain(status);
});
