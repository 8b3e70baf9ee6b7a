// The tables that lie in the object beside the code (docs/abi.md §4): for each function a record of how its frame is
// unwound, what traps at an address in it, and which source line the address came from; an index of the records,
// sorted by address; and their strings.

import { ByOffset } from './by-offset.ts';
import { ByteWriter, StringTable } from './bytes.ts';
import type { ElfObject, ElfSymbol, SymbolOptions } from './elf.ts';
import { type FunctionEntry, type LineEntry, type TrapEntry, writeFunctionInfo } from './function-info.ts';
import { type PackedInput, packTables } from './packed-tables.ts';

export interface CodeTables {
  functions: FunctionEntry[];
  /** Each in a function, as the lines are. */
  traps: TrapEntry[];
  lines: LineEntry[];
}

/** Adds the sections .yaos.X with the symbols yaos_X and yaos_X_end, which it returns by name. */
export function writeTables(
  elf: ElfObject,
  tables: CodeTables,
  binding: 'global' | 'local',
): Map<string, ElfSymbol> {
  return addSections(elf, contents(tables), binding);
}

/** Adds .yaos.packed, with its symbols, in place of those. */
export function writePackedTables(elf: ElfObject, tables: PackedInput): Map<string, ElfSymbol> {
  return addSections(elf, { packed: packTables(tables) }, 'global');
}

function addSections(
  elf: ElfObject,
  sections: Record<string, Uint8Array>,
  binding: 'global' | 'local',
): Map<string, ElfSymbol> {
  const symbols = new Map<string, ElfSymbol>();
  for (const [name, bytes] of Object.entries(sections)) {
    const align = name === 'funcs' ? 4 : 1;
    const section = elf.section(`.yaos.${name}`, { type: 'progbits', flags: 'a', align, bytes });
    const add = (s: SymbolOptions) => symbols.set(s.name, elf.symbol(s));
    add({ binding, section, name: `yaos_${name}`, type: 'object', size: bytes.length });
    add({ binding, section, name: `yaos_${name}_end`, value: bytes.length });
  }
  return symbols;
}

function contents(tables: CodeTables): Record<'funcs' | 'info' | 'strings', Uint8Array> {
  const funcs = new ByteWriter();
  const info = new ByteWriter();
  const strings = new StringTable();
  const traps = new ByOffset(tables.traps);
  const lines = new ByOffset(tables.lines);
  for (const func of tables.functions.toSorted((a, b) => a.start - b.start)) {
    funcs.u32(func.start);
    funcs.u32(info.length);
    const end = func.start + func.size;
    writeFunctionInfo(info, func, traps.takeBefore(end), lines.takeBefore(end), strings);
  }
  return { funcs: funcs.written(), info: info.written(), strings: strings.bytes() };
}
