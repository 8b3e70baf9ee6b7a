// The tables beside the code: what was written is what is read back, and the symbols that readelf lists.

import { describe, expect, it } from 'vitest';
import { ElfObject } from '../../build/object/elf.ts';
import type { FunctionEntry, LineEntry } from '../../build/object/function-info.ts';
import { type CodeTables, writeTables } from '../../build/object/tables.ts';
import { inFolder } from './binutils.ts';
import { readTables } from './info.ts';

const A: FunctionEntry = { start: 0, size: 60, frame: 8, pop: 0, name: 'a' };
const B: FunctionEntry = { start: 64, size: 16, frame: 24, pop: 32, name: 'größe' };

function object(tables: Partial<CodeTables>, binding: 'global' | 'local' = 'global'): Uint8Array {
  const elf = new ElfObject();
  writeTables(elf, { functions: [A], traps: [], lines: [], ...tables }, binding);
  return elf.toBytes();
}

const written = (tables: Partial<CodeTables>) => readTables(object(tables));

describe('the tables', () => {
  it('have symbols at both ends, local on request', () => {
    for (const binding of ['global', 'local'] as const) {
      const bytes = object({}, binding);
      const listing = inFolder(({ write, run }) => {
        write('a.o', bytes);
        return run('readelf', '-sSW', 'a.o');
      });
      for (const name of ['funcs', 'info', 'strings']) {
        expect(listing).toMatch(
          new RegExp(`\\.yaos\\.${name} +PROGBITS .* A +0 +0 +${name === 'funcs' ? 4 : 1}`),
        );
        expect(listing).toMatch(new RegExp(`${binding.toUpperCase()} +DEFAULT +\\d+ yaos_${name}\\n`));
        expect(listing).toMatch(new RegExp(`${binding.toUpperCase()} +DEFAULT +\\d+ yaos_${name}_end\\n`));
      }
      expect(listing).toMatch(/0+8 +0 NOTYPE .* yaos_funcs_end\n/);
    }
  });

  it('hold functions in order with their names', () => {
    const functions = [B, A, { ...A, start: 80, size: 0x1234567, frame: 1 << 20 }];
    const read = written({ functions }).map(({ traps, places, ...f }) => f);
    expect(read).toEqual([functions[1], functions[0], functions[2]]);
  });

  it("leave out of a name what is its file's", () => {
    const at = { file: 'lib/a.b.ts', line: 5 };
    const outer = { name: 'lib/a.b/outer', call: { file: 'lib/other.ts', line: 3 } };
    const [, b] = written({
      functions: [A, { ...B, name: 'lib/a.b/Own#run' }],
      lines: [
        { offset: 64, ...at },
        { offset: 66, ...at, inlined: outer },
        { offset: 68, file: 'lib/a.ts', line: 1 },
      ],
    });
    expect(b.name).toBe('Own#run');
    expect(b.places.map(([, calls]) => calls)).toEqual([
      ['Own#run lib/a.b.ts:5'],
      ['outer lib/a.b.ts:5', 'lib/a.b/Own#run lib/other.ts:3'],
      ['lib/a.b/Own#run lib/a.ts:1'],
    ]);
  });

  it('hold traps in order, each place once', () => {
    const [a, b] = written({
      functions: [A, B],
      traps: [
        { offset: 0x4f, kind: 'stack' },
        { offset: 0, kind: 'memory' },
        { offset: 0x4f, kind: 'stack' },
        { offset: 0x20, kind: 'memory' },
        { offset: 0x3b, kind: 'division' },
      ],
    });
    expect(a.traps).toEqual([
      [0, 'memory'],
      [0x20, 'memory'],
      [0x3b, 'division'],
    ]);
    expect(b.traps).toEqual([[0x4f, 'stack']]);
    const traps: CodeTables['traps'] = [
      { offset: 1, kind: 'stack' },
      { offset: 1, kind: 'memory' },
    ];
    expect(() => written({ traps })).toThrow('traps stack and memory at code offset 1');
  });

  it('hold lines, equal neighbours merged, none carried into another function', () => {
    const [a, b] = written({
      functions: [A, B],
      lines: [
        { offset: 4, file: 'x.ts', line: 10 },
        { offset: 8, file: 'x.ts', line: 10 },
        { offset: 12, file: 'y.ts', line: 1 },
        { offset: 12, file: 'x.ts', line: 9 },
        { offset: 20 },
        { offset: 24 },
        { offset: 30, file: 'z.ts', line: 0x7fff_ffff },
        { offset: 36, file: 'z.ts', line: 0x8000_0000 },
        { offset: 40, file: 'x.ts', line: 300 },
        { offset: 70, file: 'x.ts', line: 12 },
      ],
    });
    expect(a.places).toEqual([
      [4, ['a x.ts:10']],
      [12, ['a x.ts:9']],
      [20, ['a']],
      [30, ['a z.ts:2147483647']],
      [36, ['a']],
      [40, ['a x.ts:300']],
    ]);
    expect(b.places).toEqual([[70, ['größe x.ts:12']]]);
  });

  it('hold the calls around what was inlined', () => {
    const call: LineEntry = { offset: 4, file: 'x.ts', line: 10 };
    const outer = { name: 'outer', call };
    const inner = { name: 'inner', call: { file: 'y.ts', line: 7, inlined: outer } };
    const [a] = written({
      lines: [
        { offset: 0, file: 'z.ts', line: 3, inlined: inner },
        { offset: 2, file: 'y.ts', line: 6, inlined: outer },
        call,
        { offset: 6, file: 'z.ts', line: 4, inlined: inner },
        { offset: 8, inlined: { name: 'inner', call: { ...call, line: 2 } } },
        { offset: 9, inlined: { name: 'inner', call: {} } },
      ],
    });
    expect(a.places).toEqual([
      [0, ['inner z.ts:3', 'outer y.ts:7', 'a x.ts:10']],
      [2, ['outer y.ts:6', 'a x.ts:10']],
      [4, ['a x.ts:10']],
      [6, ['inner z.ts:4', 'outer y.ts:7', 'a x.ts:10']],
      [8, ['inner', 'a x.ts:2']],
      [9, ['inner', 'a']],
    ]);
  });
});
