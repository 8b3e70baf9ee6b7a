// The main job on a share of the configurations that `make matrix` boots (build/matrix): a random disk each time, both dumps
// compared with it byte by byte, and the kicks and interrupts counted by QEMU.

import { afterAll, describe, expect, test } from 'vitest';
import { CONFIGURATIONS, OFTEN } from '../../build/matrix/configurations.ts';
import { runRow } from '../../build/matrix/row.ts';
import type { Variables } from '../../build/qemu/options.ts';
import { addressOf, dumpsOf, hexDump, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const SETTINGS = { seed: bench.seed, folder: bench.directory, accel: 'tcg', timeout_s: 30 } as const;

test.for(OFTEN)('$name', async (configuration, { skip }) => {
  const { verdict, problems, command, log } = await runRow(configuration, SETTINGS);
  skip(verdict === 'skipped', problems[0]);
  expect({ problems, command, log }).toEqual({ problems: [], command, log });
});

test('the matrix has configurations enough, each with a name of its own', () => {
  expect(CONFIGURATIONS.length).toBeGreaterThan(250);
  expect(OFTEN.length).toBeGreaterThan(40);
  expect(new Set(CONFIGURATIONS.map(({ name }) => name)).size).toBe(CONFIGURATIONS.length);
});

describe.each(['pc', 'q35'])('%s', (MACHINE) => {
  test.each([
    ['16M', 'job=memory', /^memory: 2 MiB below 4 GiB and 0 MiB above hold what was written$/m],
    ['128M', 'job=memory', /^memory: 114 MiB below 4 GiB and 0 MiB above hold what was written$/m],
    ['5120M', 'job=memory mib=300', /^memory: 0 MiB below 4 GiB and 300 MiB above hold what was written$/m],
  ])('RAM is used: %s, %s', async (MEM, APPEND, says) => {
    const { lines, failure } = await bench.boot({ MACHINE, MEM, APPEND, DISK: bench.disk().path });
    expect(failure).toBeNull();
    expect(lines.join('\n')).toMatch(says);
    const [before, after] = lines.filter((line) => /^memory: .* in frames/.test(line));
    expect(after).toBe(before);
  });
});

test('commands on the kernel’s line come through with quotes, commas and blanks', async () => {
  const disk = bench.disk();
  const variables: Variables = { DISK: disk.path, APPEND: 'note=a,b other="c d"' };
  for (const direct of [false, true]) {
    const { failure, lines } = await bench.boot(variables, direct);
    expect(failure).toBeNull();
    const dumps = dumpsOf(lines);
    expect(dumps.length).toBe(2);
    for (const dump of dumps) expect(dump).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
  }
});
