// Writer of ELF64 x86-64 relocatable objects (System V gABI chapters 4 and 5, x86-64 psABI 4). Sections, symbols and
// relocations are collected in any order; toBytes() puts local symbols before global ones, as the gABI wants, and lays
// out the file: header, contents, relocations, symbols, strings, section headers.

import { ByteWriter, StringTable } from './bytes.ts';

/** R_X86_64_64 and so on: psABI table 4.9. */
const RELOCATION_TYPE = { abs64: 1, pc32: 2, plt32: 4, abs32: 10, abs32s: 11 } as const;
export type RelocationKind = keyof typeof RELOCATION_TYPE;

const SECTION_TYPE = { progbits: 1, symtab: 2, strtab: 3, rela: 4, note: 7, nobits: 8 } as const;
/** SHF_…; the letters are those of GNU as. */
const SECTION_FLAG: Record<string, number> = { w: 1, a: 2, x: 4, M: 0x10, S: 0x20 };
const INFO_LINK = 0x40;

const BINDING = { local: 0, global: 1, weak: 2 } as const;
const SYMBOL_TYPE = { notype: 0, object: 1, func: 2, section: 3, file: 4 } as const;
const VISIBILITY = { default: 0, hidden: 2 } as const;
const SHN_UNDEF = 0;
const SHN_LORESERVE = 0xff00;
const SHN_ABS = 0xfff1;

const HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const RELA_BYTES = 24;

export interface SectionOptions {
  type: 'progbits' | 'note' | 'nobits';
  /** a: allocated, w: writable, x: executable, M: mergeable, S: strings. */
  flags?: string;
  align?: number;
  /** Entry size of a mergeable section. */
  entsize?: number;
  /** The contents. They may be filled in until toBytes(), which copies them. */
  bytes?: Uint8Array;
  /** Of a nobits section, which has no bytes. */
  size?: number;
}

/** A section of this object. */
export class ElfSection {
  readonly name: string;
  readonly options: SectionOptions;
  /** Its number in the file. */
  readonly index: number;
  readonly relocations: Relocation[] = [];
  /** The number of its symbol, known once the object is written. */
  symbolNumber = 0;
  constructor(name: string, options: SectionOptions, index: number) {
    this.name = name;
    this.options = options;
    this.index = index;
  }
}

export interface SymbolOptions {
  name: string;
  binding?: keyof typeof BINDING;
  visibility?: keyof typeof VISIBILITY;
  type?: 'notype' | 'object' | 'func' | 'file';
  /** Where it is defined; left out: undefined. */
  section?: ElfSection | 'absolute';
  /** Offset in the section, or the absolute value. */
  value?: number | bigint;
  size?: number;
}

/** A symbol of this object. */
export class ElfSymbol {
  options: SymbolOptions;
  /** Its number in the file, known once the object is written. */
  symbolNumber = 0;
  constructor(options: SymbolOptions) {
    this.options = options;
  }
  get isLocal(): boolean {
    return (this.options.binding ?? 'local') === 'local';
  }
}

interface Relocation {
  offset: number;
  kind: RelocationKind;
  target: ElfSection | ElfSymbol;
  addend: number;
}

interface SectionHeader {
  name: string;
  type: keyof typeof SECTION_TYPE;
  flags: number;
  offset: number;
  size: number;
  link: number;
  info: number;
  align: number;
  entsize: number;
}

export class ElfObject {
  private readonly sections: ElfSection[] = [];
  private readonly symbols: ElfSymbol[] = [];
  /** Global and weak symbols by name. */
  private readonly globals = new Map<string, ElfSymbol>();

  section(name: string, options: SectionOptions): ElfSection {
    const section = new ElfSection(name, options, this.sections.length + 1);
    this.sections.push(section);
    return section;
  }

  /** Local unless said otherwise. A global one may be declared again, but defined only once. */
  symbol(options: SymbolOptions): ElfSymbol {
    const symbol = new ElfSymbol(options);
    if (!symbol.isLocal) {
      const known = this.globals.get(options.name);
      if (known !== undefined) return define(known, options);
      this.globals.set(options.name, symbol);
    }
    this.symbols.push(symbol);
    return symbol;
  }

  /** `target` is a section (its start), a symbol, or the name of a global symbol: undefined if nothing defines it. */
  relocation(
    section: ElfSection,
    offset: number,
    kind: RelocationKind,
    target: ElfSection | ElfSymbol | string,
    addend = 0,
  ): void {
    const resolved = typeof target === 'string' ? this.symbol({ name: target, binding: 'global' }) : target;
    section.relocations.push({ offset, kind, target: resolved, addend });
  }

  toBytes(): Uint8Array {
    const strings = new StringTable();
    const symbols = new ByteWriter();
    const localCount = this.writeSymbols(symbols, strings);
    const file = new ByteWriter();
    file.append(new Uint8Array(HEADER_BYTES));
    const headers = this.sections.map((s) => writeContents(file, s));
    // Without this empty section linkers take the object to need an executable stack.
    headers.push(writeSection(file, '.note.GNU-stack', 'progbits', new Uint8Array(0), 1));
    const related = this.sections.filter((s) => s.relocations.length > 0);
    const symtab = 1 + headers.length + related.length;
    for (const s of related) headers.push(writeRelocations(file, s, symtab));
    headers.push({
      ...writeSection(file, '.symtab', 'symtab', symbols.written(), 8, SYMBOL_BYTES),
      link: symtab + 1,
      info: localCount,
    });
    headers.push(writeSection(file, '.strtab', 'strtab', strings.bytes(), 1));
    writeHeaders(file, headers);
    return file.written().slice();
  }

  /** The null symbol, file names, sections, other locals, globals. Returns how many are local. */
  private writeSymbols(out: ByteWriter, strings: StringTable): number {
    let count = 0;
    const write = (symbol: ElfSymbol, type: keyof typeof SYMBOL_TYPE = symbol.options.type ?? 'notype') => {
      writeSymbol(out, strings, symbol.options, type);
      return count++;
    };
    write(new ElfSymbol({ name: '' }));
    const locals = this.symbols.filter((s) => s.isLocal);
    const isFile = (s: ElfSymbol) => s.options.type === 'file';
    for (const s of locals.filter(isFile)) s.symbolNumber = write(s);
    for (const s of this.sections) {
      s.symbolNumber = write(new ElfSymbol({ name: '', section: s }), 'section');
    }
    for (const s of locals.filter((s) => !isFile(s))) s.symbolNumber = write(s);
    const localCount = count;
    for (const s of this.globals.values()) s.symbolNumber = write(s);
    return localCount;
  }
}

/** Makes a declared symbol a defined one if `options` defines it. */
function define(known: ElfSymbol, options: SymbolOptions): ElfSymbol {
  if (options.section === undefined) return known;
  if (known.options.section !== undefined) throw new Error(`elf: symbol '${options.name}' is defined twice`);
  known.options = options;
  return known;
}

function writeSymbol(
  out: ByteWriter,
  strings: StringTable,
  symbol: SymbolOptions,
  type: keyof typeof SYMBOL_TYPE,
): void {
  const { section } = symbol;
  out.u32(strings.add(symbol.name));
  out.u8((BINDING[symbol.binding ?? 'local'] << 4) | SYMBOL_TYPE[type]);
  out.u8(VISIBILITY[symbol.visibility ?? 'default']);
  if (section === 'absolute' || type === 'file') out.u16(SHN_ABS);
  else out.u16(section?.index ?? SHN_UNDEF);
  out.u64(symbol.value ?? 0);
  out.u64(symbol.size ?? 0);
}

function writeContents(file: ByteWriter, section: ElfSection): SectionHeader {
  const { type, flags = '', align = 1, entsize = 0, bytes, size = 0 } = section.options;
  const header = writeSection(file, section.name, type, bytes ?? new Uint8Array(0), align, entsize);
  for (const letter of flags) header.flags |= SECTION_FLAG[letter];
  if (type === 'nobits') header.size = size;
  return header;
}

function writeRelocations(file: ByteWriter, section: ElfSection, symtab: number): SectionHeader {
  const out = new ByteWriter();
  for (const r of section.relocations) {
    out.u64(r.offset);
    out.u32(RELOCATION_TYPE[r.kind]);
    out.u32(r.target.symbolNumber);
    out.u64(r.addend);
  }
  const header = writeSection(file, `.rela${section.name}`, 'rela', out.written(), 8, RELA_BYTES);
  return { ...header, flags: INFO_LINK, link: symtab, info: section.index };
}

function writeSection(
  file: ByteWriter,
  name: string,
  type: keyof typeof SECTION_TYPE,
  bytes: Uint8Array,
  align: number,
  entsize = 0,
): SectionHeader {
  file.alignTo(align);
  const header = { name, type, flags: 0, offset: file.length, size: bytes.length };
  file.append(bytes);
  return { ...header, link: 0, info: 0, align, entsize };
}

/** Section names, section headers, and the file's header at the start. */
function writeHeaders(file: ByteWriter, headers: SectionHeader[]): void {
  const names = new StringTable();
  for (const h of headers) names.add(h.name);
  names.add('.shstrtab');
  headers.push(writeSection(file, '.shstrtab', 'strtab', names.bytes(), 1));
  const count = headers.length + 1;
  if (count >= SHN_LORESERVE) throw new Error(`elf: ${count} sections, more than ${SHN_LORESERVE}`);
  file.alignTo(8);
  const at = file.length;
  file.append(new Uint8Array(SECTION_HEADER_BYTES));
  for (const h of headers) writeSectionHeader(file, h, names.add(h.name));
  file.overwrite(0, fileHeader(at, count));
}

function writeSectionHeader(file: ByteWriter, h: SectionHeader, name: number): void {
  file.u32(name);
  file.u32(SECTION_TYPE[h.type]);
  file.u64(h.flags);
  file.u64(0); // address
  file.u64(h.offset);
  file.u64(h.size);
  file.u32(h.link);
  file.u32(h.info);
  file.u64(h.align);
  file.u64(h.entsize);
}

function fileHeader(sectionHeaders: number, sectionCount: number): Uint8Array {
  const out = new ByteWriter();
  for (const byte of [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]) out.u8(byte); // ELF, 64 bits, little-endian, System V
  out.u64(0);
  out.u16(1); // ET_REL
  out.u16(62); // EM_X86_64
  out.u32(1);
  out.u64(0); // entry
  out.u64(0); // program headers
  out.u64(sectionHeaders);
  out.u32(0);
  out.u16(HEADER_BYTES);
  out.u16(0);
  out.u16(0);
  out.u16(SECTION_HEADER_BYTES);
  out.u16(sectionCount);
  out.u16(sectionCount - 1);
  return out.written();
}
