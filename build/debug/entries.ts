// .debug_info and .debug_abbrev (DWARF 5 §2 and §7.5), .debug_rnglists (§2.17.3): one compilation unit with its functions,
// and what was inlined in each. Methods stand in a namespace of their class's name, so that a debugger knows them as
// Class::method.

import type { Place } from '../object/function-info.ts';
import {
  ADDRESS_BYTES,
  AT,
  DWARF_VERSION,
  DwarfWriter,
  FORM,
  INL_INLINED,
  LANG_CPP_14,
  OP,
  RLE,
  TAG,
  type TextReference,
} from './dwarf.ts';
import type { DebugFunction, Inlined, Range } from './functions.ts';
import type { Files } from './lines.ts';
import { qualifiedName } from './names.ts';

/** Kinds of entries: tag, whether it has children, and its attributes, which are written in this order. */
const ABBREVIATIONS = {
  unit: [
    TAG.compile_unit,
    true,
    [
      [AT.producer, FORM.string],
      [AT.language, FORM.data2],
      [AT.name, FORM.string],
      [AT.comp_dir, FORM.string],
      [AT.stmt_list, FORM.sec_offset],
      [AT.low_pc, FORM.addr],
      [AT.high_pc, FORM.data4],
    ],
  ],
  namespace: [TAG.namespace, true, [[AT.name, FORM.string]]],
  /** A function that has been inlined, as its source has it. */
  abstract: [
    TAG.subprogram,
    false,
    [
      [AT.name, FORM.string],
      [AT.inline, FORM.data1],
    ],
  ],
  /** The same with its place. */
  placedAbstract: [
    TAG.subprogram,
    false,
    [
      [AT.name, FORM.string],
      [AT.inline, FORM.data1],
      [AT.decl_file, FORM.udata],
      [AT.decl_line, FORM.udata],
    ],
  ],
  function: [
    TAG.subprogram,
    true,
    [
      [AT.name, FORM.string],
      [AT.decl_file, FORM.udata],
      [AT.decl_line, FORM.udata],
      [AT.low_pc, FORM.addr],
      [AT.high_pc, FORM.data4],
      [AT.frame_base, FORM.exprloc],
    ],
  ],
  /** A function without a place in the source. */
  bareFunction: [
    TAG.subprogram,
    true,
    [
      [AT.name, FORM.string],
      [AT.low_pc, FORM.addr],
      [AT.high_pc, FORM.data4],
      [AT.frame_base, FORM.exprloc],
    ],
  ],
  /** The code of a function that has also been inlined. */
  instance: [
    TAG.subprogram,
    true,
    [
      [AT.abstract_origin, FORM.ref4],
      [AT.low_pc, FORM.addr],
      [AT.high_pc, FORM.data4],
      [AT.frame_base, FORM.exprloc],
    ],
  ],
  inlined: [
    TAG.inlined_subroutine,
    true,
    [
      [AT.abstract_origin, FORM.ref4],
      [AT.ranges, FORM.sec_offset],
      [AT.call_file, FORM.udata],
      [AT.call_line, FORM.udata],
      [AT.call_column, FORM.udata],
    ],
  ],
} as const;
type Kind = keyof typeof ABBREVIATIONS;
const KINDS = Object.keys(ABBREVIATIONS) as Kind[];

export interface Unit {
  name: string;
  folder: string;
  textSize: number;
  functions: readonly DebugFunction[];
  /** Of a function by its index in the module. */
  declaration(func: number): { name: string; place: Place | undefined };
}

export interface InfoSections {
  info: Uint8Array;
  abbrev: Uint8Array;
  rnglists: Uint8Array;
  addresses: Record<'info' | 'rnglists', TextReference[]>;
  /** Where in `info` the offset `to` in another section has to be put. */
  offsets: { at: number; section: 'abbrev' | 'line' | 'rnglists'; to: number }[];
}

export function writeInfo(unit: Unit, files: Files): InfoSections {
  const writer = new InfoWriter(unit, files);
  writer.write();
  return {
    info: writer.info.written(),
    abbrev: abbreviations(),
    rnglists: writer.rangeLists(),
    addresses: { info: writer.addresses, rnglists: writer.rangeAddresses },
    offsets: writer.offsets,
  };
}

function abbreviations(): Uint8Array {
  const out = new DwarfWriter();
  for (const [i, kind] of KINDS.entries()) {
    const [tag, children, attributes] = ABBREVIATIONS[kind];
    out.uleb(i + 1);
    out.uleb(tag);
    out.u8(children ? 1 : 0);
    for (const pair of attributes) for (const number of pair) out.uleb(number);
    out.u16(0);
  }
  out.u8(0);
  return out.written();
}

class InfoWriter {
  readonly info = new DwarfWriter();
  readonly addresses: TextReference[] = [];
  readonly rangeAddresses: TextReference[] = [];
  readonly offsets: InfoSections['offsets'] = [];
  private readonly unit: Unit;
  private readonly files: Files;
  private readonly ranges = new DwarfWriter();
  /** Offset of the entry of each function that is inlined somewhere, by its index. */
  private readonly abstract = new Map<number, number>();

  constructor(unit: Unit, files: Files) {
    this.unit = unit;
    this.files = files;
  }

  write(): void {
    const { info, unit } = this;
    info.sized(() => {
      info.u16(DWARF_VERSION);
      info.u8(1); // DW_UT_compile
      info.u8(ADDRESS_BYTES);
      this.offset('abbrev', 0);
      this.begin('unit');
      info.text('yaos');
      info.u16(LANG_CPP_14);
      info.text(unit.name);
      info.text(unit.folder);
      this.offset('line', 0);
      this.address(0);
      info.u32(unit.textSize);
      this.writeAbstract();
      this.writeFunctions();
      info.u8(0);
    });
  }

  rangeLists(): Uint8Array {
    const out = new DwarfWriter();
    out.sized(() => {
      out.u16(DWARF_VERSION);
      out.u8(ADDRESS_BYTES);
      out.u8(0); // segment selector size
      out.u32(0); // no table of offsets
      for (const address of this.rangeAddresses) address.at += out.length;
      for (const offset of this.offsets) if (offset.section === 'rnglists') offset.to += out.length;
      out.append(this.ranges.written());
    });
    return out.written();
  }

  private begin(kind: Kind): void {
    this.info.uleb(KINDS.indexOf(kind) + 1);
  }

  private address(to: number): void {
    this.addresses.push({ at: this.info.length, to });
    this.info.u64(0);
  }

  private offset(section: InfoSections['offsets'][number]['section'], to: number): void {
    this.offsets.push({ at: this.info.length, section, to });
    this.info.u32(0);
  }

  private place({ file, line }: Place): void {
    this.info.uleb(this.files.numberOf(file!));
    this.info.uleb(line!);
  }

  /** An entry, in its class if it has one. */
  private inScope(name: string, write: (name: string) => void): void {
    const { scope, name: own } = qualifiedName(name);
    if (scope !== undefined) {
      this.begin('namespace');
      this.info.text(scope);
    }
    write(own);
    if (scope !== undefined) this.info.u8(0);
  }

  private writeAbstract(): void {
    for (const func of inlinedFunctions(this.unit.functions)) {
      const { name, place } = this.unit.declaration(func);
      this.inScope(name, (own) => {
        this.abstract.set(func, this.info.length);
        this.begin(place ? 'placedAbstract' : 'abstract');
        this.info.text(own);
        this.info.u8(INL_INLINED);
        if (place) this.place(place);
      });
    }
  }

  private writeFunctions(): void {
    for (const f of this.unit.functions) {
      const origin = f.func === undefined ? undefined : this.abstract.get(f.func);
      if (origin !== undefined) this.writeFunction(f, 'instance', () => this.info.u32(origin));
      else this.inScope(f.name, (own) => this.writeNamed(f, own));
    }
  }

  private writeNamed(f: DebugFunction, name: string): void {
    this.writeFunction(f, f.place ? 'function' : 'bareFunction', () => {
      this.info.text(name);
      if (f.place) this.place(f.place);
    });
  }

  private writeFunction(f: DebugFunction, kind: Kind, writeHead: () => void): void {
    this.begin(kind);
    writeHead();
    this.address(f.start);
    this.info.u32(f.size);
    this.info.uleb(1);
    this.info.u8(OP.call_frame_cfa);
    for (const call of f.inlined) this.writeInlined(call);
    this.info.u8(0);
  }

  private writeInlined({ func, call, ranges, inlined }: Inlined): void {
    this.begin('inlined');
    this.info.u32(this.abstract.get(func)!);
    this.offset('rnglists', this.ranges.length);
    this.writeRanges(ranges);
    this.info.uleb(call.file === undefined ? 0 : this.files.numberOf(call.file));
    this.info.uleb(call.line ?? 0);
    this.info.uleb(call.column ?? 0);
    for (const inner of inlined) this.writeInlined(inner);
    this.info.u8(0);
  }

  private writeRanges(ranges: readonly Range[]): void {
    const { ranges: out } = this;
    const base = ranges[0].start;
    out.u8(RLE.base_address);
    this.rangeAddresses.push({ at: out.length, to: base });
    out.u64(0);
    for (const { start, end } of ranges) {
      out.u8(RLE.offset_pair);
      out.uleb(start - base);
      out.uleb(end - base);
    }
    out.u8(RLE.end_of_list);
  }
}

function inlinedFunctions(functions: readonly { inlined: Inlined[] }[]): Set<number> {
  const found = new Set<number>();
  const visit = ({ func, inlined }: Inlined) => {
    found.add(func);
    inlined.forEach(visit);
  };
  for (const { inlined } of functions) inlined.forEach(visit);
  return found;
}
