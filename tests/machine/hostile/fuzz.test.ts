// The kernel's drivers under hostile devices. `make fuzz-drivers N=100000 SEED=1` makes a hundred thousand runs, and says
// how it goes; a failure is told with the fewest malices that make it.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, loadKernel, SLOTS, type SlotMalice } from '../../../machine/index.ts';
import { fuzzDevice } from './devices.ts';
import { fuzz } from './fuzz.ts';
import { fuzzSlots } from './slots.ts';

const RUNS = Number(process.env.N ?? 2000);
const SEED = Number(process.env.SEED ?? 1);
const BATCH = 500;
const TIMEOUT_MS = 600_000;

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
});

const starts = Array.from({ length: Math.ceil(RUNS / BATCH) }, (_, i) => SEED + i * BATCH);
const begin_ms = performance.now();

test.each(starts)('hostile devices from seed %i', { timeout: TIMEOUT_MS }, (start) => {
  const end = Math.min(start + BATCH, SEED + RUNS);
  expect(fuzz(start, end, kernel) ?? '').toBe('');
  if (process.env.N === undefined) return;
  const done = end - SEED;
  const rate = (done / (performance.now() - begin_ms)) * 1000;
  console.log(`fuzz-drivers: SEED=${SEED}, ${done} of ${RUNS} runs, ${rate.toFixed(0)} a second`);
});

/** Of the runs; the disk's are the others. */
const DEVICE_RUNS = Math.ceil(RUNS / 5);

test('other hostile devices', { timeout: TIMEOUT_MS }, () => {
  for (let seed = SEED; seed < SEED + DEVICE_RUNS; seed++) expect(fuzzDevice(seed, kernel) ?? '').toBe('');
});

/** Of these each malice has some alone. */
const SLOT_RUNS = Math.ceil(RUNS / 100);

test.each([...Object.keys(SLOTS), undefined] as (SlotMalice | undefined)[])(
  'hot-plug: %s',
  { timeout: TIMEOUT_MS },
  (only) => {
    for (let seed = SEED; seed < SEED + SLOT_RUNS; seed++) {
      const { failure, result } = fuzzSlots(seed, kernel, only);
      expect(failure, `SEED=${seed}\n${failure && result.serial}`).toBeUndefined();
    }
  },
);
