// Test scripts in the official suite's language: the cases in this folder.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runScript } from './run.ts';
import { loadWast } from './wast.ts';

const cases = join(import.meta.dirname, 'cases');

test.each(readdirSync(cases).filter((name) => name.endsWith('.wast')))('%s', async (name) => {
  const { failures, skipped } = await runScript(loadWast(join(cases, name)));
  expect(failures).toEqual([]);
  expect([...skipped]).toEqual([]);
});
