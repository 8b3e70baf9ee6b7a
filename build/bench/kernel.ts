// The kernel's figures: start-up time, work for a request, size and time of translation, each against its limit.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tuneEngine } from '../engine.ts';
import { UserError } from '../error.ts';
import { readSourceMap } from '../object/sourcemap.ts';
import { binutilsPrefix, out } from '../paths.ts';
import { translate } from '../translate.ts';
import { measureRequests } from './requests.ts';
import { measureStartup } from './startup.ts';
import { median, printTable, type Row } from './table.ts';

const ROUNDS = 15;
const TRANSLATIONS = 7;
const STARTUP_MS_MAX = 40;
const TRANSLATION_MS_MAX = 500;
const KERNEL_KIB_MAX = 160;

export async function measureKernel(): Promise<void> {
  const rows: Row[] = [];
  for (const machine of ['pc', 'q35']) {
    const { floor_ms, done_ms } = await measureStartup(machine, ROUNDS);
    const own_ms = done_ms - floor_ms;
    rows.push(
      { name: `${machine}: QEMU to the first byte of a boot sector`, value: ms(floor_ms) },
      { name: `${machine}: QEMU to "yaos: done"`, value: ms(done_ms) },
      { name: `${machine}: yaos alone`, value: ms(own_ms), ...limit(own_ms, STARTUP_MS_MAX, 'ms') },
    );
  }
  const { instructions } = await measureRequests();
  rows.push({
    name: 'instructions that the kernel runs for a block request',
    value: instructions.toFixed(0),
  });
  const [first_ms, median_ms] = measureTranslation();
  rows.push(
    {
      name: 'translation of the kernel, first',
      value: ms(first_ms),
      ...limit(first_ms, TRANSLATION_MS_MAX, 'ms'),
    },
    { name: `translation of the kernel, median of ${TRANSLATIONS}`, value: ms(median_ms) },
  );
  const kernel_kib = strippedBytes(join(out, 'kernel.elf')) / 1024;
  rows.push({
    name: 'kernel.elf without debug sections',
    value: `${kernel_kib.toFixed(1)} KiB`,
    ...limit(kernel_kib, KERNEL_KIB_MAX, 'KiB'),
  });
  printTable(rows);
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function limit(value: number, max: number, unit: string): Pick<Row, 'limit' | 'kept'> {
  return { limit: `${max} ${unit}`, kept: value <= max };
}

/** The first translation in this process, which runs cold code, and the median of some. */
function measureTranslation(): [number, number] {
  const bytes = readFileSync(join(out, 'kernel.wasm'));
  tuneEngine();
  const sourceMap = readSourceMap(join(out, 'kernel.wasm.map'));
  const times = Array.from({ length: TRANSLATIONS }, () => {
    const start = performance.now();
    translate(bytes, { memory: 'fixed', sourceMap, packTables: true });
    return performance.now() - start;
  });
  return [times[0], median(times)];
}

function strippedBytes(elf: string): number {
  const directory = mkdtempSync(join(tmpdir(), 'yaos-bench-'));
  try {
    const stripped = join(directory, 'kernel.elf');
    const done = spawnSync(`${binutilsPrefix()}objcopy`, ['--strip-debug', elf, stripped], {
      encoding: 'utf8',
    });
    if (done.status !== 0) throw new UserError(`bench: objcopy failed: ${done.stderr.trim()}`);
    return statSync(stripped).size;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
