// What `make matrix` is trusted for: its rows have every pair of choices, its judge finds what is wrong in a log, and a row that
// failed can be repeated by the command that it gives.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Configuration } from '../../build/matrix/configuration.ts';
import { judge } from '../../build/matrix/judge.ts';
import { type Choice, pairwise } from '../../build/matrix/pairs.ts';
import { type Result, runRow } from '../../build/matrix/row.ts';
import type { Outcome } from '../../build/qemu/collect.ts';
import { addressOf, dumpsOf, hexDump, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

test('every two choices that go together meet in a row, and no others', () => {
  const axis = (letter: string, count: number): Choice[] =>
    Array.from({ length: count }, (_, i) => ({ name: `${letter}${i}` }));
  const axes = [axis('a', 6), axis('b', 5), axis('c', 4), axis('d', 3)];
  axes[0][3].excludes = ['b1', 'c2', 'd1'];
  const rows = pairwise(axes).map((row) => row.map(({ name }) => name));
  const met = new Set(rows.flatMap((row) => row.flatMap((a) => row.map((b) => `${a} ${b}`))));
  for (const [i, some] of axes.entries())
    for (const a of some)
      for (const b of axes.slice(i + 1).flat())
        expect([a.name, b.name, met.has(`${a.name} ${b.name}`)]).toEqual([
          a.name,
          b.name,
          !a.excludes?.includes(b.name),
        ]);
  expect(rows.length).toBeLessThan(45); // 30 is the least for the first two axes
});

/** It fails for a line that no kernel prints. */
const FAILING: Configuration = { name: 'a row that fails', machine: { SMP: '1' }, says: [/^no such line$/] };
let failed: Result;
let log: string[];

beforeAll(async () => {
  failed = await runRow(FAILING, { seed: bench.seed, folder: bench.directory, accel: 'tcg', timeout_s: 30 });
  log = readFileSync(failed.log, 'utf8').split('\n');
});

test('a row that failed has its reasons, and a command that repeats it', () => {
  expect(failed).toMatchObject({ verdict: 'failed', problems: ['no line has /^no such line$/'] });
  const again = execFileSync('sh', ['-c', failed.command], { encoding: 'latin1' }).split('\r\n');
  expect(again.filter((line) => line.startsWith('~'))).toEqual(log.filter((line) => line.startsWith('~')));
});

test.each<[string, (line: string) => string, RegExp]>([
  [
    'a wrong byte',
    (line) => line.replace(/^(~\S+030 - )../, '$1zz'),
    /^dump 1, line 4: "~.*, the disk has "~/,
  ],
  ['a missing dump', (line) => line.replace(/^addr:.*/, ''), /^0 dumps, not 2$/],
  ['another size', (line) => line.replace(/\d+ sectors/, '1 sectors'), /^the disk has \d+ sectors, not 1$/],
  ['no disk', (line) => line.replace('virtio-blk', 'virtio'), /^no disk was found$/],
  ['a CPU that is missing', (line) => line.replace('1 of 1', '0 of 1'), /^not all of 1 CPUs run$/],
  [
    'RAM that is missing',
    (line) => line.replace(/\d+ KiB/, '500000 KiB'),
    /^500000 KiB of RAM are known of 524288$/,
  ],
  [
    'an end without its line',
    (line) => line.replace('yaos: done', ''),
    /^the last line is not "yaos: done"$/,
  ],
])('the judge finds %s', (_, change, problem) => {
  const lines = log.slice(0, log.indexOf('yaos: done') + 1);
  const [dump] = dumpsOf(lines, dumpBytes(lines));
  const dumped = Buffer.from(
    dump
      .slice(1)
      .flatMap((line) => line.slice(12, 60).trim().split(' '))
      .join(''),
    'hex',
  );
  expect(dump).toEqual(hexDump(dumped, addressOf(dump)));
  const sectors = Number(/: (\d+) sectors of 512/.exec(lines.join('\n'))?.[1]);
  const judged = (changed: string[]) => {
    const outcome: Outcome = {
      lines: changed,
      failure: null,
      status: 0,
      stderr: '',
      kicks: 2,
      interrupts: 2,
      requests: [],
    };
    return judge({ ...FAILING, says: [] }, { sectors, dumped }, outcome);
  };
  expect(judged(lines)).toEqual([]);
  const problems = judged(lines.map(change));
  expect(problems[0]).toMatch(problem);
});

function dumpBytes(lines: string[]): number {
  const start = lines.findIndex((line) => line.startsWith('addr:'));
  return 16 * lines.slice(start + 1).findIndex((line) => !line.startsWith('~'));
}
