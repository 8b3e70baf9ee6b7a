// The log, as QEMU's and the model's tests look at it.

import { expect } from 'vitest';

/**
 * Without what was measured against a clock, what of a panic only machine code has (files among it, so that a function's name
 * goes without the file's path), functions that only choose among methods, which may have no line there, and with them the numbers, and how much RAM SeaBIOS keeps, which depends on the disks that it has tried to boot from.
 */
export function normalised(lines: string[]): string[] {
  return lines
    .filter((line) => !/^panic: (#\d+ (assembly|.*@override$)|(rip|cr0|r\w+) +[0-9a-f]{8})/.test(line))
    .map((line) =>
      line
        .replace(/^(memory: )\d+ KiB/, '$1…')
        .replace(/^(time: ).*( by \S+)$/, '$1…$2')
        .replace(/^(time: )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/, '$1…')
        .replace(/^(panic: #.*) \(.*\)$/, '$1')
        .replace(/^(panic: #)\d+ (?:[~\w-]+\/)*/, '$1 '),
    );
}

/** Of each thread that runs at once with others an object stays with its stack: at most a batch of job=threads. */
const KEPT_BYTES_MAX = 16 * 112;

/** After job=threads spawn=N. */
export function expectNoGrowth(lines: string[], spawned: number): void {
  const log = lines.join('\n');
  const [, count, before, after] =
    /^threads: (\d+) more came and went; the heap was (\d+) bytes, is (\d+)$/m.exec(log) ?? [];
  expect(Number(count), log).toBe(spawned);
  expect(Number(after) - Number(before)).toBeGreaterThanOrEqual(0);
  expect(Number(after) - Number(before)).toBeLessThanOrEqual(KEPT_BYTES_MAX);
}
