// The tables beside the code: their words, read back from the object, and the symbols that readelf lists.

import { describe, expect, it } from 'vitest';
import { TrapKind } from '../../build/ir/ir.ts';
import { ElfObject } from '../../build/object/elf.ts';
import { readElf } from '../../build/object/elf-reader.ts';
import { type CodeTables, writeTables } from '../../build/object/tables.ts';
import { inFolder } from './binutils.ts';

const NONE = 0xfff00000;

/** The words of each table, and its strings by their offset. */
function written(tables: Partial<CodeTables>) {
  const elf = new ElfObject();
  writeTables(elf, { functions: [], traps: [], lines: [], ...tables }, 'global');
  const contents = Object.fromEntries(
    readElf(elf.toBytes()).sections.map((s) => [s.name, Buffer.from(s.contents)]),
  );
  const words = (name: string, columns: number) => {
    const bytes = contents[`.yaos.${name}`];
    const all = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
    return Array.from({ length: all.length / columns }, (_, i) => all.slice(i * columns, (i + 1) * columns));
  };
  const strings = contents['.yaos.strings'];
  const stringAt = (at: number) => strings.toString('utf8', at, strings.indexOf(0, at));
  return { words, stringAt };
}

describe('the tables', () => {
  it('have symbols at both ends, local on request', () => {
    for (const binding of ['global', 'local'] as const) {
      const elf = new ElfObject();
      const traps: CodeTables['traps'] = [{ offset: 5, kind: 'memory' }];
      writeTables(elf, { functions: [], traps, lines: [] }, binding);
      const listing = inFolder(({ write, run }) => {
        write('a.o', elf.toBytes());
        return run('readelf', '-sSW', 'a.o');
      });
      for (const name of ['traps', 'funcs', 'lines', 'files', 'strings']) {
        expect(listing).toMatch(
          new RegExp(`\\.yaos\\.${name} +PROGBITS .* A +0 +0 +${name === 'strings' ? 1 : 4}`),
        );
        expect(listing).toMatch(new RegExp(`${binding.toUpperCase()} +DEFAULT +\\d+ yaos_${name}\\n`));
        expect(listing).toMatch(new RegExp(`${binding.toUpperCase()} +DEFAULT +\\d+ yaos_${name}_end\\n`));
      }
      expect(listing).toMatch(/0+8 +0 NOTYPE .* yaos_traps_end\n/);
    }
  });

  it('hold traps in order, each place once', () => {
    const { words } = written({
      traps: [
        { offset: 0x90, kind: 'stack' },
        { offset: 0x10, kind: 'memory' },
        { offset: 0x90, kind: 'stack' },
        { offset: 0x20, kind: 'division' },
      ],
    });
    expect(words('traps', 2)).toEqual([
      [0x10, TrapKind.memory],
      [0x20, TrapKind.division],
      [0x90, TrapKind.stack],
    ]);
    const traps: CodeTables['traps'] = [
      { offset: 1, kind: 'stack' },
      { offset: 1, kind: 'memory' },
    ];
    expect(() => written({ traps })).toThrow('traps stack and memory at code offset 1');
  });

  it('hold functions in order with their names', () => {
    const { words, stringAt } = written({
      functions: [
        { start: 64, size: 16, frame: 24, pop: 32, name: 'größe' },
        { start: 0, size: 60, frame: 8, pop: 0, name: 'main' },
        { start: 80, size: 1, frame: 0, pop: 0, name: 'main' },
      ],
    });
    const functions = words('funcs', 5).map(([start, size, frame, pop, name]) => [
      start,
      size,
      frame,
      pop,
      stringAt(name),
    ]);
    expect(functions).toEqual([
      [0, 60, 8, 0, 'main'],
      [64, 16, 24, 32, 'größe'],
      [80, 1, 0, 0, 'main'],
    ]);
  });

  it('hold lines, equal neighbours merged, none carried into another function', () => {
    const { words, stringAt } = written({
      functions: [
        { start: 0, size: 60, frame: 8, pop: 0, name: 'a' },
        { start: 64, size: 16, frame: 24, pop: 32, name: 'b' },
      ],
      lines: [
        { offset: 4, file: 'x.ts', line: 10 },
        { offset: 8, file: 'x.ts', line: 10 },
        { offset: 12, file: 'y.ts', line: 1 },
        { offset: 12, file: 'x.ts', line: 11 },
        { offset: 20 },
        { offset: 24 },
        { offset: 30, file: 'z.ts', line: (1 << 20) - 1 },
        { offset: 36, file: 'z.ts', line: 1 << 20 },
        { offset: 40, file: 'x.ts', line: 12 },
        { offset: 70, file: 'x.ts', line: 12 },
      ],
    });
    const [x, z] = words('files', 1).map(([name]) => stringAt(name));
    expect([x, z]).toEqual(['x.ts', 'z.ts']);
    expect(words('lines', 2)).toEqual([
      [4, 10],
      [12, 11],
      [20, NONE],
      [30, (1 << 20) + (1 << 20) - 1],
      [36, NONE],
      [40, 12],
      [64, NONE],
      [70, 12],
    ]);
  });

  it('give no line to files beyond what an entry can number', () => {
    const lines = Array.from({ length: 4097 }, (_, i) => ({ offset: 2 * i, file: `${i}.ts`, line: 1 }));
    const { words } = written({ lines });
    expect(words('files', 1).length).toBe(0xffe);
    expect(words('lines', 2).at(-2)).toEqual([2 * 0xffd, 0xffd00001]);
    expect(words('lines', 2).at(-1)).toEqual([2 * 0xffe, NONE]);
  });
});
