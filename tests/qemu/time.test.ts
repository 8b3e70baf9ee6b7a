// Clocks in QEMU: which one tells the rates, and the date that QEMU was given.

import { afterAll, expect, test } from 'vitest';
import { Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const RUN_S_MAX = 60;

test.each([
  ['pc', '', 'HPET'],
  ['q35', '', 'HPET'],
  ['pc', '-machine hpet=off', 'PIT'],
])('%s %s: by the %s', async (MACHINE, machine, source) => {
  const since = Date.parse('2031-02-28T23:59:55Z');
  const base = '-rtc base=2031-02-28T23:59:55,clock=vm';
  const variables = { MACHINE, DISK: bench.disk().path, APPEND: 'job=none', QEMUEXTRA: `${base} ${machine}` };
  const { failure, lines } = await bench.boot(variables);
  expect(failure).toBeNull();
  const [rates, date] = lines.filter((line) => line.startsWith('time: '));
  expect(rates).toMatch(new RegExp(`^time: TSC \\d+ kHz, APIC timer \\d+ kHz by ${source}$`));
  // QEMU's timer runs at 1 GHz; the host may have held it up.
  const timer = Number(/timer (\d+)/.exec(rates!)![1]);
  expect(Math.abs(timer / 1e6 - 1), rates).toBeLessThan(0.2);
  const [, day, time] = /^time: (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(date!)!;
  const after_s = (Date.parse(`${day}T${time}Z`) - since) / 1000;
  expect(after_s, date).toBeGreaterThanOrEqual(0);
  expect(after_s, date).toBeLessThan(RUN_S_MAX);
});
