// How the translation's time and memory grow with its input: functions of a thousand to fifty thousand instructions in
// several shapes, and modules of many small functions. The exponent is that of the power of the size which fits the
// times best (least squares on logarithms): 1 is linear.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../error.ts';
import { out } from '../paths.ts';
import { moduleOf, SHAPES } from './shapes.ts';
import { printColumns, progress } from './table.ts';

const INSTRUCTIONS = [1000, 3000, 10_000, 25_000, 50_000];
const FUNCTIONS = [100, 300, 1000, 3000, 10_000];
const FUNCTION_INSTRUCTIONS = 30;

interface Cost {
  time_ms: number;
  peak_kib: number;
}

export function measureGrowth(): void {
  const rows = [['shape', ...INSTRUCTIONS.map((n) => `${n / 1000}k ms`), 'exponent', 'peak MiB']];
  for (const shape of Object.keys(SHAPES)) {
    rows.push(rowOf(shape, INSTRUCTIONS, (size) => moduleOf(shape, size, 1)));
  }
  printColumns(rows);
  const many = ['module', ...FUNCTIONS.map((n) => `${n} ms`), 'exponent', 'peak MiB'];
  printColumns([
    many,
    rowOf('functions', FUNCTIONS, (count) => moduleOf('expressions', FUNCTION_INSTRUCTIONS, count)),
  ]);
  progress('');
}

function rowOf(name: string, sizes: number[], make: (size: number) => Uint8Array): string[] {
  const costs = sizes.map((size) => {
    progress(`translating ${name} ${size}`);
    return measure(make(size));
  });
  // Below, what does not depend on the size weighs too much.
  const large = sizes.map((size, i) => [Math.log(size), Math.log(costs[i].time_ms)]).slice(2);
  const peak_mib = Math.max(...costs.map((c) => c.peak_kib)) / 1024;
  const times = costs.map((c) => c.time_ms.toFixed(0));
  return [name, ...times, slope(large).toFixed(2), peak_mib.toFixed(0)];
}

function slope(points: number[][]): number {
  const mean = (axis: number): number => points.reduce((sum, p) => sum + p[axis], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, p) => sum + (p[0] - x) * (p[1] - y), 0);
  return above / points.reduce((sum, p) => sum + (p[0] - x) ** 2, 0);
}

/** In a process of its own, so that nothing is warm and the peak is this module's. */
function measure(bytes: Uint8Array): Cost {
  const directory = join(out, 'bench/growth');
  const module = join(directory, 'module.wasm');
  mkdirSync(directory, { recursive: true });
  writeFileSync(module, bytes);
  const script = fileURLToPath(new URL('translate-once.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, module], { encoding: 'utf8' });
  if (status !== 0) throw new UserError(`bench: translation failed: ${stderr.trim().split('\n')[0]}`);
  return JSON.parse(stdout);
}
