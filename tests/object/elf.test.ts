// The ELF writer: what readelf, nm and objdump read, what ld links and the machine runs. The reader: what it says of
// files that other tools made, and that damaged files are errors.

import { describe, expect, it } from 'vitest';
import { ElfObject } from '../../build/object/elf.ts';
import { ElfError, readElf } from '../../build/object/elf-reader.ts';
import { Assembler } from '../../build/x64/asm.ts';
import { inFolder } from './binutils.ts';

const RAX = 0;
const RDI = 7;

/** Each field kind of relocation, against sections, local, global and outside symbols. */
function sampleObject(): Uint8Array {
  const elf = new ElfObject();
  elf.symbol({ name: 'sample.ts', type: 'file' });
  const asm = new Assembler();
  asm.alu('xor', 4, RAX, RAX);
  asm.load(RDI, { base: -1, index: -1, scale: 1, disp: 0, sym: 'pointer' }, 8, false, 8);
  asm.jmpSym('puts');
  const { code, relocs } = asm.finish();
  const text = elf.section('.text', { type: 'progbits', flags: 'ax', align: 16, bytes: code });
  const rodata = elf.section('.rodata.str1.1', {
    type: 'progbits',
    flags: 'aMS',
    entsize: 1,
    bytes: new TextEncoder().encode('hidden\0seen\0'),
  });
  const data = elf.section('.data', { type: 'progbits', flags: 'aw', align: 8, bytes: new Uint8Array(16) });
  elf.section('.bss', { type: 'nobits', flags: 'aw', align: 4096, size: 12288 });
  for (const r of relocs) elf.relocation(text, r.offset, r.kind, r.sym, r.addend);
  elf.symbol({ name: 'say', binding: 'global', type: 'func', section: text, size: code.length });
  const seen = elf.symbol({ name: 'seen', type: 'object', section: rodata, value: 7, size: 5 });
  elf.symbol({
    name: 'pointer',
    binding: 'global',
    visibility: 'hidden',
    type: 'object',
    section: data,
    size: 8,
  });
  elf.relocation(data, 0, 'abs64', seen);
  elf.relocation(data, 8, 'abs64', text, 2);
  elf.symbol({ name: 'maybe', binding: 'weak' });
  elf.symbol({ name: 'constant', binding: 'global', section: 'absolute', value: 0xffffffff80000000n });
  return elf.toBytes();
}

describe('the ELF writer', () => {
  it('makes objects that readelf lists as meant, without a warning', () => {
    inFolder(({ write, run }) => {
      write('a.o', sampleObject());
      const sections = run('readelf', '-SW', 'a.o');
      expect(sections).toMatch(/\.text +PROGBITS +0+ \S+ 0+e 00 +AX +0 +0 16/);
      expect(sections).toMatch(/\.rodata\.str1\.1 +PROGBITS +0+ \S+ 0+c 01 AMS +0 +0 +1/);
      expect(sections).toMatch(/\.bss +NOBITS +0+ \S+ 003000 00 +WA +0 +0 4096/);
      expect(sections).toMatch(/\.note\.GNU-stack +PROGBITS +0+ \S+ 000000 00 +0 +0 +1/);
      expect(sections).toMatch(/\.rela\.text +RELA .* 18 +I +8 +1 +8/);

      const symbols = run('readelf', '-sW', 'a.o');
      expect(symbols).toMatch(/FILE +LOCAL +DEFAULT +ABS sample\.ts/);
      expect(symbols).toMatch(/0+7 +5 OBJECT +LOCAL +DEFAULT +2 seen/);
      expect(symbols).toMatch(/0+ +14 FUNC +GLOBAL DEFAULT +1 say/);
      expect(symbols).toMatch(/OBJECT +GLOBAL HIDDEN +3 pointer/);
      expect(symbols).toMatch(/WEAK +DEFAULT +UND maybe/);
      expect(symbols).toMatch(/ffffffff80000000 +0 NOTYPE +GLOBAL DEFAULT +ABS constant/);
      expect(symbols).toMatch(/GLOBAL DEFAULT +UND puts/);

      const relocations = run('objdump', '-r', 'a.o');
      expect(relocations).toMatch(/0+5 R_X86_64_PC32 +pointer-0x0+4/);
      expect(relocations).toMatch(/0+a R_X86_64_PLT32 +puts-0x0+4/);
      expect(relocations).toMatch(/0+ R_X86_64_64 +seen$/m);
      expect(relocations).toMatch(/0+8 R_X86_64_64 +\.text\+0x0+2$/m);
      expect(run('sh', '-c', 'readelf -aW a.o 2>&1 >/dev/null')).toBe('');
    });
  });

  it('makes objects that link and run', () => {
    inFolder(({ write, run }) => {
      write('a.o', sampleObject());
      write('main.c', 'int say(void); int main(void) { say(); return 0; }\n');
      run('gcc', '-Wl,--fatal-warnings', '-o', 'program', 'main.c', 'a.o');
      expect(run('./program')).toBe('seen\n');
      expect(run('readelf', '-lW', 'program')).toMatch(/GNU_STACK.* RW /);
    });
  });

  it('writes 32-bit absolute relocations', () => {
    const elf = new ElfObject();
    const data = elf.section('.data', { type: 'progbits', flags: 'aw', bytes: new Uint8Array(8) });
    elf.relocation(data, 0, 'abs32', 'low', 1);
    elf.relocation(data, 4, 'abs32s', 'high', -1);
    inFolder(({ write, read, run }) => {
      write('a.o', elf.toBytes());
      const link = '--defsym=low=0xfffffff0 --defsym=high=0xffffffff80000001 -e 0 -Ttext 0x1000 -o out a.o';
      run('ld', ...link.split(' '));
      const linked = readElf(read('out')).sections.find((s) => s.name === '.data');
      expect(Array.from(linked!.contents)).toEqual([0xf1, 0xff, 0xff, 0xff, 0, 0, 0, 0x80]);
    });
  });

  it('writes tens of thousands of symbols with long names', () => {
    const elf = new ElfObject();
    const text = elf.section('.text', { type: 'progbits', flags: 'ax', bytes: new Uint8Array(40_000) });
    const name = (i: number) => `lib/${'folder/'.repeat(20)}é#${i % 30_000}`;
    for (let i = 0; i < 40_000; i++)
      elf.symbol({ name: name(i), type: 'func', section: text, value: i, size: 1 });
    const bytes = elf.toBytes();
    const { symbols, sections } = readElf(bytes);
    const functions = symbols.filter((s) => s.type === 2);
    expect(functions.length).toBe(40_000);
    expect(functions[39_999].name).toBe(name(39_999));
    // Equal names are kept once.
    expect(Number(sections.find((s) => s.name === '.strtab')?.size)).toBeLessThan(30_000 * 160);
    const listing = inFolder(({ write, run }) => {
      write('a.o', bytes);
      return run('nm', '-v', 'a.o');
    });
    const lines = listing.trim().split('\n');
    expect(lines.length).toBe(40_000);
    expect(lines[12_345]).toBe(`0000000000003039 t ${name(12_345)}`);
  });

  it('keeps a name with a NUL in one piece, and refuses two definitions', () => {
    const elf = new ElfObject();
    const text = elf.section('.text', { type: 'progbits', flags: 'ax' });
    elf.symbol({ name: 'a\0b', section: text });
    expect(readElf(elf.toBytes()).symbols.at(-1)?.name).toBe('a\\0b');
    elf.symbol({ name: 'f', binding: 'global', section: text });
    elf.symbol({ name: 'f', binding: 'global' });
    expect(() => elf.symbol({ name: 'f', binding: 'global', section: text })).toThrow(
      "symbol 'f' is defined twice",
    );
  });
});

describe('the ELF reader', () => {
  it('reads an executable as readelf does', () => {
    inFolder(({ write, read, run }) => {
      write('main.c', 'int answer = 42; int zero[100]; int main(void) { return answer - 42; }\n');
      run('gcc', '-no-pie', '-o', 'program', 'main.c');
      const file = readElf(read('program'));
      const number = (pattern: RegExp, text: string) =>
        text
          .match(pattern)
          ?.slice(1)
          .map((n) => BigInt(`0x${n}`));
      expect([file.entry]).toEqual(number(/Entry point address: +0x(\w+)/, run('readelf', '-h', 'program')));
      expect(file.type).toBe(2);

      const segments = [
        ...run('readelf', '-lW', 'program').matchAll(/LOAD +0x\w+ 0x(\w+) 0x(\w+) 0x(\w+) 0x(\w+)/g),
      ];
      const loads = file.segments.filter((s) => s.type === 1);
      expect(loads.map((s) => [s.vaddr, s.paddr, BigInt(s.contents.length), s.memsz])).toEqual(
        segments.map((m) => m.slice(1).map((n) => BigInt(`0x${n}`))),
      );

      const nm = run('nm', '-S', 'program');
      const answer = file.symbols.find((s) => s.name === 'answer')!;
      expect([answer.value, answer.size]).toEqual(number(/(\w+) (\w+) D answer/, nm));
      const data = file.sections[answer.section];
      expect(data.name).toBe('.data');
      const at = Number(answer.value - data.addr);
      expect(Array.from(data.contents.subarray(at, at + 4))).toEqual([42, 0, 0, 0]);
      expect(file.sections.find((s) => s.name === '.bss')?.contents.length).toBe(0);
    });
  });

  it('refuses what is no ELF64 file for x86-64', () => {
    const bytes = sampleObject();
    const changed = (at: number, value: number) => bytes.with(at, value);
    expect(() => readElf(new Uint8Array(0))).toThrow('not an ELF file');
    expect(() => readElf(changed(0, 0))).toThrow('not an ELF file');
    expect(() => readElf(changed(4, 1))).toThrow('not a little-endian ELF64 file');
    expect(() => readElf(changed(18, 3))).toThrow('not a little-endian ELF64 file');
    expect(() => readElf(changed(58, 63))).toThrow('a section header has 63 bytes instead of 64');
    expect(() => readElf(changed(47, 0xff))).toThrow('section headers: ');
    expect(() => readElf(changed(62, 1))).toThrow(
      'the section names are in section 1, which is no string table',
    );
  });

  it('reads or refuses every truncated or changed file', () => {
    const bytes = sampleObject();
    const outcome = (file: Uint8Array) => {
      try {
        readElf(file);
      } catch (error) {
        if (!(error instanceof ElfError)) throw error;
      }
    };
    for (let length = 0; length < bytes.length; length++) outcome(bytes.subarray(0, length));
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 0x7f, 0xff]) outcome(bytes.with(at, value));
    }
  });
});
