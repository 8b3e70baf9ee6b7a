// Test scripts in the official suite's language: the cases in this folder, and with WASM_TESTSUITE=DIRECTORY what
// wast2json made of the suite.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runScript } from './run.ts';
import { loadJson, type Script } from './script.ts';
import { loadWast } from './wast.ts';

const FAILURES_SHOWN = 10;
const SUITE_FILE_TIMEOUT_MS = 600_000;
const cases = fileURLToPath(new URL('cases', import.meta.url));
const suite = process.env.WASM_TESTSUITE;

async function expectAllPass(script: Script, skipsAllowed: boolean): Promise<void> {
  const { passed, failures, skipped } = await runScript(script);
  const reasons = [...skipped].map(([reason, count]) => `${count} skipped: ${reason}`);
  if (reasons.length > 0) console.log(`${script.name}: ${passed} passed, ${reasons.join(', ')}`);
  expect(failures.slice(0, FAILURES_SHOWN).join('\n')).toBe('');
  if (!skipsAllowed) expect(reasons).toEqual([]);
}

const own = readdirSync(cases).filter((name) => name.endsWith('.wast'));
test.each(own)('%s', (name) => expectAllPass(loadWast(join(cases, name)), false));

if (suite) {
  const files = readdirSync(suite, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.json'),
  );
  test.each(files.sort())(
    'suite: %s',
    (name) => expectAllPass(loadJson(join(suite, name)), true),
    SUITE_FILE_TIMEOUT_MS,
  );
}
