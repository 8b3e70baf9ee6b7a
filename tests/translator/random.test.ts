// Random programs, natively and in Node: results, traps, and memory and globals after every call. N=1000 SEED=7 runs
// programs 7 … 1006.

import { test } from 'vitest';
import { batchStarts, makeBatch } from './batch.ts';
import { expectSame } from './harness.ts';

const COUNT = Number(process.env.N ?? 300);
const SEED = Number(process.env.SEED ?? 1);

test.each(batchStarts(SEED, COUNT))('random programs, SEED=$start', async ({ start, end }) => {
  const { module, calls, seedOf } = makeBatch(start, end);
  try {
    await expectSame(`random-${start}`, module, calls);
  } catch (error) {
    const { message } = error as Error;
    const again = `N=1 SEED=${seedOf(message)} npx vitest run tests/translator/random.test.ts`;
    throw new Error(`${message}\nThis program alone: ${again}`);
  }
});
