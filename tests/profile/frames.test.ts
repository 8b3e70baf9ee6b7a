// The reader of .debug_frame, against GNU readelf's reading of the whole kernel.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readElf } from '../../build/object/elf-reader.ts';
import { binutilsPrefix, out } from '../../build/paths.ts';
import { type FrameRules, FrameTable, RETURN_ADDRESS } from '../../build/profile/frames.ts';

const KERNEL = join(out, 'kernel.elf');
/** By readelf's names. */
const REGISTERS = ['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp']
  .concat(Array.from({ length: 8 }, (_, i) => `r${i + 8}`))
  .concat('ra');

/** A row as readelf has it: `ADDRESS rsp+16 c-16 u`. */
function rowOf({ cfaRegister, cfaOffset, registers }: FrameRules, columns: string[]): string[] {
  const cells = columns.map((column) => {
    const rule = registers.get(REGISTERS.indexOf(column));
    if (rule === undefined || rule.at === 'nowhere') return 'u';
    if (rule.at === 'register') return REGISTERS[rule.register];
    return `c${rule.offset < 0 ? '' : '+'}${rule.offset}`;
  });
  return [`${REGISTERS[cfaRegister]}+${cfaOffset}`, ...cells];
}

test('every row of the kernel', () => {
  const section = readElf(readFileSync(KERNEL)).sections.find(({ name }) => name === '.debug_frame')!;
  const table = new FrameTable(section);
  const args = ['--wide', '--debug-dump=frames-interp', KERNEL];
  const { stdout } = spawnSync(`${binutilsPrefix()}readelf`, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  let columns: string[] = [];
  let end = 0n;
  let rows: [bigint, string[]][] = [];
  let compared = 0;
  const compare = () => {
    for (const [i, [address, cells]] of rows.entries()) {
      if (rows[i + 1]?.[0] === address || address >= end) continue; // the last one at an address holds
      const rules = table.rulesAt(address)!;
      expect(rowOf(rules, columns), address.toString(16)).toEqual(cells);
      compared++;
    }
    rows = [];
  };
  for (const line of stdout.split('\n')) {
    const range = / FDE .* pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(line);
    if (range || / CIE /.test(line)) {
      compare();
      end = range ? BigInt(`0x${range[2]}`) : 0n;
    } else if (/^ +LOC +CFA /.test(line)) columns = line.trim().split(/ +/).slice(2);
    else if (/^[0-9a-f]{16} /.test(line)) {
      const [address, ...cells] = line.trim().split(/ +/);
      rows.push([BigInt(`0x${address}`), cells]);
    }
  }
  compare();
  expect(compared).toBeGreaterThan(5000);
  expect(table.rulesAt(0x1000n)).toBeUndefined();
  expect(RETURN_ADDRESS).toBe(REGISTERS.indexOf('ra'));
});
