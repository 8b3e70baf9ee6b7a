// Several CPUs in QEMU: all start, threads run on each, requests complete on another CPU than their thread's, and a
// panic on any of them stops all.

import { afterAll, describe, expect, test } from 'vitest';
import { expectNoGrowth } from '../machine/log.ts';
import { addressOf, dumpsOf, hexDump, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

describe.each([
  ['pc', '2', false],
  ['pc', '16', false],
  ['q35', '4', false],
  ['q35', '3', true],
])('%s, %s CPUs, -kernel: %s', (MACHINE, SMP, direct) => {
  test('threads on all of them', async () => {
    const APPEND = 'job=threads threads=32 rounds=200';
    const { lines, failure } = await bench.boot({ MACHINE, SMP, APPEND, DISK: bench.disk().path }, direct);
    expect(failure, lines.slice(-30).join('\n')).toBeNull();
    expect(lines).toContain(`cpu: ap start done: ${SMP} of ${SMP} CPUs`);
    expect(lines.join('\n')).toMatch(new RegExp(`^threads: 32 threads on ${SMP} CPUs, \\d+ switches$`, 'm'));
    expect(lines).toContain('threads: counted 6400, token passed 6400 times, timers expired 320');
  });

  test('the main job on the last one', async () => {
    const disk = bench.disk();
    const APPEND = `cpu=${Number(SMP) - 1}`;
    const { lines, failure } = await bench.boot({ MACHINE, SMP, APPEND, DISK: disk.path }, direct);
    expect(failure, lines.slice(-30).join('\n')).toBeNull();
    const dumps = dumpsOf(lines);
    expect(dumps.length).toBe(2);
    for (const dump of dumps) expect(dump, disk.path).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
  });
});

// Each worker takes memory and gives it back; without the heap's lock two of them soon have the same.
test('memory is taken and given back by two CPUs at once', async () => {
  const APPEND = 'job=threads threads=8 rounds=1 claims=100000';
  const { lines, failure } = await bench.boot({ SMP: '2', APPEND, DISK: bench.disk().path });
  expect(failure, lines.slice(-30).join('\n')).toBeNull();
  expect(lines).toContain('threads: counted 8, token passed 8 times, timers expired 80');
});

test('ten thousand threads give back what they took', async () => {
  const APPEND = 'job=threads rounds=1 spawn=10000';
  const { lines, failure } = await bench.boot({ SMP: '4', APPEND, DISK: bench.disk().path });
  expect(failure, lines.slice(-30).join('\n')).toBeNull();
  expectNoGrowth(lines, 10_000);
});

test('a fault on one CPU while the others halt', async () => {
  const APPEND = 'job=fault-stack cpu=2';
  const { lines, status } = await bench.boot({ SMP: '4', APPEND, DISK: bench.disk().path });
  expect(status).toBe(35);
  expect(lines).toContain('panic: kernel stack overflow');
  expect(lines).toContain('panic: thread job, CPU 2');
});
