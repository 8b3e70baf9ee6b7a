// Disks of QEMU's that fail requests: reads, writes and flushes, once, at the nth time and for ever, a host without space, and slow
// ones. The kernel says which sector and why, tries transfers again, never calls safe what is not, and goes on.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FROM_KERNEL, QEMU, qemuArguments } from '../../build/qemu/command.ts';
import { parseOptions } from '../../build/qemu/options.ts';
import { LiveMachine } from './live.ts';
import { addressOf, dumpsOf, hexDump, type Outcome, SECTOR_BYTES, Workbench } from './machine.ts';
import { Ledger } from './records.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const SECTORS = 200;
const RECORD_SECTORS = 8;
const PLACES = SECTORS / RECORD_SECTORS;
/** With a geometry QEMU has no reason to read the disk itself, and to meet the error. */
const DEVICE = '-device virtio-blk-pci,drive=d,addr=4,cyls=2,heads=16,secs=63';
const NAME = 'virtio-blk 0000:00:04.0: ';

type Rule = Record<string, string | number>;

/** Rules of QEMU's blkdebug by which requests of the kind fail: for ever, once, or the nth one. */
const always = (iotype: string, more: Rule = {}): Rule[] => [{ event: 'none', iotype, errno: 5, ...more }];
const once = (iotype: string) => always(iotype, { once: 'on' });
function nth(iotype: string, event: string, n: number): Rule[] {
  const steps = Array.from({ length: n - 1 }, (_, i) => ({ event, state: i + 1, new_state: i + 2 }));
  return [...steps, { event, state: n, iotype, errno: 5, once: 'on' }];
}

function failing(path: string, rules: Rule[], device = ',rerror=report,werror=report'): string {
  const lists = { 'set-state': rules.filter(isStep), 'inject-error': rules.filter((rule) => !isStep(rule)) };
  const debug = Object.entries(lists).flatMap(([kind, list]) =>
    list.flatMap((rule, i) =>
      Object.entries(rule).map(([name, value]) => `file.${kind}.${i}.${name}=${value}`),
    ),
  );
  const file = `file.driver=blkdebug,file.image.driver=file,file.image.filename=${path}`;
  return `-blockdev driver=raw,node-name=d,${[file, ...debug].join()} ${DEVICE}${device}`;
}

const isStep = (rule: Rule) => 'new_state' in rule;

const failures = ({ lines }: Outcome) =>
  lines
    .filter((line) => line.startsWith(NAME) && / failed: /.test(line))
    .map((line) => line.slice(NAME.length));

test.each([
  ['once', once('read'), 1],
  ['at the third time', nth('read', 'read_aio', 3), 1],
  ['for two times', [...nth('read', 'read_aio', 1), ...nth('read', 'read_aio', 1)], 2],
])('reads fail %s', async (_, rules, times) => {
  const disk = bench.disk(SECTORS);
  const variables = { DISK: 'none', APPEND: 'repeat=5', QEMUEXTRA: failing(disk.path, rules) };
  const outcome = await bench.boot(variables, true);
  expect(outcome.failure, outcome.lines.join('\n')).toBeNull();
  const failure = 'read of sector 1 failed: status 1 (I/O error), tried again';
  expect(failures(outcome)).toEqual(Array.from({ length: times }, () => failure));
  for (const dump of dumpsOf(outcome.lines)) expect(dump).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
});

interface Written {
  outcome: Outcome;
  /** Batches of records by what the kernel said of them last. */
  batches: { first: number; last: number; state: string }[];
}

/** Writes records to a disk that fails, and compares what is there with what was said. */
async function writeRecords(rules: Rule[], count = 100): Promise<Written> {
  const { path } = bench.disk(SECTORS, 0);
  const variables = { DISK: 'none', APPEND: `job=records count=${count}`, QEMUEXTRA: failing(path, rules) };
  const outcome = await bench.boot(variables, true);
  expectPromisesKept(path, outcome.lines);
  return { outcome, batches: batchesOf(outcome.lines) };
}

function expectPromisesKept(path: string, lines: string[]): void {
  const ledger = new Ledger(SECTORS);
  expect(ledger.note(lines)).toEqual([]);
  expect(ledger.check(readFileSync(path))).toEqual([]);
}

function batchesOf(lines: string[]): Written['batches'] {
  const said = lines.flatMap((line) => {
    const [, first, last, state] = /^records: (\d+) to (\d+) (.*)$/.exec(line) ?? [];
    return state === undefined ? [] : [{ first: Number(first), last: Number(last), state }];
  });
  return said.filter(({ state }) => state !== 'written');
}

test.each([
  ['once', once('write')],
  ['at the ninth time', nth('write', 'write_aio', 9)],
])('writes fail %s', async (_, rules) => {
  const { outcome, batches } = await writeRecords(rules);
  expect(outcome.failure, outcome.lines.join('\n')).toBeNull();
  expect(failures(outcome).length).toBeGreaterThanOrEqual(1); // all those that QEMU has made one request of
  for (const line of failures(outcome))
    expect(line).toMatch(/^write of sectors \d+ to \d+ failed: status 1 \(I\/O error\), tried again$/);
  expect(batches.every(({ state }) => state === 'safe')).toBe(true);
});

test.each([
  ['is bad', 5],
  ['has no space on the host', 28],
])('one sector %s: only its records fail, and all else goes on', async (_, errno) => {
  const BAD = 100;
  const { outcome, batches } = await writeRecords(always('write', { sector: BAD, errno }));
  expect(outcome.failure, outcome.lines.join('\n')).toBeNull();
  const place = Math.floor(BAD / RECORD_SECTORS);
  for (const { first, last, state } of batches) {
    const hit = Array.from({ length: last - first + 1 }, (_, i) => first + i).some(
      (n) => n % PLACES === place,
    );
    expect([first, last, state]).toEqual([first, last, hit ? 'failed' : 'safe']);
  }
  // QEMU makes one request of neighbours, so that some fail with the bad one; alone they are good.
  const failure = `write of sectors ${place * RECORD_SECTORS} to ${BAD + 3} failed: status 1 (I/O error)`;
  const thrice = [`${failure}, tried again`, `${failure}, tried again`, failure];
  const ofBad = failures(outcome).filter((line) => line.startsWith(failure));
  expect(ofBad).toEqual(batches.filter(({ state }) => state === 'failed').flatMap(() => thrice));
  expect(failures(outcome).every((line) => line === failure || line.endsWith(', tried again'))).toBe(true);
});

test('a disk that writes nothing any more: it is given up in the end', async () => {
  const { outcome, batches } = await writeRecords(always('write'));
  expect(outcome.failure).toBe('panicked: the disk keeps no records any more');
  expect(batches.length).toBe(20);
  expect(batches.every(({ state }) => state === 'failed')).toBe(true);
});

test.each([
  ['once', once('flush'), 1],
  ['at the fourth time', nth('flush', 'flush_to_disk', 4), 1],
])('flushes fail %s: no second one may hide what was lost', async (_, rules, times) => {
  const { outcome, batches } = await writeRecords(rules);
  expect(outcome.failure, outcome.lines.join('\n')).toBeNull();
  expect(failures(outcome)).toEqual(
    Array.from({ length: times }, () => 'flush failed: status 1 (I/O error)'),
  );
  expect(batches.filter(({ state }) => state === 'not safe')).toHaveLength(times);
});

test('no flush is ever good', async () => {
  const { outcome, batches } = await writeRecords(always('flush'));
  expect(outcome.failure).toBe('panicked: the disk keeps no records any more');
  expect(batches.map(({ state }) => state)).toEqual(Array.from({ length: 20 }, () => 'not safe'));
});

test('QEMU stops for want of space, and goes on when there is some', async () => {
  const { path } = bench.disk(SECTORS, 0);
  const rules = always('write', { once: 'on', errno: 28 });
  const QEMUEXTRA = failing(path, rules, ''); // by default it reports errors but ENOSPC
  const live = new LiveMachine({ DISK: 'none', APPEND: 'job=records', QEMUEXTRA });
  expect(await live.event('BLOCK_IO_ERROR')).toMatchObject({ nospace: true, action: 'stop' });
  await live.event('STOP');
  await live.command('cont');
  const { lines } = await live.ended;
  expect(lines.at(-1)).toBe('yaos: done');
  expect(lines.filter((line) => line.includes('failed'))).toEqual([]);
  expectPromisesKept(path, lines);
});

/** A file system of 64 KiB, which a user may mount in a name space of one's own; else why not. */
const FULL = ['--user', '--map-root-user', '--mount', 'sh', '-c'];
const mount = 'mount -t tmpfs -o size=64k none';
const probe = spawnSync('unshare', [...FULL, `${mount} /mnt`], { encoding: 'utf8' });
const cannotMount = probe.status === 0 ? '' : (probe.error?.message ?? probe.stderr.trim());

test('the host’s file system is full', (context) => {
  context.skip(cannotMount !== '', cannotMount);
  const small = join(bench.directory, 'small');
  const copy = join(bench.directory, 'left.img');
  const script = join(bench.directory, 'full.sh');
  const lines = [
    `mkdir ${small} && ${mount} ${small} && truncate -s ${SECTORS * SECTOR_BYTES} ${small}/disk || exit 99`,
    '"$@"; status=$?',
    `cp ${small}/disk ${copy}; exit $status`,
  ];
  writeFileSync(script, lines.join('\n'));
  const node = `-blockdev driver=file,node-name=d,filename=${small}/disk ${DEVICE},rerror=report,werror=report`;
  const options = parseOptions({ DISK: 'none', APPEND: 'job=records count=60', QEMUEXTRA: node });
  const args = qemuArguments({ options, disk: null, accel: 'tcg', from: FROM_KERNEL });
  const command = [...FULL, '. "$0"', script, QEMU, ...args];
  const { status, stdout, stderr } = spawnSync('unshare', command, { encoding: 'latin1', timeout: 30_000 });
  const log = stdout.split('\r\n');
  expect({ status, stderr, last: log.at(-2) }).toEqual({ status: 0, stderr: '', last: 'yaos: done' });
  expectPromisesKept(copy, log);
  const states = batchesOf(log).map(({ state }) => state);
  expect(states).toContain('safe');
  expect(states).toContain('failed');
  expect(stdout).toMatch(
    /^virtio-blk 0000:00:04\.0: write of sectors \d+ to \d+ failed: status 1 \(I\/O error\)\r$/m,
  );
});

test('make qemu: there is no room for what the guest writes', (context) => {
  context.skip(cannotMount !== '', cannotMount);
  const { path } = bench.disk(4096, 0);
  const small = join(bench.directory, 'overlay');
  const script = join(bench.directory, 'overlay.sh');
  // QEMU keeps the guest's writes in a file there.
  const lines = [
    `mkdir ${small} && mount -t tmpfs -o size=1m none ${small} || exit 99`,
    `TMPDIR=${small} "$@"`,
  ];
  writeFileSync(script, lines.join('\n'));
  const env = { ...process.env, ACCEL: 'tcg', DISK: path, TIMEOUT: '20', APPEND: 'job=records count=240' };
  const command = [...FULL, '. "$0"', script, 'out/yaos', 'run', '--kernel'];
  const { status, stdout } = spawnSync('unshare', command, { encoding: 'latin1', env });
  const log = stdout.split('\r\n');
  const last = stdout.trimEnd().split('\n').at(-1);
  expect({ status, last }).toEqual({ status: 1, last: 'yaos: panicked: the last records are not safe' });
  const states = batchesOf(log).map(({ state }) => state);
  expect(states).toContain('safe');
  expect(states).toContain('failed');
});

test('a disk that takes its time', async () => {
  const LATENCY_NS = 30_000_000;
  const node = `-blockdev driver=null-co,node-name=d,size=1048576,latency-ns=${LATENCY_NS}`;
  const variables = { DISK: 'none', APPEND: 'job=blkbench count=64 qd=16', QEMUEXTRA: `${node} ${DEVICE}` };
  const { failure, lines } = await bench.boot(variables, true);
  expect(failure, lines.join('\n')).toBeNull();
  const median_ns = Number(/^BLK .* p50_ns=(\d+)/m.exec(lines.join('\n'))?.[1]);
  expect(median_ns).toBeGreaterThan(LATENCY_NS);
});

test('a disk that the host holds back: all is done, a little at a time', async () => {
  const { path } = bench.disk(SECTORS, 0);
  const file = `-blockdev driver=file,node-name=f,filename=${path}`;
  const node =
    '-object throttle-group,id=g,x-iops-total=150 -blockdev driver=throttle,node-name=d,throttle-group=g,file=f';
  const variables = { DISK: 'none', APPEND: 'job=records count=40', QEMUEXTRA: `${file} ${node} ${DEVICE}` };
  const { failure, lines } = await bench.boot(variables, true);
  expect(failure, lines.join('\n')).toBeNull();
  expect(batchesOf(lines).every(({ state }) => state === 'safe')).toBe(true);
  expectPromisesKept(path, lines);
});
