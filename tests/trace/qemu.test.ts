// What the kernel records in QEMU, whose own trace is the judge of requests and interrupts; and whatever the machine comes to.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { parseOptions, type Variables } from '../../build/qemu/options.ts';
import { runTraced, tracedCommandLine } from '../../build/trace/run.ts';
import { type Outcome, Workbench } from '../qemu/machine.ts';
import { checkTraceFile } from './check.ts';

const bench = new Workbench();
afterAll(() => bench.remove());
let runs = 0;

async function trace(variables: Variables, direct = true) {
  const output = join(bench.directory, `trace-${runs++}.json`);
  const said: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
  let outcome: Outcome | undefined;
  const APPEND = tracedCommandLine(variables.APPEND ?? '');
  const boot = async (args: string[]) => {
    const QEMUEXTRA = args.join(' ');
    outcome = await bench.boot(
      { DISK: bench.disk().path, SMP: '2', ...variables, APPEND, QEMUEXTRA },
      direct,
    );
    return outcome.status ?? -1;
  };
  try {
    const status = await runTraced(parseOptions(variables), boot, output);
    return { status, said, events: checkTraceFile(readFileSync(output, 'utf8')), outcome: outcome! };
  } finally {
    log.mockRestore();
  }
}

test.each([
  { MACHINE: 'pc', APPEND: 'job=blkbench count=500 qd=8 cpu=1', SMP: '2' },
  { MACHINE: 'q35', APPEND: 'job=blkverify qd=4', SMP: '3', MEM: '256M' },
  { MACHINE: 'pc', APPEND: 'repeat=30', BLK: 'packed=on' },
])('all requests and interrupts of %o', async (variables) => {
  const { status, said, events, outcome } = await trace(variables, variables.SMP === undefined);
  expect(status, outcome.lines.slice(-20).join('\n')).toBe(0);
  expect(said.join('\n')).toContain(' 0 before them lost');
  const requests = events.filter(({ cat }) => cat === 'request');
  const started = requests.filter(({ ph }) => ph === 'b').length;
  expect(started).toBeGreaterThanOrEqual(outcome.requests.length); // and flushes
  expect(started).toBeGreaterThan(30);
  expect(requests.length).toBe(2 * started);
  const interrupts = events.filter(
    ({ cat, name }) => cat === 'interrupt' && name.startsWith('0000:00:04.0 '),
  );
  expect(interrupts.length).toBeLessThanOrEqual(outcome.interrupts);
  expect(interrupts.length).toBeGreaterThan(0);
  const cpus = new Set(events.filter(({ cat }) => cat === 'thread').map(({ tid }) => tid));
  expect(cpus.size).toBe(Number(variables.SMP ?? 2));
  expect(events.some(({ ph }) => ph === 'f')).toBe(true);
});

test('a panic, and a ring that is too small', async () => {
  const panic = await trace({ APPEND: 'job=fault-memory' });
  expect(panic.status).toBe(35);
  expect(panic.events.filter(({ cat }) => cat === 'boot').map(({ name }) => name)).toContain('job');
  const small = await trace({ APPEND: 'trace=100 job=threads threads=16 rounds=100' });
  expect(small.said[0]).toMatch(/^trace: 1\d\d events of 2 CPUs in [\d.]+ ms, \d{3,} before them lost: /);
  expect(small.said.join('\n')).toMatch(/^boot: [\d.]+ ms in the kernel, the longest phase first$/m);
});
