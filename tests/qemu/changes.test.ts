// What happens to a disk while it is written to: it changes its size, the machine is reset, the card is pulled out. What a flush has
// made safe is there afterwards, and what could not be done was said.

import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { LiveMachine } from './live.ts';
import { SECTOR_BYTES, Workbench } from './machine.ts';
import { Ledger } from './records.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const SECTORS = 400;
const file = (path: string) => `-blockdev driver=file,node-name=d,filename=${path}`;
const DEVICE = '-device virtio-blk-pci,drive=d,id=b';
const RECORDS = 'job=records count=0';

/** Resolves when so many more lines of that kind have come. */
function more(live: LiveMachine, count: number, pattern = /^records: \d+ to \d+ safe$/): Promise<true> {
  const seen = () => live.lines.filter((line) => pattern.test(line)).length;
  const wanted = seen() + count;
  return live.when(() => (seen() >= wanted ? true : undefined), `not ${count} more lines ${pattern}`);
}

function expectPromisesKept(path: string, lines: string[]): void {
  const ledger = new Ledger(SECTORS);
  expect(ledger.note(lines)).toEqual([]);
  expect(ledger.check(readFileSync(path))).toEqual([]);
}

test('it shrinks and grows', async () => {
  const { path } = bench.disk(SECTORS, 0);
  const live = new LiveMachine({
    DISK: 'none',
    APPEND: RECORDS,
    QEMUEXTRA: `${file(path)} ${DEVICE},addr=4`,
  });
  const resize = (sectors: number) =>
    live.command('block_resize', { 'node-name': 'd', size: sectors * SECTOR_BYTES });
  await more(live, 30); // the whole disk, twice or so
  for (let round = 1; round <= 3; round++) {
    await resize(SECTORS - 40);
    await more(live, 1, /^records: .* failed$/);
    await resize(SECTORS);
    await more(live, 30);
  }
  live.kill();
  const { lines } = await live.ended;
  const log = lines.join('\n');
  expect(log).toMatch(/^virtio-blk \S+: has 360 sectors now, had 400$/m);
  expect(log).toMatch(/^virtio-blk \S+: has 400 sectors now, had 360$/m);
  expect(log).toMatch(/^virtio-blk \S+: cannot write sectors \d+ to \d+: the capacity is 360$/m);
  // The file has lost what was beyond its end; the last round has written it anew.
  expectPromisesKept(path, lines);
});

test('the machine is reset', async () => {
  const { path } = bench.disk(SECTORS, 0);
  const live = new LiveMachine({
    DISK: 'none',
    APPEND: RECORDS,
    QEMUEXTRA: `${file(path)} ${DEVICE},addr=4`,
  });
  await live.command('set-action', { reboot: 'reset' });
  for (const lines of [3, 14, 40]) {
    await more(live, lines);
    await live.command('system_reset');
    await live.event('RESET');
    await more(live, 1, /^records: \d+ places/);
  }
  await more(live, 5);
  live.kill();
  const { lines } = await live.ended;
  // Each start finds the newest of the one before, which a flush has made safe, or one of the batch that was under way.
  let [safe, newest] = [0, 0];
  let starts = 0;
  for (const line of lines) {
    const [, found] = /^records: \d+ places, the newest is (\d+)$/.exec(line) ?? [];
    const [, last] = /^records: \d+ to (\d+) safe$/.exec(line) ?? [];
    if (last !== undefined) safe = Number(last);
    if (found === undefined) continue;
    newest = Number(found);
    expect(newest).toBeGreaterThanOrEqual(safe);
    expect(newest).toBeLessThanOrEqual(safe + 8);
    starts++;
  }
  expect(starts).toBe(4);
  const own = (line: string) => !/the newest is/.test(line);
  expectPromisesKept(path, lines.filter(own));
});

test.each([
  ['pc', '-device pci-bridge,id=p,addr=6,chassis_nr=1', ',addr=3'],
  ['q35', '-device pcie-root-port,id=p,addr=6', ''],
])('%s: the card is pulled out', async (MACHINE, port, addr) => {
  const { path } = bench.disk(SECTORS, 0);
  const QEMUEXTRA = `${file(path)} ${port} ${DEVICE},bus=p${addr}`;
  const live = new LiveMachine({ MACHINE, DISK: 'none', APPEND: RECORDS, QEMUEXTRA });
  await more(live, 20);
  await live.command('device_del', { id: 'b' });
  const { status, lines } = await live.ended;
  expect(status).toBe(35);
  const log = lines.join('\n');
  expect(log).toMatch(/^virtio-blk \S+: (queue \d+: the device|cannot be used: it) was removed$/m);
  expect(log).toMatch(/^panic: the disk keeps no records any more$/m);
  expect(log).not.toMatch(/no answer/);
  expectPromisesKept(path, lines);
});
