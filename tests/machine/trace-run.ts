// Runs job=trace on the machine in Node and holds a run, here or in QEMU, against what trace.ts computes.

import { expect } from 'vitest';
import { Machine, type MachineOptions, type VirtioBlk } from '../../machine/index.ts';
import type { Outcome } from '../qemu/machine.ts';
import { commandLine, type Expected, type Replay, type Words } from './trace.ts';

export interface Run extends Pick<Outcome, 'lines' | 'failure' | 'kicks' | 'interrupts' | 'requests'> {
  /** At the end. */
  disk: Uint8Array;
}

/** `device` writes to `disk`. */
export async function runModel(
  device: VirtioBlk,
  disk: Uint8Array,
  words: Words,
  options?: MachineOptions,
): Promise<Run> {
  const counted = { kicks: 0, interrupts: 0 };
  const trace = { kick: () => counted.kicks++, message: () => counted.interrupts++ };
  const pc = new Machine({ ...options, commandLine: commandLine(words), trace });
  pc.pci.add(device, { slot: 4 });
  const { lines } = await pc.boot();
  const requests = device.requests.map(
    ({ type, sector, bytes }) => `${type === 0 ? 'read' : 'write'} ${sector}+${bytes / 512}`,
  );
  return { lines, failure: null, ...counted, requests, disk };
}

/** The numbers that the kernel's log ends with. */
export function told({ lines }: Run): { kicks: number; interrupts: number } {
  const [, kicks, interrupts] = /^trace: kicks (\d+), interrupts (\d+)$/m.exec(lines.join('\n')) ?? [];
  return { kicks: Number(kicks), interrupts: Number(interrupts) };
}

/** The requests as the device saw them, what was read, and what is on the disk. */
export function checkData(run: Run, expected: Replay & Pick<Expected, 'lines'>): void {
  expect(run.failure, run.lines.slice(-20).join('\n')).toBeNull();
  expect(run.lines.at(-1)).toBe('yaos: done');
  expect(run.lines).toEqual(expect.arrayContaining(expected.lines));
  const wrong = expected.requests.findIndex((request, i) => request !== run.requests[i]);
  expect(`request ${wrong}: ${run.requests[wrong]}`).toBe(`request ${wrong}: ${expected.requests[wrong]}`);
  expect(run.requests.length).toBe(expected.requests.length);
  expect(expected.disk.equals(run.disk)).toBe(true);
}

/** Kicks and interrupts, as they were counted and as the driver tells them. */
export function checkNumbers(run: Run, expected: Expected): void {
  const { kicks, interrupts } = expected;
  expect({ kicks: run.kicks, interrupts: run.interrupts }).toEqual({ kicks, interrupts });
  const driver = told(run);
  expect(driver.kicks).toBe(kicks);
  expect(driver.interrupts).toBeGreaterThanOrEqual(expected.taken_min);
  expect(driver.interrupts).toBeLessThanOrEqual(interrupts);
}
