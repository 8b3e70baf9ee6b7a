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
  for (const f of functions) if (f.rows.length > 0) writeSequence(program, f, files, addresses);
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
function writeSequence(
  out: DwarfWriter,
  f: DebugFunction,
  files: Files,
  addresses: LineSection['addresses'],
): void {
  out.u8(0);
  out.uleb(1 + ADDRESS_BYTES);
  out.u8(LNE.set_address);
  addresses.push({ at: out.length, to: f.start });
  out.u64(0);
  const rows = new Rows(out, f.start, files);
  if (f.place && f.rows[0].offset > f.start) rows.add(f.start, f.place);
  for (const { offset, place } of f.rows) {
    if (f.place === undefined && place.line === undefined) rows.addNone(offset);
    else rows.add(offset, place);
  }
  rows.end(f.start + f.size);
}

/** The line number state machine (§6.2.2) of one sequence. */
class Rows {
  private readonly out: DwarfWriter;
  private readonly files: Files;
  private at: number;
  private last = { file: 1, line: 1, column: 0 };

  constructor(out: DwarfWriter, start: number, files: Files) {
    this.out = out;
    this.at = start;
    this.files = files;
  }

  /** A place that is not known goes on as the one before. */
  add(offset: number, { file, line, column = 0 }: Place): void {
    if (file === undefined || line === undefined) return;
    this.move(offset, { file: this.files.numberOf(file), line, column });
  }

  /** §6.2.2: line 0 is no line. */
  addNone(offset: number): void {
    this.move(offset, { ...this.last, line: 0 });
  }

  private move(offset: number, to: { file: number; line: number; column: number }): void {
    const { out, last } = this;
    const { file, line, column } = to;
    if (file === last.file && line === last.line && column === last.column && offset !== this.at) return;
    if (file !== last.file) {
      out.u8(LNS.set_file);
      out.uleb(file);
    }
    if (column !== last.column) {
      out.u8(LNS.set_column);
      out.uleb(column);
    }
    this.advance(offset - this.at, line - last.line);
    this.at = offset;
    this.last = to;
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
    const { out } = this;
    out.u8(LNS.advance_pc);
    out.uleb(offset - this.at);
    out.u8(0);
    out.uleb(1);
    out.u8(LNE.end_sequence);
  }
}
