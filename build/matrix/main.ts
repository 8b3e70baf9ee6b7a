// `make matrix`: boots every configuration, as many at once as there are CPUs (JOBS), those with FILTER in their names, and ends
// with a table. SEED chooses the disks' contents.

import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { printColumns, progress } from '../bench/table.ts';
import { UserError } from '../error.ts';
import { out } from '../paths.ts';
import { chooseAccel } from '../qemu/accel.ts';
import { parseOptions } from '../qemu/options.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { type Result, runRow, type Settings } from './row.ts';

const FOLDER = join(out, 'matrix');

async function main(): Promise<number> {
  const { FILTER = '', JOBS, SEED = '1', ...variables } = process.env;
  const rows = CONFIGURATIONS.filter(({ name }) => name.includes(FILTER));
  if (rows.length === 0) throw new UserError(`matrix: no configuration has '${FILTER}' in its name`);
  const jobs = JOBS === undefined ? availableParallelism() : Number(JOBS);
  if (!Number.isInteger(jobs) || jobs < 1)
    throw new UserError(`matrix: JOBS=${JOBS}: give a number from 1 on`);
  const { accel: wanted, timeout_s } = parseOptions({ ACCEL: variables.ACCEL, TIMEOUT: variables.TIMEOUT });
  const { accel, line } = await chooseAccel(wanted);
  if (line !== undefined) console.error(line);
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  console.log(`matrix: ${rows.length} configurations, ${jobs} at once, seed ${SEED}`);
  const start = performance.now();
  const results: Result[] = [];
  const settings: Settings = { seed: SEED, folder: FOLDER, accel, timeout_s };
  const waiting = rows.entries();
  const work = async () => {
    for (const [i, row] of waiting) {
      results[i] = await runRow(row, settings);
      const { verdict } = results[i];
      if (process.stderr.isTTY || verdict === 'failed')
        progress(`${i + 1}/${rows.length} ${row.name}: ${verdict}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  progress('');
  report(results);
  const count = (verdict: Result['verdict']) => results.filter((result) => result.verdict === verdict).length;
  const took_s = ((performance.now() - start) / 1000).toFixed(0);
  const counts = `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
  console.log(`matrix: ${counts} in ${took_s} s, seed ${SEED}`);
  return count('failed') === 0 ? 0 : 1;
}

function report(results: Result[]): void {
  printColumns([
    ['configuration', 'verdict', 'ms'],
    ...results.map(({ name, verdict, time_ms }) => [name, verdict, time_ms.toFixed(0)]),
  ]);
  for (const { name, problems } of results.filter(({ verdict }) => verdict === 'skipped'))
    console.log(`\nskipped: ${name}\n  ${problems[0]}`);
  for (const { name, problems, log, command } of results.filter(({ verdict }) => verdict === 'failed')) {
    console.log(`\nfailed: ${name}`);
    for (const problem of problems) console.log(`  ${problem}`);
    console.log(`  its log is in ${log}; to repeat it:\n${command}`);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
