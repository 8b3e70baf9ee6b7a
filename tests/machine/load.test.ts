// Load on the disks of the machine in Node: job=blkbench's line, and job=blkverify over all CPUs and queues, with each ring.

import { expect, test } from 'vitest';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  MemoryDisk,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../machine/index.ts';

const kernel = await loadKernel();
const SECTORS = 512;

function boot(
  commandLine: string,
  options: VirtioBlkOptions = {},
  machine: MachineOptions = {},
  readOnly = false,
) {
  const disk = new MemoryDisk(new Uint8Array(SECTORS * 512), readOnly);
  const device = new VirtioBlk(disk, options);
  const pc = new Machine({ memory_mib: 32, commandLine, ...machine });
  pc.pci.add(device, { slot: 4 });
  const { end, lines } = pc.run(kernel);
  return { end, lines, log: lines.join('\n'), device };
}

test.each(['job=blkverify', 'job=blkbench op=write'])('%s writes to no read-only disk', (commandLine) => {
  const { lines, device } = boot(commandLine, {}, {}, true);
  expect(lines).toContain('virtio-blk 0000:00:04.0: is read-only: give the job a disk that can be written');
  expect(lines).toContain('panic: the disk cannot be written');
  expect(device.kicks).toBe(0);
});

const rings: [string, VirtioBlkOptions][] = [
  ['split', {}],
  ['packed', { packed: true }],
  ['split, no events', { eventIndex: false }],
  ['packed, no events', { packed: true, eventIndex: false }],
  ['split, no tables, 8 entries', { indirect: false, queueSize: 8 }],
  ['legacy', { modern: false }],
];

test.each(rings)('job=blkverify on every CPU and queue: %s', (_, options) => {
  for (const [cpus, queues] of [
    [1, 1],
    [4, 4],
    [3, 2],
    [2, 5],
  ] as const) {
    const { end, log, device } = boot(
      'job=blkverify rounds=2 qd=5 size=1536',
      { ...options, queues },
      { cpus },
    );
    expect(end, log).toBe('off');
    expect(log).toMatch(
      new RegExp(
        `^blkverify: 512 sectors written, flushed, read and compared 2 times, \\d+ requests from ${cpus} CPUs`,
        'm',
      ),
    );
    const used = new Set(device.requests.map(({ type }) => type));
    expect([...used].sort()).toEqual([0, 1, 4]);
  }
});

test.each(rings)('job=blkbench: %s', (_, options) => {
  for (const words of [
    'qd=1',
    'qd=32 op=write',
    'qd=128 poll=1',
    'qd=7 pattern=seq size=512',
    'qd=16 poll=1 size=65536',
  ]) {
    const { end, lines, log } = boot(`job=blkbench count=300 ${words}`, options);
    expect(end, `${words}\n${log}`).toBe('off');
    const line = lines.find((text) => text.startsWith('BLK '))!;
    const fields = Object.fromEntries(
      line
        .split(' ')
        .slice(1)
        .map((word) => word.split('=')),
    );
    const size = Number(/size=(\d+)/.exec(words)?.[1] ?? 4096);
    expect(fields).toMatchObject({ size: String(size), qd: /qd=(\d+)/.exec(words)![1], n: '300' });
    expect(Number(fields.p50_ns)).toBeGreaterThan(0);
    expect(Number(fields.p99_ns)).toBeGreaterThanOrEqual(Number(fields.p50_ns));
    expect(Number(fields.max_ns)).toBeGreaterThanOrEqual(Number(fields.p99_ns));
    const MiB = (Number(fields.iops) * size) / 2 ** 20;
    expect(Math.abs(Number(fields.MiBps) - MiB)).toBeLessThanOrEqual(1);
  }
});

test('polling takes no interrupts but the first, which QEMU sends whatever the driver wants', () => {
  for (const options of [{}, { packed: true }, { eventIndex: false }]) {
    const { log } = boot('job=blkbench count=200 qd=4 poll=1', options);
    expect(log).toMatch(/^irq: [01] interrupts, 0 stray$/m);
  }
});

test('a disk that loses a write is found', () => {
  class Forgetful extends MemoryDisk {
    private writes = 0;
    override write(offset: number, data: Uint8Array): void {
      if (this.writes++ !== 40) super.write(offset, data);
    }
  }
  const pc = new Machine({ memory_mib: 16, commandLine: 'job=blkverify size=512' });
  pc.pci.add(new VirtioBlk(new Forgetful(new Uint8Array(SECTORS * 512))));
  const { end, serial } = pc.run(kernel);
  expect(end).toBe('panic');
  expect(serial).toMatch(/blkverify: sector \d+ does not hold what was written/);
});

test.each([
  ['size=100', 'size= is a multiple of 512'],
  ['pattern=up', 'pattern= rand or seq'],
  ['op=erase', 'op= read or write'],
])('job=blkbench %s', (words, says) => {
  const { end, log } = boot(`job=blkbench ${words}`);
  expect(end).toBe('panic');
  expect(log).toContain(says);
});

test('the cache mode is chosen, where the device lets one', () => {
  expect(boot('job=none cache=writethrough').log).toContain(', writethrough, features');
  expect(boot('job=none cache=writeback', { writeCache: false }).log).toContain(', writeback, features');
  expect(boot('job=none cache=writethrough', { configWce: false }).log).toContain(
    'cache=writethrough: it cannot be set',
  );
});
