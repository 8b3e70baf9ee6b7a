// Several CPUs on the machine in Node: started, taken into use, and told apart.

import { describe, expect, test } from 'vitest';
import { loadKernel, Machine, type MachineOptions, VirtioBlk } from '../../machine/index.ts';
import { expectNoGrowth } from './log.ts';

const kernel = await loadKernel();
const disk = new Uint8Array(64 * 512).map((_, i) => i & 0xff);

function machine(commandLine: string, options: MachineOptions): Machine {
  const pc = new Machine({ memory_mib: 16, commandLine, ...options });
  pc.pci.add(new VirtioBlk(disk), { slot: 4 });
  return pc;
}

describe.each([1, 2, 3, 16])('%s CPUs', (cpus) => {
  test.each([{}, { x2apic: true }, { machine: 'q35' as const, seed: 7 }])('run threads: %o', (options) => {
    const { end, lines } = machine('job=threads threads=20 rounds=50', { cpus, ...options }).run(kernel);
    const log = lines.join('\n');
    expect(end, log).toBe('off');
    expect(lines).toContain(`cpu: ap start done: ${cpus} of ${cpus} CPUs`);
    expect(log).toMatch(new RegExp(`^threads: 20 threads on ${cpus} CPUs, \\d+ switches$`, 'm'));
    expect(lines).toContain('threads: counted 1000, token passed 1000 times, timers expired 200');
  });
});

test.each([1, 4])('a thousand threads give back what they took: %i CPUs', (cpus) => {
  const { end, lines } = machine('job=threads rounds=1 spawn=1000', { cpus }).run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expectNoGrowth(lines, 1000);
});

test('a run is the same each time', () => {
  const run = () => machine('job=threads rounds=30', { cpus: 4, seed: 3 }).run(kernel);
  expect({ ...run() }).toEqual({ ...run() });
});

test('a request of one CPU completes on another', () => {
  const taken: number[] = [];
  const trace = { interrupt: (cpu: number, vector: number) => vector >= 0x33 && taken.push(cpu) };
  const pc = machine('cpu=2', { cpus: 3, trace: trace as MachineOptions['trace'] });
  const { lines } = pc.run(kernel);
  expect(lines.filter((line) => /completion length 513, status 0, thread job$/.test(line))).toHaveLength(2);
  expect(taken).toEqual([0, 0]);
});

test('a CPU that never starts is left out, in time', () => {
  const pc = machine('job=threads rounds=10', { cpus: 4 });
  const [, , dead] = pc.cpus.all;
  Object.defineProperty(dead, 'started', { get: () => false, set: () => {} });
  const { end, lines, time_ns } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expect(lines).toContain('cpu: 2, APIC 2 does not start in 100 ms');
  expect(lines).toContain('cpu: ap start done: 3 of 4 CPUs');
  expect(time_ns).toBeLessThan(2e9);
});

test('a fault on one CPU is reported with it, and all stop', () => {
  const { end, lines } = machine('job=fault-memory cpu=1', { cpus: 4 }).run(kernel);
  expect(end).toBe('panic');
  expect(lines).toContain('panic: thread job, CPU 1');
});

test('a CPU that is not there', () => {
  const { end, lines } = machine('cpu=5', { cpus: 2 }).run(kernel);
  expect(end).toBe('panic');
  expect(lines).toContain('cmdline: cpu=5: no such CPU runs');
});
