// Differential fuzzing of the translator against Node's engine. `make fuzz N=10000 SEED=1` makes ten thousand programs,
// and says how it goes; a failure leaves a small case in cases/.

import { expect, test } from 'vitest';
import { batches, fuzz } from './fuzz.ts';

/** Enough for each pass to be left out once. */
const COUNT = Number(process.env.N ?? 1100);
const SEED = Number(process.env.SEED ?? 1);
const TIMEOUT_MS = 600_000;

const start_ms = performance.now();

test.each(batches(SEED, COUNT))('programs $start to $end', { timeout: TIMEOUT_MS }, async (range) => {
  expect((await fuzz(range)) ?? '').toBe('');
  if (process.env.N === undefined) return;
  const done = range.end - SEED;
  const rate = (done / (performance.now() - start_ms)) * 1000;
  console.log(`fuzz: SEED=${SEED}, ${done} of ${COUNT} programs, ${rate.toFixed(0)} a second`);
});
