// The symbols of kernel.elf, by nm.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { out } from '../../build/paths.ts';

const table = new Map<string, bigint>();
for (const line of execFileSync('nm', ['-n', join(out, 'kernel.elf')], { encoding: 'utf8' }).split('\n')) {
  const [value, , name] = line.split(' ');
  if (name && !table.has(name)) table.set(name, BigInt(`0x${value}`));
}
const ordered = [...table].map(([name, value]) => ({ name, value }));

export function at(symbol: string): bigint {
  const value = table.get(symbol);
  if (value === undefined) throw new Error(`kernel.elf has no symbol ${symbol}`);
  return value;
}

/** The last symbol at or before an address: the function that it is in. */
export function symbolAt(address: bigint): string {
  return ordered.findLast(({ value }) => value <= address)?.name ?? 'nothing';
}
