// The official WebAssembly test suite, as wast2json makes it: `make spec WASM_TESTSUITE=DIR` runs every .json in the folder, and
// counts each command as passed, failed or skipped, with the reasons.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { printColumns } from '../../build/bench/table.ts';
import { Report } from './report.ts';
import { runScript } from './run.ts';
import { loadJson } from './script.ts';

const FAILURES_SHOWN = 10;
const FILE_TIMEOUT_MS = 600_000;
const suite = process.env.WASM_TESTSUITE;
const reports = new Map<string, Report>();

const title = suite ? 'the official suite' : 'the official suite: skipped, as WASM_TESTSUITE is not set';

describe.skipIf(!suite)(title, () => {
  test.each(scriptsIn(suite))('%s', { timeout: FILE_TIMEOUT_MS }, async (name) => {
    const report = await runFile(join(suite!, name));
    reports.set(name, report);
    expect(report.failures.slice(0, FAILURES_SHOWN).join('\n')).toBe('');
  });

  afterAll(print);
});

/** What is no script, or lacks a module, is a failure like others, and counted. */
async function runFile(path: string): Promise<Report> {
  try {
    return await runScript(loadJson(path));
  } catch (error) {
    const report = new Report(path);
    report.failures.push((error as Error).message);
    return report;
  }
}

function scriptsIn(folder: string | undefined): string[] {
  if (!folder) return [''];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.json'));
  if (names.length === 0)
    throw new Error(`WASM_TESTSUITE=${folder}: no .json there; wast2json makes them of .wast`);
  return names.sort();
}

function print(): void {
  const counts = [...reports].map(
    ([name, { passed, failures, skipped }]): [string, number, number, number] => [
      name,
      passed,
      failures.length,
      sum(skipped.values()),
    ],
  );
  const column = (at: 1 | 2 | 3) => sum(counts.map((row) => row[at]));
  const rows = [...counts, ['all', column(1), column(2), column(3)]].map((row) => row.map(String));
  printColumns([['file', 'passed', 'failed', 'skipped'], ...rows]);
  const reasons = new Map<string, number>();
  for (const { skipped } of reports.values())
    for (const [reason, count] of skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]))
    console.log(`${count} skipped: ${reason}`);
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, n) => total + n, 0);
}
