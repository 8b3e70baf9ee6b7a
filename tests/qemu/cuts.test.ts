// Power cuts: QEMU is killed at a random moment while the kernel writes records, flushes, and says which are safe. Those must be on
// the disk afterwards, though it loses what was not flushed (volatile-disk.ts), and so at every request before, had the cut come
// then. The next machine goes on with what is left. `make cuts` makes N=1000 of them, from SEED=… on.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Random } from '../../machine/index.ts';
import { cutPower, type Scenario } from './cut.ts';
import { LiveMachine } from './live.ts';
import { SECTOR_BYTES, Workbench } from './machine.ts';
import { Ledger } from './records.ts';
import { FLUSH, type Phase } from './volatile-disk.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const { N, SEED = '1' } = process.env;
const CUTS = Number(N ?? 12);
const CHAINS = Math.min(availableParallelism(), CUTS);
const TIMEOUT_MS = 3_600_000;

const SECTORS = 200;
const PLACES = SECTORS / 8;
/** Events of the disk: three of each request; at first each place is read. */
const EVENTS_MAX = 3 * (PLACES + 120);

const DEVICES = ['', ',packed=on', ',write-cache=off,config-wce=off', ',num-queues=1', ',disable-modern=on'];
const MACHINES = [{ MACHINE: 'pc' }, { MACHINE: 'q35' }];

function blank(): Buffer {
  return Buffer.alloc(SECTORS * SECTOR_BYTES);
}

function scenario(random: Random): Scenario {
  const SMP = String(random.between(1, 4));
  const cache = random.pick(['', '', 'cache=writethrough', 'cache=writeback']);
  const words = `seed=${random.between(1, 9999)} cpu=${random.below(Number(SMP))} ${cache}`;
  return { variables: { ...random.pick(MACHINES), SMP }, device: random.pick(DEVICES), words };
}

/** Cuts on one disk after another; `made`: one was. */
async function chain(seed: number, count: number, made: (ms: number) => void): Promise<void> {
  let disk = blank();
  const ledger = new Ledger(SECTORS);
  for (let i = 0; i < count; i++) {
    const random = new Random(seed + i);
    const what = scenario(random);
    let events = random.between(1, EVENTS_MAX);
    const start_ms = performance.now();
    const left = await cutPower(
      disk,
      ledger,
      what,
      () => --events === 0,
      (versions) => random.below(versions),
    );
    expect(left.problems.slice(0, 5), `SEED=${seed + i} N=1: ${JSON.stringify(what)}`).toEqual([]);
    disk = left.disk;
    made(performance.now() - start_ms);
  }
}

test(`what a flush has made safe outlives ${CUTS} power cuts`, { timeout: TIMEOUT_MS }, async () => {
  const each = Math.ceil(CUTS / CHAINS);
  let cuts = 0;
  let slowest_ms = 0;
  const tell = (ms: number) => {
    cuts++;
    slowest_ms = Math.max(slowest_ms, ms);
    if (N === undefined || cuts % 50 > 0) return;
    console.log(`cuts: SEED=${SEED}, ${cuts} of ${CUTS}, the slowest in ${(slowest_ms / 1000).toFixed(1)} s`);
  };
  const chains = Array.from({ length: CHAINS }, (_, i) => chain(Number(SEED) + i * each, each, tell));
  await Promise.all(chains);
});

// That the above would find what it looks for: each of these must lose records.

const atFlush = (number: number) => {
  let flushes = 0;
  return (phase: Phase, type: number) => phase === 'asked' && type === FLUSH && ++flushes === number;
};
const nothing = () => 0;

const afterMany = () => {
  let events = EVENTS_MAX;
  return () => --events === 0;
};

test('a flush that goes nowhere is found out', async () => {
  const failing = ['event=none', 'iotype=flush', 'errno=5'].map((rule) => `inject-error.0.${rule}`).join();
  const above = `-blockdev driver=blkdebug,node-name=top,image=d,${failing}`;
  const lying = { above, device: ',werror=ignore' }; // to the guest, the failure is none
  const left = await cutPower(blank(), new Ledger(SECTORS), lying, afterMany(), nothing);
  expect(left.problems.join('\n')).toMatch(/^sector \d+ has nothing; record \d+ was safe$/m);
});

test('so is a kernel that says so before the flush', async () => {
  const ledger = new Ledger(SECTORS, 'written');
  const left = await cutPower(blank(), ledger, {}, atFlush(9), nothing);
  expect(left.problems.join('\n')).toMatch(/^sector \d+ has nothing; record \d+ was written$/m);
});

test('without a write cache what is written is safe at once', async () => {
  const ledger = new Ledger(SECTORS, 'written');
  const device = ',write-cache=off,config-wce=off';
  const left = await cutPower(blank(), ledger, { device }, afterMany(), nothing);
  expect(left.problems).toEqual([]);
});

test('a machine that ends before its cut says how', async () => {
  const left = await cutPower(blank(), new Ledger(SECTORS), { run_ms_max: 1 }, () => false, nothing);
  expect(left.problems).toEqual([expect.stringMatching(/^it ended before the cut, no end in 0\.001 s: /)]);
  const wrong = { device: ',no-such-property=1' };
  const refused = await cutPower(blank(), new Ledger(SECTORS), wrong, () => false, nothing);
  expect(refused.problems).toEqual([
    expect.stringMatching(/^it ended before the cut, status 1: .*no-such-property/),
  ]);
});

// Files of the host, whose page cache outlives QEMU: what QEMU itself keeps back, as qcow2's tables, must not be missing.
test.each([
  ['raw', 9],
  ['raw', 60],
  ['qcow2', 10],
  ['qcow2', 61],
])('a %s file after a cut at line %i of the records', async (format, line) => {
  const path = join(bench.directory, `cut-${line}.${format}`);
  execFileSync('qemu-img', ['create', '-q', '-f', format, path, String(SECTORS * SECTOR_BYTES)]);
  const node = `driver=${format},node-name=d,file.driver=file,file.filename=${path}`;
  const QEMUEXTRA = `-blockdev ${node} -device virtio-blk-pci,drive=d,addr=4`;
  const live = new LiveMachine({ DISK: 'none', QEMUEXTRA, APPEND: 'job=records count=0' });
  const told = () => live.lines.filter((text) => text.startsWith('records: ')).length;
  await live.when(() => (told() >= line ? true : undefined), 'no records');
  live.kill();
  const { lines } = await live.ended;
  if (format === 'qcow2') execFileSync('qemu-img', ['check', '-q', '-r', 'leaks', path]);
  const raw = `${path}.raw`;
  execFileSync('qemu-img', ['convert', '-f', format, '-O', 'raw', path, raw]);
  const ledger = new Ledger(SECTORS);
  ledger.start(blank());
  expect(ledger.note(lines)).toEqual([]);
  expect(ledger.check(readFileSync(raw))).toEqual([]);
});
