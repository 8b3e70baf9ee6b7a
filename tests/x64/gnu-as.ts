// The encoder's oracle: GNU as. Also the text that it reads: registers and memory operands in Intel syntax.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Assembler, type Mem } from '../../build/x64/asm.ts';

const LOW = ['a', 'c', 'd', 'b'];
const HIGH = ['sp', 'bp', 'si', 'di'];

/** The name of an integer register of a size in bytes, or of an xmm register. */
export function reg(r: number, size = 8): string {
  if (r >= 16) return `xmm${r - 16}`;
  if (r >= 8) return `r${r}${{ 1: 'b', 2: 'w', 4: 'd', 8: '' }[size]}`;
  if (size === 1) return r < 4 ? `${LOW[r]}l` : `${HIGH[r - 4]}l`;
  const name = r < 4 ? `${LOW[r]}x` : HIGH[r - 4];
  return { 2: '', 4: 'e', 8: 'r' }[size] + name;
}

const POINTER = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword', 16: 'xmmword' };

/** The form of the address that takes the fewest bytes, of `size` bytes of memory (0: as lea wants it). */
export function mem(m: Mem, size: number): string {
  const pointer = size === 0 ? '' : `${POINTER[size as 1]} ptr `;
  if (m.sym !== undefined && m.base < 0 && m.index < 0) return `${pointer}[rip + ${m.sym} + ${m.disp}]`;
  let { base, index, scale } = m;
  if (base < 0 && index >= 0 && scale < 4) [base, index, scale] = [index, scale === 2 ? index : -1, 1];
  const isRbp = (r: number) => r === 5 || r === 13;
  if (scale === 1 && isRbp(base) && index >= 0 && !isRbp(index) && m.disp === 0 && m.sym === undefined) {
    [base, index] = [index, base];
  }
  const terms = [];
  if (base >= 0) terms.push(reg(base));
  if (index >= 0) terms.push(`${reg(index)}*${scale}`);
  if (m.sym !== undefined) terms.push(m.sym);
  terms.push(m.disp);
  return `${pointer}[${terms.join(' + ')}]`;
}

export interface Case {
  text: string;
  encode(asm: Assembler): void;
}

/** Runs binutils in a fresh folder, where `source` is a.s, and returns the folder's file `result`. */
export function withSource(source: string, commands: string[][], result: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'yaos-as-'));
  try {
    writeFileSync(join(folder, 'a.s'), source);
    for (const [command, ...args] of commands) execFileSync(command, args, { cwd: folder });
    return readFileSync(join(folder, result));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Throws on the first case whose bytes are not those of as. */
export function compareWithAs(cases: Case[]): void {
  const source = `.intel_syntax noprefix\n.text\n${cases.map((c) => c.text).join('\n')}\n`;
  const commands = [
    ['as', '-o', 'a.o', 'a.s'],
    ['objcopy', '-O', 'binary', '-j', '.text', 'a.o', 'a.bin'],
  ];
  const theirs = withSource(source, commands, 'a.bin');
  let at = 0;
  for (const c of cases) {
    const asm = new Assembler();
    c.encode(asm);
    const { code } = asm.finish();
    const expected = theirs.subarray(at, at + code.length);
    if (!expected.equals(code)) {
      throw new Error(`${c.text}: encoded as ${hex(code)}, by as ${hex(theirs.subarray(at, at + 15))}…`);
    }
    at += code.length;
  }
  if (at !== theirs.length) throw new Error(`as wrote ${theirs.length - at} bytes more`);
}
