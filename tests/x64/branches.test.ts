// Branches and relocations: the sizes that relaxation chooses are those of GNU as, every branch reaches its label,
// and offsets are right after the code has moved.

import { describe, expect, it } from 'vitest';
import { Assembler, type Cond, type Label, type Mem } from '../../build/x64/asm.ts';
import { COND } from '../../build/x64/encode-tables.ts';
import { withSource } from './gnu-as.ts';

const CONDS = Object.keys(COND) as Cond[];

/** Numbers from 0 up to `below`, the same for the same seed (xorshift32). */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

type Part =
  | { kind: 'fill'; bytes: number }
  | { kind: 'label'; label: number }
  | { kind: 'jmp'; label: number }
  | { kind: 'jcc'; cond: Cond; label: number }
  | { kind: 'align'; bytes: number };

/** Labels between fillings whose sizes make many distances lie near the borders of 8 bits. */
function randomParts(next: (below: number) => number, count: number, alignments: boolean): Part[] {
  const labels = Math.max(1, Math.floor(count / 4));
  const parts: Part[] = Array.from({ length: labels }, (_, label) => ({ kind: 'label', label }));
  const near = (at: number) =>
    Math.min(labels - 1, Math.max(0, Math.floor((at * labels) / count) + next(5) - 2));
  for (let i = parts.length; i < count; i++) {
    const at = next(parts.length + 1);
    const choice = next(8);
    const label = near(at);
    if (choice < 3) parts.splice(at, 0, { kind: 'fill', bytes: [1, 3, 30, 60, 110, 120][next(6)] + next(9) });
    else if (choice < 7) parts.splice(at, 0, { kind: 'jcc', cond: CONDS[next(16)], label });
    else if (alignments && next(3) === 0) parts.splice(at, 0, { kind: 'align', bytes: [8, 16, 32][next(3)] });
    else parts.splice(at, 0, { kind: 'jmp', label });
  }
  return parts;
}

function encode(parts: Part[]) {
  const asm = new Assembler();
  const labels: Label[] = [];
  for (const p of parts) if (p.kind === 'label') labels[p.label] = asm.newLabel();
  const marks = parts.map((p) => {
    if (p.kind === 'align') asm.align(p.bytes);
    const mark = asm.mark();
    if (p.kind === 'fill') for (let i = 0; i < p.bytes; i++) asm.cld();
    else if (p.kind === 'label') asm.bind(labels[p.label]);
    else if (p.kind === 'jmp') asm.jmp(labels[p.label]);
    else if (p.kind === 'jcc') asm.jcc(p.cond, labels[p.label]);
    return mark;
  });
  const { code, offsetOf } = asm.finish();
  return { code, offsets: marks.map(offsetOf), targets: labels.map(offsetOf) };
}

function text(part: Part): string {
  if (part.kind === 'fill') return `.fill ${part.bytes}, 1, 0xfc`;
  if (part.kind === 'label') return `.L${part.label}:`;
  if (part.kind === 'align') return `.balign ${part.bytes}`;
  return `${part.kind === 'jmp' ? 'jmp' : `j${part.cond}`} .L${part.label}`;
}

/** Where the branch at `at` goes, or undefined if there is none. */
function branchTarget(code: Uint8Array, at: number): number | undefined {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const opcode = code[at];
  if (opcode === 0xeb || opcode >> 4 === 7) return at + 2 + view.getInt8(at + 1);
  if (opcode === 0xe9) return at + 5 + view.getInt32(at + 1, true);
  if (opcode === 0x0f && code[at + 1] >> 4 === 8) return at + 6 + view.getInt32(at + 2, true);
  return undefined;
}

describe('branches', () => {
  const seed = Number(process.env.YAOS_SEED ?? 1);
  const asCommands = [
    ['as', '-o', 'a.o', 'a.s'],
    ['objcopy', '-O', 'binary', '-j', '.text', 'a.o', 'a.bin'],
  ];

  it(`have the sizes that as gives them (YAOS_SEED=${seed})`, () => {
    const next = random(seed);
    for (const count of [1, 2, 10, 40, 200, 3000, 3000]) {
      const parts = randomParts(next, count, false);
      const theirs = withSource(`${parts.map(text).join('\n')}\n`, asCommands, 'a.bin');
      expect(theirs.equals(encode(parts).code), `${count} parts`).toBe(true);
    }
  });

  it('change from short to long at the same distance as in as', () => {
    for (const kind of ['jmp', 'jcc'] as const) {
      for (let bytes = 118; bytes <= 134; bytes++) {
        const branch: Part = { kind, cond: 'ne', label: 0 };
        const fill: Part = { kind: 'fill', bytes };
        for (const parts of [
          [{ kind: 'label', label: 0 } as Part, fill, branch],
          [branch, fill, { kind: 'label', label: 0 } as Part],
        ]) {
          const { code } = encode(parts);
          const forward = parts[0] === branch;
          const fits = forward ? bytes <= 127 : bytes + 2 <= 128;
          expect(code.length - bytes).toBe(fits ? 2 : kind === 'jmp' ? 5 : 6);
        }
      }
    }
  });

  it(`reach their labels across alignments, which hold (YAOS_SEED=${seed})`, () => {
    const next = random(seed);
    for (const count of [10, 50, 400, 400, 2000]) {
      const parts = randomParts(next, count, true);
      const { code, offsets, targets } = encode(parts);
      const expected = parts.map((p) =>
        p.kind === 'jmp' || p.kind === 'jcc' ? targets[p.label] : undefined,
      );
      for (const [i, p] of parts.entries()) {
        if (p.kind === 'jmp' || p.kind === 'jcc') expect(branchTarget(code, offsets[i])).toBe(expected[i]);
        if (p.kind === 'label') expect(targets[p.label]).toBe(offsets[i]);
        if (p.kind === 'align') expect(offsets[i] % p.bytes).toBe(0);
        if (p.kind === 'fill')
          expect(code.subarray(offsets[i], offsets[i] + p.bytes).every((b) => b === 0xfc)).toBe(true);
      }
    }
  });

  it('grow one after the other in a long chain', () => {
    // Each branch just reaches, until the one that it spans grows; the last one does not reach.
    const count = 100_000;
    const parts: Part[] = [];
    for (let i = 0; i < count; i++) {
      parts.push({ kind: 'jmp', label: i });
      if (i > 0) parts.push({ kind: 'label', label: i - 1 });
      parts.push({ kind: 'fill', bytes: 125 });
    }
    parts.push({ kind: 'fill', bytes: 200 }, { kind: 'label', label: count - 1 });
    expect(encode(parts).code.length).toBe(count * 130 + 200);
  });

  it('to labels that are bound nowhere, and labels bound twice, are errors', () => {
    const asm = new Assembler();
    const label = asm.newLabel();
    asm.jmp(label);
    expect(() => asm.finish()).toThrow('bound nowhere');
    asm.bind(label);
    expect(() => asm.bind(label)).toThrow('bound twice');
  });
});

describe('padding', () => {
  it('of every length decodes as no-operations', () => {
    const asm = new Assembler();
    const lengths = Array.from({ length: 40 }, (_, i) => i);
    for (const n of lengths) {
      asm.nop(n);
      asm.ret();
    }
    const bytes = Array.from(asm.finish().code).join(', ');
    const commands = [
      ['as', '-o', 'a.o', 'a.s'],
      ['sh', '-c', 'objdump -d --no-show-raw-insn a.o > a.txt'],
    ];
    const listing = withSource(`.byte ${bytes}\n`, commands, 'a.txt').toString();
    const mnemonics = [...listing.matchAll(/^\s+[0-9a-f]+:\s+(.*?)\s*$/gm)].map((m) => m[1]);
    expect(mnemonics.filter((m) => m === 'ret').length).toBe(lengths.length);
    for (const m of mnemonics) expect(m).toMatch(/^(ret|nop[wl]? .*|nop|xchg +%ax,%ax|cs nopw .*)$/);
  });
});

describe('relocations', () => {
  it('are those of as, for operands with and without immediates behind them', () => {
    const asm = new Assembler();
    const m: Mem = { base: -1, index: -1, scale: 1, disp: 8, sym: 'symbol' };
    const indexed: Mem = { base: -1, index: 1, scale: 8, disp: 16, sym: 'table' };
    const far = asm.newLabel();
    asm.jcc('ne', far);
    asm.load(0, m, 4, false, 4);
    asm.aluImm('add', 4, m, 5);
    asm.aluImm('add', 8, m, 500);
    asm.testImm(1, m, 1);
    asm.storeImm(m, 1, 2);
    asm.storeImm(m, 1, 8);
    asm.shift('shl', 4, m, 3);
    asm.imulImm(4, 1, m, 1000);
    asm.bt(4, m, 3);
    asm.sse('roundsd', 16, m, 3);
    asm.callSym('function');
    asm.jmpSym('function');
    asm.jmpRm(indexed);
    for (let i = 0; i < 130; i++) asm.cld();
    asm.bind(far);
    const { code, relocs } = asm.finish();

    const source = `.intel_syntax noprefix
      jne .Lfar
      mov eax, dword ptr [rip + symbol + 8]
      add dword ptr [rip + symbol + 8], 5
      add qword ptr [rip + symbol + 8], 500
      test byte ptr [rip + symbol + 8], 1
      mov word ptr [rip + symbol + 8], 1
      mov qword ptr [rip + symbol + 8], 1
      shl dword ptr [rip + symbol + 8], 3
      imul ecx, dword ptr [rip + symbol + 8], 1000
      bt dword ptr [rip + symbol + 8], 3
      roundsd xmm0, qword ptr [rip + symbol + 8], 3
      call function
      jmp function
      jmp qword ptr [rcx*8 + table + 16]
      .fill 130, 1, 0xfc
      .Lfar:\n`;
    const readelf = [
      ['as', '-o', 'a.o', 'a.s'],
      ['sh', '-c', 'readelf -rW a.o > a.txt; objcopy -O binary -j .text a.o a.bin'],
    ];
    const kinds: Record<string, string> = {
      R_X86_64_PC32: 'pc32',
      R_X86_64_PLT32: 'plt32',
      R_X86_64_32S: 'abs32s',
    };
    const listing = withSource(source, readelf, 'a.txt').toString();
    const theirs = [...listing.matchAll(/^([0-9a-f]+) .* (R_\w+) +0+ (\w+) ([+-]) ([0-9a-f]+)$/gm)].map(
      (r) => ({
        offset: Number.parseInt(r[1], 16),
        kind: kinds[r[2]],
        sym: r[3],
        addend: Number.parseInt(`${r[4]}${r[5]}`, 16),
      }),
    );
    const ours = relocs.map(({ offset, kind, sym, addend }) => ({ offset, kind, sym, addend }));
    expect(ours).toEqual(theirs.toSorted((a, b) => a.offset - b.offset));
    expect(withSource(source, readelf, 'a.bin').equals(code)).toBe(true);
  });
});

describe('what cannot be encoded', () => {
  it('is an error', () => {
    const asm = new Assembler();
    expect(() => asm.load(0, { base: 0, index: 4, scale: 2, disp: 0 }, 4, false, 4)).toThrow(
      'rsp as the index',
    );
    expect(() => asm.load(0, { base: 0, index: -1, scale: 1, disp: 2 ** 31 }, 4, false, 4)).toThrow(
      'displacement',
    );
    expect(() => asm.aluImm('add', 8, 0, 2 ** 31)).toThrow('immediate 2147483648');
    expect(() => asm.mov(8, 0, -1)).toThrow('no register');
    expect(() => asm.alu('add', 8, -1, 0)).toThrow('no register');
    expect(() => asm.sse('addsd', 16, 3)).toThrow('addsd of integer register 3');
  });
});
