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

/** A place in the source; without a file and a line, one that is not known. */
export interface Place {
  file?: string;
  line?: number;
  /** In a function that was inlined: its name, and the place of the call. */
  inlined?: { name: string; call: Place };
}

export interface LineEntry extends Place {
  offset: number;
}

/** A place is file << 20 | line, or, for code that was inlined, INLINED << 20 | number in the table for it. */
const LINE_BITS = 20;
const NO_FILE = 0xfff;
const INLINED = 0xffe;
const NO_LINE = (NO_FILE << LINE_BITS) >>> 0;

/** Adds the sections .yaos.X with the symbols yaos_X and yaos_X_end, which it returns by name. */
export function writeTables(
  elf: ElfObject,
  tables: CodeTables,
  binding: 'global' | 'local',
): Map<string, ElfSymbol> {
  const symbols = new Map<string, ElfSymbol>();
  const strings = new StringTable();
  const places = new Places(strings);
  const contents: Record<string, Uint8Array> = {
    traps: words(trapWords(tables.traps)),
    funcs: words(functionWords(tables.functions, strings)),
    lines: words(lineWords(tables, places)),
    files: words(places.files),
    inlined: words(places.inlined),
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

/** Numbers the files, and the places in inlined code. */
class Places {
  /** Names of files, by number. */
  readonly files: number[] = [];
  /** By number: the inlined function's name, the place in it, the place of the call. */
  readonly inlined: number[] = [];
  private readonly strings: StringTable;
  private readonly fileNumbers = new Map<string, number>();
  private readonly inlinedNumbers = new Map<string, number>();

  constructor(strings: StringTable) {
    this.strings = strings;
  }

  word({ file, line, inlined }: Place): number {
    const own = this.lineWord(file, line);
    if (!inlined) return own;
    const entry = [this.strings.add(inlined.name), own, this.word(inlined.call)];
    const key = entry.join();
    let number = this.inlinedNumbers.get(key);
    if (number === undefined) {
      number = this.inlinedNumbers.size;
      if (number === 1 << LINE_BITS) return entry[2];
      this.inlinedNumbers.set(key, number);
      this.inlined.push(...entry);
    }
    return ((INLINED << LINE_BITS) | number) >>> 0;
  }

  private lineWord(file: string | undefined, line: number | undefined): number {
    if (file === undefined || line === undefined || line >= 1 << LINE_BITS) return NO_LINE;
    let number = this.fileNumbers.get(file);
    if (number === undefined) {
      if (this.files.length === INLINED) return NO_LINE;
      number = this.files.push(this.strings.add(file)) - 1;
      this.fileNumbers.set(file, number);
    }
    return ((number << LINE_BITS) | line) >>> 0;
  }
}

function lineWords({ functions, lines }: CodeTables, places: Places): number[] {
  const out: number[] = [];
  let current = NO_LINE;
  const starts: LineEntry[] = functions.map((f) => ({ offset: f.start }));
  const sorted = [...starts, ...lines].toSorted((a, b) => a.offset - b.offset);
  for (const [i, entry] of sorted.entries()) {
    // Of several entries at one offset the last holds; the others cover no code.
    if (sorted[i + 1]?.offset === entry.offset) continue;
    const value = places.word(entry);
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
