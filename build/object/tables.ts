// The tables that lie in the object beside the code (docs/abi.md §4): what traps at an address, which function holds
// it and how its frame is unwound, which source line it came from. All entries are little-endian u32; code offsets are
// relative to `yaos_text` and sorted, so that a handler finds an entry by binary search.

import { TrapKind, type TrapName } from '../ir/ir.ts';
import { ByteWriter, StringTable } from './bytes.ts';
import type { ElfObject, ElfSymbol, SymbolOptions } from './elf.ts';

export interface CodeTables {
  functions: FunctionEntry[];
  traps: { offset: number; kind: TrapName }[];
  /** Each holds from its offset to the next one's, or to the end of the function. */
  lines: LineEntry[];
}

export interface FunctionEntry {
  start: number;
  size: number;
  /** Bytes from rsp after the prologue to the return address. */
  frame: number;
  /** Bytes of arguments that it pops on return. */
  pop: number;
  name: string;
}

export interface LineEntry {
  offset: number;
  /** Left out: from here on no line is known. */
  file?: string;
  line?: number;
}

/** A line entry is file << 20 | line. */
const LINE_BITS = 20;
const NO_FILE = 0xfff;
const NO_LINE = (NO_FILE << LINE_BITS) >>> 0;

/** Adds the sections .yaos.X with the symbols yaos_X and yaos_X_end, which it returns by name. */
export function writeTables(
  elf: ElfObject,
  tables: CodeTables,
  binding: 'global' | 'local',
): Map<string, ElfSymbol> {
  const symbols = new Map<string, ElfSymbol>();
  const strings = new StringTable();
  const files: number[] = [];
  const contents: Record<string, Uint8Array> = {
    traps: words(trapWords(tables.traps)),
    funcs: words(functionWords(tables.functions, strings)),
    lines: words(lineWords(tables, files, strings)),
    files: words(files),
    strings: strings.bytes(),
  };
  for (const [name, bytes] of Object.entries(contents)) {
    const align = name === 'strings' ? 1 : 4;
    const section = elf.section(`.yaos.${name}`, { type: 'progbits', flags: 'a', align, bytes });
    const add = (s: SymbolOptions) => symbols.set(s.name, elf.symbol(s));
    add({ binding, section, name: `yaos_${name}`, type: 'object', size: bytes.length });
    add({ binding, section, name: `yaos_${name}_end`, value: bytes.length });
  }
  return symbols;
}

function trapWords(traps: CodeTables['traps']): number[] {
  const out: number[] = [];
  const sorted = traps.toSorted((a, b) => a.offset - b.offset);
  for (const [i, { offset, kind }] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before?.offset === offset) {
      if (before.kind === kind) continue;
      throw new Error(`tables: traps ${before.kind} and ${kind} at code offset ${offset}`);
    }
    out.push(offset, TrapKind[kind]);
  }
  return out;
}

function functionWords(functions: FunctionEntry[], strings: StringTable): number[] {
  const sorted = functions.toSorted((a, b) => a.start - b.start);
  return sorted.flatMap((f) => [f.start, f.size, f.frame, f.pop, strings.add(f.name)]);
}

/** Fills `files`, whose index is the file's number. */
function lineWords({ functions, lines }: CodeTables, files: number[], strings: StringTable): number[] {
  const numbers = new Map<string, number>();
  const place = (entry: LineEntry): number => {
    if (entry.file === undefined || entry.line === undefined || entry.line >= 1 << LINE_BITS) return NO_LINE;
    let file = numbers.get(entry.file);
    if (file === undefined) {
      if (files.length === NO_FILE) return NO_LINE;
      file = files.push(strings.add(entry.file)) - 1;
      numbers.set(entry.file, file);
    }
    return ((file << LINE_BITS) | entry.line) >>> 0;
  };

  const out: number[] = [];
  let current = NO_LINE;
  const sorted = [...functions.map((f) => ({ offset: f.start })), ...lines].toSorted(
    (a, b) => a.offset - b.offset,
  );
  for (const [i, entry] of sorted.entries()) {
    // Of several entries at one offset the last holds; the others cover no code.
    if (sorted[i + 1]?.offset === entry.offset) continue;
    const value = place(entry);
    if (value !== current) out.push(entry.offset, value);
    current = value;
  }
  return out;
}

function words(values: number[]): Uint8Array {
  const out = new ByteWriter();
  for (const value of values) out.u32(value);
  return out.written();
}
