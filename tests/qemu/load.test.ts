// Disks under load in QEMU: every CPU writes its part of the disk, flushes, reads it back and compares, by all queues, with
// each ring and block size; and the line of job=blkbench.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Variables } from '../../build/qemu/options.ts';
import { Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const SECTORS = 8192;

const configurations: [string, Variables, cpus: number][] = [
  ['one CPU', { SMP: '1' }, 1],
  ['four queues', { SMP: '4' }, 4],
  ['packed', { SMP: '4', BLK: 'packed=on' }, 4],
  ['packed, no events, no tables', { SMP: '2', BLK: 'packed=on,event_idx=off,indirect_desc=off' }, 2],
  ['legacy', { SMP: '3', BLK: 'disable-legacy=off,disable-modern=on' }, 3],
  ['a vector for all', { SMP: '4', BLK: 'vectors=1' }, 4],
  ['a pin', { SMP: '4', BLK: 'vectors=0', MACHINE: 'q35' }, 4],
  ['blocks of 4096', { SMP: '4', BLK: 'logical_block_size=4096,physical_block_size=4096' }, 4],
  ['a small ring', { SMP: '2', BLK: 'queue-size=4,seg-max-adjust=off' }, 2],
];
test.each(configurations)('job=blkverify: %s', async (_, variables, cpus) => {
  const disk = bench.disk(SECTORS);
  const APPEND = 'job=blkverify size=8192 qd=24';
  const { lines, failure, requests } = await bench.boot({ ...variables, APPEND, DISK: disk.path });
  expect(failure, lines.slice(-20).join('\n')).toBeNull();
  expect(lines.join('\n')).toMatch(
    new RegExp(
      `^blkverify: 8192 sectors written, flushed, read and compared 1 times, \\d+ requests from ${cpus} CPUs`,
      'm',
    ),
  );
  // QEMU's own trace: each sector was written once, and read once.
  for (const kind of ['write', 'read']) {
    const touched: number[] = new Array(SECTORS).fill(0);
    for (const request of requests) {
      const [, what, first, count] = /^(\w+) (\d+)\+(\d+)$/.exec(request)!;
      if (what === kind) for (let i = 0; i < Number(count); i++) touched[Number(first) + i]!++;
    }
    expect(touched.every((times) => times === 1)).toBe(true);
  }
});

test('job=blkverify on a qcow2 disk', async () => {
  const path = join(bench.directory, 'disk.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '4M']);
  const { lines, failure } = await bench.boot({ SMP: '2', APPEND: 'job=blkverify', DISK: path });
  expect(failure, lines.slice(-20).join('\n')).toBeNull();
  expect(lines.join('\n')).toMatch(/^blkverify: 8192 sectors written/m);
});

test.each([
  ['qd=1', 1],
  ['qd=64 poll=1', 64],
  ['qd=128 op=write pattern=seq', 128],
])('job=blkbench: %s', async (words, depth) => {
  const APPEND = `job=blkbench count=2000 ${words}`;
  const { lines, failure } = await bench.boot({ SMP: '2', APPEND, DISK: bench.disk(SECTORS).path });
  expect(failure, lines.slice(-20).join('\n')).toBeNull();
  expect(lines.filter((line) => line.startsWith('BLK '))).toEqual([
    expect.stringMatching(
      new RegExp(
        `^BLK size=4096 qd=${depth} n=2000 iops=\\d+ MiBps=\\d+ p50_ns=\\d+ p99_ns=\\d+ max_ns=\\d+$`,
      ),
    ),
  ]);
});
