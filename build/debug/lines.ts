// .debug_line (DWARF 5 §6.2): from addresses to places in the source.

import type { Place } from '../object/function-info.ts';
import {
  ADDRESS_BYTES,
  DWARF_VERSION,
  DwarfWriter,
  FORM,
  LNCT,
  LNE,
  LNS,
  type TextReference,
} from './dwarf.ts';
import type { DebugFunction } from './functions.ts';

/** §6.2.5.1: an opcode from OPCODE_BASE on advances both, the line by LINE_BASE to LINE_BASE + LINE_RANGE - 1. */
const LINE_BASE = -5;
const LINE_RANGE = 14;
const OPCODE_BASE = 13;
/** Operands of the standard opcodes, from 1 on. */
const OPERANDS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
const SPECIAL_MAX = 255;

export interface LineSection {
  bytes: Uint8Array;
  addresses: TextReference[];
}

/** The files that places name, by number; number 0 is the compilation unit's. */
export class Files {
  readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();

  constructor(unit: string) {
    this.numberOf(unit);
    this.names.push(unit); // number 1 too, as gcc has it: GNU's addr2line takes a 1 for a 0
  }

  numberOf(name: string): number {
    let number = this.numbers.get(name);
    if (number === undefined) {
      number = this.names.push(name) - 1;
      this.numbers.set(name, number);
    }
    return number;
  }
}

export function writeLines(functions: readonly DebugFunction[], files: Files, folder: string): LineSection {
  const addresses: LineSection['addresses'] = [];
  const program = new DwarfWriter();
  const rows = new Rows(program, files, addresses);
  for (const f of functions) if (f.rows.length > 0) writeFunction(rows, f);
  const out = new DwarfWriter();
  out.sized(() => {
    writeHeader(out, files, folder);
    for (const address of addresses) address.at += out.length;
    out.append(program.written());
  });
  return { bytes: out.written(), addresses };
}

/** §6.2.4. */
function writeHeader(out: DwarfWriter, files: Files, folder: string): void {
  out.u16(DWARF_VERSION);
  out.u8(ADDRESS_BYTES);
  out.u8(0); // segment selector size
  out.sized(() => {
    out.u8(1); // shortest instruction
    out.u8(1); // operations an instruction
    out.u8(1); // a row is where a statement begins, unless it says otherwise
    out.u8(LINE_BASE & 0xff);
    out.u8(LINE_RANGE);
    out.u8(OPCODE_BASE);
    for (const operands of OPERANDS) out.u8(operands);
    writeFormat(out, [[LNCT.path, FORM.string]]);
    out.uleb(1);
    out.text(folder);
    writeFormat(out, [
      [LNCT.path, FORM.string],
      [LNCT.directory_index, FORM.udata],
    ]);
    out.uleb(files.names.length);
    for (const name of files.names) {
      out.text(name);
      out.uleb(0);
    }
  });
}

function writeFormat(out: DwarfWriter, fields: [content: number, form: number][]): void {
  out.u8(fields.length);
  for (const [content, form] of fields) {
    out.uleb(content);
    out.uleb(form);
  }
}

/** A function's rows: the prologue is of its first line. */
function writeFunction(rows: Rows, f: DebugFunction): void {
  if (f.place && f.rows[0].offset > f.start) rows.add(f.start, f.place);
  for (const { offset, place } of f.rows) {
    if (f.place === undefined && place.line === undefined) rows.end(offset);
    else rows.add(offset, place);
  }
  rows.end(f.start + f.size);
}

/** The line number state machine (§6.2.2). Sequences end where there is no line: gdb ignores rows of line 0, which say so too. */
class Rows {
  private readonly out: DwarfWriter;
  private readonly files: Files;
  private readonly addresses: LineSection['addresses'];
  /** Undefined between sequences. */
  private at: number | undefined;
  private last = { file: 1, line: 1, column: 0 };

  constructor(out: DwarfWriter, files: Files, addresses: LineSection['addresses']) {
    this.out = out;
    this.files = files;
    this.addresses = addresses;
  }

  /** A place that is not known goes on as the one before. */
  add(offset: number, { file, line, column = 0 }: Place): void {
    if (file === undefined || line === undefined) return;
    const at = this.at ?? this.begin(offset);
    const number = this.files.numberOf(file);
    const { out, last } = this;
    if (number === last.file && line === last.line && column === last.column && offset !== at) return;
    if (number !== last.file) {
      out.u8(LNS.set_file);
      out.uleb(number);
    }
    if (column !== last.column) {
      out.u8(LNS.set_column);
      out.uleb(column);
    }
    this.advance(offset - at, line - last.line);
    this.at = offset;
    this.last = { file: number, line, column };
  }

  private begin(offset: number): number {
    const { out } = this;
    out.u8(0);
    out.uleb(1 + ADDRESS_BYTES);
    out.u8(LNE.set_address);
    this.addresses.push({ at: out.length, to: offset });
    out.u64(0);
    this.last = { file: 1, line: 1, column: 0 };
    return offset;
  }

  private advance(distance: number, lines: number): void {
    const { out } = this;
    let step = lines - LINE_BASE;
    if (step < 0 || step >= LINE_RANGE) {
      out.u8(LNS.advance_line);
      out.sleb(lines);
      step = -LINE_BASE;
    }
    const opcode = OPCODE_BASE + step + LINE_RANGE * distance;
    if (opcode <= SPECIAL_MAX) out.u8(opcode);
    else {
      out.u8(LNS.advance_pc);
      out.uleb(distance);
      out.u8(OPCODE_BASE + step);
    }
  }

  end(offset: number): void {
    if (this.at === undefined) return;
    const { out } = this;
    out.u8(LNS.advance_pc);
    out.uleb(offset - this.at);
    out.u8(0);
    out.uleb(1);
    out.u8(LNE.end_sequence);
    this.at = undefined;
  }
}
