// Reader of ELF64 x86-64 files (System V gABI chapters 4 and 5): header, segments, sections, symbols. The file is not
// trusted: every offset, size, count and link is checked before it is used, and the error says which one is wrong.

const SYMTAB = 2;
const STRTAB = 3;
const NOBITS = 8;
const X86_64 = 62;
const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const NAME_BYTES_MAX = 65536;

const utf8 = new TextDecoder();

/** What is wrong with the file: one line, the caller adds the file's name. */
export class ElfError extends Error {
  override name = 'ElfError';
}

export interface ElfFile {
  /** 1 relocatable, 2 executable, 3 shared or position-independent. */
  type: number;
  entry: bigint;
  segments: Segment[];
  sections: Section[];
  /** Of .symtab, without the null symbol; none in a stripped file. */
  symbols: SymbolEntry[];
}

export interface Segment {
  /** 1: PT_LOAD. */
  type: number;
  /** 1 executable, 2 writable, 4 readable. */
  flags: number;
  vaddr: bigint;
  paddr: bigint;
  /** Size in memory; what `contents` lacks is zero. */
  memsz: bigint;
  align: bigint;
  contents: Uint8Array;
}

export interface Section {
  name: string;
  type: number;
  /** 1 writable, 2 allocated, 4 executable; the others as in the gABI. */
  flags: bigint;
  addr: bigint;
  size: bigint;
  link: number;
  info: number;
  align: bigint;
  entsize: bigint;
  /** Empty for a section without bytes in the file. */
  contents: Uint8Array;
}

export interface SymbolEntry {
  name: string;
  value: bigint;
  size: bigint;
  /** 0 local, 1 global, 2 weak. */
  binding: number;
  /** 0 none, 1 object, 2 function, 3 section, 4 file. */
  type: number;
  /** 0 default, 2 hidden. */
  visibility: number;
  /** Number of its section; 0 undefined, 0xfff1 absolute. */
  section: number;
}

export function readElf(bytes: Uint8Array): ElfFile {
  const view = viewOf(bytes);
  if (bytes.length < HEADER_BYTES || view.getUint32(0) !== 0x7f454c46) throw new ElfError('not an ELF file');
  // Class 64 bits, little-endian, version 1.
  if (view.getUint32(4) >>> 8 !== 0x020101 || view.getUint16(18, true) !== X86_64) {
    throw new ElfError('not a little-endian ELF64 file for x86-64');
  }
  const sections = readSections(bytes, view);
  return {
    type: view.getUint16(16, true),
    entry: view.getBigUint64(24, true),
    segments: readSegments(bytes, view),
    sections,
    symbols: readSymbols(sections),
  };
}

function readSegments(bytes: Uint8Array, header: DataView): Segment[] {
  const count = header.getUint16(56, true);
  if (count === 0) return [];
  checkEntryBytes('program header', header.getUint16(54, true), SEGMENT_BYTES);
  const table = part(bytes, header.getBigUint64(32, true), BigInt(count * SEGMENT_BYTES), 'program headers');
  return Array.from({ length: count }, (_, i) => {
    const view = viewOf(table, i * SEGMENT_BYTES);
    const [offset, vaddr, paddr, filesz, memsz, align] = [8, 16, 24, 32, 40, 48].map((at) =>
      view.getBigUint64(at, true),
    );
    if (memsz < filesz) throw new ElfError(`segment ${i} is smaller in memory than in the file`);
    const contents = part(bytes, offset, filesz, `segment ${i}`);
    return {
      type: view.getUint32(0, true),
      flags: view.getUint32(4, true),
      vaddr,
      paddr,
      memsz,
      align,
      contents,
    };
  });
}

function readSections(bytes: Uint8Array, header: DataView): Section[] {
  const count = header.getUint16(60, true);
  if (count === 0) return [];
  checkEntryBytes('section header', header.getUint16(58, true), SECTION_BYTES);
  const table = part(bytes, header.getBigUint64(40, true), BigInt(count * SECTION_BYTES), 'section headers');
  const sections = Array.from({ length: count }, (_, i) =>
    readSection(bytes, viewOf(table, i * SECTION_BYTES), i),
  );
  const names = stringTable(sections, header.getUint16(62, true), 'the section names');
  for (const [i, section] of sections.entries()) {
    section.name = nameAt(names, viewOf(table, i * SECTION_BYTES).getUint32(0, true), `section ${i}`);
  }
  return sections;
}

function readSection(bytes: Uint8Array, view: DataView, i: number): Section {
  const [flags, addr, offset, size, align, entsize] = [8, 16, 24, 32, 48, 56].map((at) =>
    view.getBigUint64(at, true),
  );
  const type = view.getUint32(4, true);
  const [link, info] = [view.getUint32(40, true), view.getUint32(44, true)];
  const hasBytes = type !== 0 && type !== NOBITS;
  const contents = hasBytes ? part(bytes, offset, size, `section ${i}`) : new Uint8Array(0);
  return { name: '', type, flags, addr, size, link, info, align, entsize, contents };
}

function readSymbols(sections: Section[]): SymbolEntry[] {
  const symtab = sections.find((s) => s.type === SYMTAB);
  if (symtab === undefined) return [];
  checkEntryBytes('symbol', Number(symtab.entsize), SYMBOL_BYTES);
  const { contents } = symtab;
  if (contents.length % SYMBOL_BYTES !== 0) throw new ElfError('the symbol table ends inside a symbol');
  const names = stringTable(sections, symtab.link, 'the symbol names');
  const view = viewOf(contents);
  const symbols: SymbolEntry[] = [];
  for (let at = SYMBOL_BYTES; at < contents.length; at += SYMBOL_BYTES) {
    const section = view.getUint16(at + 6, true);
    if (section >= sections.length && section < 0xff00) {
      throw new ElfError(`symbol ${at / SYMBOL_BYTES} is in section ${section}, which does not exist`);
    }
    symbols.push({
      name: nameAt(names, view.getUint32(at, true), `symbol ${at / SYMBOL_BYTES}`),
      value: view.getBigUint64(at + 8, true),
      size: view.getBigUint64(at + 16, true),
      binding: view.getUint8(at + 4) >> 4,
      type: view.getUint8(at + 4) & 15,
      visibility: view.getUint8(at + 5) & 3,
      section,
    });
  }
  return symbols;
}

function viewOf(bytes: Uint8Array, at = 0): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at);
}

function part(bytes: Uint8Array, offset: bigint, size: bigint, what: string): Uint8Array {
  if (offset + size > BigInt(bytes.length)) {
    throw new ElfError(
      `${what}: ${size} bytes at offset ${offset} do not lie in the file's ${bytes.length} bytes`,
    );
  }
  return bytes.subarray(Number(offset), Number(offset + size));
}

function checkEntryBytes(what: string, found: number, wanted: number): void {
  if (found !== wanted) throw new ElfError(`a ${what} has ${found} bytes instead of ${wanted}`);
}

function stringTable(sections: Section[], index: number, what: string): Uint8Array {
  const table = sections[index];
  if (table?.type !== STRTAB) throw new ElfError(`${what} are in section ${index}, which is no string table`);
  return table.contents;
}

function nameAt(table: Uint8Array, offset: number, what: string): string {
  const end = table.subarray(0, offset + NAME_BYTES_MAX).indexOf(0, offset);
  if (offset >= table.length || end < 0)
    throw new ElfError(`the name of ${what} does not end in its string table`);
  return utf8.decode(table.subarray(offset, end));
}
