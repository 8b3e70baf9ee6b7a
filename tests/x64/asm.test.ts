// Every method of the encoder against GNU as: the same bytes for all registers and all shapes of memory operands.

import { describe, it } from 'vitest';
import type { AluOp, Cond, Mem, RM, ShiftOp, SseOp } from '../../build/x64/asm.ts';
import {
  ALU,
  COND,
  SHIFT,
  SSE,
  SSE_SHIFT_IMM,
  SSE_STORE,
  UNARY,
  type UnaryOp,
} from '../../build/x64/encode-tables.ts';
import { type Case, compareWithAs, mem, reg } from './gnu-as.ts';

const GPRS = Array.from({ length: 16 }, (_, i) => i);
const XMMS = GPRS.map((r) => r + 16);
const RSP = 4;
const SIZES = [1, 2, 4, 8];
const WIDE = [2, 4, 8];
const TWO = [4, 8] as const;
const DISPS = [0, 1, -1, 127, 128, -128, -129, 0x7fffffff, -0x80000000];

/** One of each shape that the encoding treats differently. */
const MEMS: Mem[] = [
  { base: 0, index: -1, scale: 1, disp: 0 },
  { base: 7, index: -1, scale: 1, disp: 0x70 },
  { base: 4, index: -1, scale: 1, disp: 8 },
  { base: 12, index: -1, scale: 1, disp: 0x1234 },
  { base: 5, index: -1, scale: 1, disp: 0 },
  { base: 13, index: -1, scale: 1, disp: 0 },
  { base: 3, index: 9, scale: 4, disp: -5 },
  { base: 14, index: 1, scale: 8, disp: 0x12345678 },
  { base: -1, index: 15, scale: 8, disp: 0x100 },
  { base: -1, index: -1, scale: 1, disp: 0x1000 },
  { base: -1, index: -1, scale: 1, disp: 12, sym: 'symbol' },
];

function rmText(rm: RM, size: number): string {
  return typeof rm === 'number' ? reg(rm, size) : mem(rm, size);
}

/** All pairs of registers, and each shape of memory with a few registers. */
function* pairs(sources: number[], destinations: number[]): Generator<[dst: number, src: RM]> {
  for (const dst of destinations) for (const src of sources) yield [dst, src];
  for (const [i, m] of MEMS.entries()) {
    for (const dst of [i, i + 5, i + 10]) yield [destinations[dst % destinations.length], m];
  }
}

const rms: RM[] = [...GPRS, ...MEMS];

describe('the encoder writes what GNU as writes', () => {
  it('memory operands', () => {
    const cases: Case[] = [];
    for (const base of [-1, ...GPRS]) {
      for (const index of [-1, ...GPRS]) {
        if (index === RSP) continue;
        for (const scale of [1, 2, 4, 8] as const) {
          if (index < 0 && scale > 1) continue;
          for (const disp of DISPS) {
            const m = { base, index, scale, disp };
            cases.push({ text: `mov r10d, ${mem(m, 4)}`, encode: (a) => a.load(10, m, 4, false, 4) });
          }
        }
      }
    }
    compareWithAs(cases);
  });

  it('integer arithmetic', () => {
    const cases: Case[] = [];
    for (const size of SIZES) {
      for (const op of Object.keys(ALU) as AluOp[]) {
        for (const [dst, src] of pairs(GPRS, GPRS)) {
          if (typeof src === 'number') {
            // as takes the store form between registers, the encoder the load form.
            cases.push({
              text: `${op}.s ${reg(dst, size)}, ${reg(src, size)}`,
              encode: (a) => a.alu(op, size, dst, src),
            });
            continue;
          }
          cases.push({
            text: `${op} ${reg(dst, size)}, ${mem(src, size)}`,
            encode: (a) => a.alu(op, size, dst, src),
          });
          cases.push({
            text: `${op} ${mem(src, size)}, ${reg(dst, size)}`,
            encode: (a) => a.aluMem(op, size, src, dst),
          });
        }
        for (const dst of rms) {
          for (const imm of immediates(size)) {
            const narrow = op === 'and' && size === 8 && imm >= 0 && typeof dst === 'number';
            const text = `${op} ${rmText(dst, narrow ? 4 : size)}, ${imm}`;
            cases.push({ text, encode: (a) => a.aluImm(op, size, dst, imm) });
          }
        }
      }
      for (const op of Object.keys(UNARY) as UnaryOp[]) {
        for (const rm of rms)
          cases.push({ text: `${op} ${rmText(rm, size)}`, encode: (a) => a.unary(op, size, rm) });
      }
      for (const op of Object.keys(SHIFT) as ShiftOp[]) {
        for (const rm of rms) {
          for (const count of ['cl', 1, 2, 7, 8 * size - 1] as const) {
            cases.push({
              text: `${op} ${rmText(rm, size)}, ${count}`,
              encode: (a) => a.shift(op, size, rm, count),
            });
          }
        }
      }
    }
    compareWithAs(cases);
  });

  it('tests, multiplications, bit counts', () => {
    const cases: Case[] = [];
    for (const size of SIZES) {
      for (const [b, a] of pairs(GPRS, GPRS)) {
        cases.push({ text: `test ${rmText(a, size)}, ${reg(b, size)}`, encode: (x) => x.test(size, a, b) });
      }
      for (const rm of rms) {
        for (const imm of immediates(size)) {
          // A register can be tested in a smaller size when the flags are the same.
          const inReg = typeof rm === 'number' && imm >= 0;
          const as = inReg && imm <= 127 ? 1 : inReg && size === 8 ? 4 : size;
          cases.push({ text: `test ${rmText(rm, as)}, ${imm}`, encode: (a) => a.testImm(size, rm, imm) });
        }
      }
    }
    for (const size of WIDE) {
      for (const [dst, src] of pairs(GPRS, GPRS)) {
        const operands = `${reg(dst, size)}, ${rmText(src, size)}`;
        cases.push({ text: `imul ${operands}`, encode: (a) => a.imul(size, dst, src) });
        for (const op of ['bsf', 'bsr', 'lzcnt', 'tzcnt', 'popcnt'] as const) {
          cases.push({ text: `${op} ${operands}`, encode: (a) => a[op](size, dst, src) });
        }
      }
      for (const rm of rms) {
        for (const imm of immediates(size)) {
          const text = `imul ${reg(9, size)}, ${rmText(rm, size)}, ${imm}`;
          cases.push({ text, encode: (a) => a.imulImm(size, 9, rm, imm) });
        }
        cases.push({ text: `bt ${rmText(rm, size)}, 13`, encode: (a) => a.bt(size, rm, 13) });
      }
      cases.push({ text: { 2: 'cwd', 4: 'cdq', 8: 'cqo' }[size as 2], encode: (a) => a.cdq(size) });
    }
    for (const size of TWO) {
      for (const r of GPRS) cases.push({ text: `bswap ${reg(r, size)}`, encode: (a) => a.bswap(size, r) });
    }
    compareWithAs(cases);
  });

  it('moves', () => {
    const cases: Case[] = [];
    for (const dst of GPRS) {
      for (const src of GPRS) {
        for (const size of TWO) {
          cases.push({
            text: `mov ${reg(dst, size)}, ${reg(src, size)}`,
            encode: (a) => a.mov(size, dst, src),
          });
        }
      }
      for (const imm of [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn]) {
        cases.push({ text: `mov ${reg(dst, 4)}, ${imm}`, encode: (a) => a.movImm(dst, imm, 8) });
        cases.push({ text: `mov ${reg(dst, 4)}, ${imm}`, encode: (a) => a.movImm(dst, Number(imm), 4) });
      }
      cases.push({ text: `mov ${reg(dst, 4)}, -2`, encode: (a) => a.movImm(dst, -2, 4) });
      for (const imm of [-1n, -0x80000000n]) {
        cases.push({ text: `mov ${reg(dst)}, ${imm}`, encode: (a) => a.movImm(dst, imm, 8) });
        cases.push({ text: `mov ${reg(dst)}, ${imm}`, encode: (a) => a.movImm(dst, Number(imm), 8) });
      }
      for (const imm of [-0x80000001n, 0x100000000n, 0x123456789abcdef0n, 1n << 63n, 0xffffffff7fffffffn]) {
        const text = `movabs ${reg(dst)}, 0x${BigInt.asUintN(64, imm).toString(16)}`;
        cases.push({ text, encode: (a) => a.movImm(dst, imm, 8) });
      }
    }
    for (const m of MEMS) {
      for (const r of [0, 4, 7, 11]) {
        for (const size of TWO) {
          cases.push({ text: `lea ${reg(r, size)}, ${mem(m, 0)}`, encode: (a) => a.lea(size, r, m) });
        }
        for (const width of [1, 2, 4, 8] as const) {
          cases.push({ text: `mov ${mem(m, width)}, ${reg(r, width)}`, encode: (a) => a.store(m, r, width) });
          for (const size of TWO) {
            for (const signed of [false, true]) {
              if (width > size) continue;
              const mnemonic =
                width < 4
                  ? signed
                    ? 'movsx'
                    : 'movzx'
                  : signed && width === 4 && size === 8
                    ? 'movsxd'
                    : 'mov';
              const to = signed && width < 8 ? size : Math.max(width, 4);
              const text = `${mnemonic} ${reg(r, to)}, ${mem(m, width)}`;
              cases.push({ text, encode: (a) => a.load(r, m, width, signed, size) });
            }
          }
        }
      }
      for (const width of [1, 2, 4, 8] as const) {
        for (const imm of immediates(width)) {
          cases.push({ text: `mov ${mem(m, width)}, ${imm}`, encode: (a) => a.storeImm(m, imm, width) });
        }
      }
    }
    for (const [dst, src] of pairs(GPRS, GPRS)) {
      for (const width of [1, 2] as const) {
        const text = `movzx ${reg(dst, 4)}, ${rmText(src, width)}`;
        cases.push({ text, encode: (a) => a.movzx(dst, src, width) });
        for (const size of TWO) {
          const text = `movsx ${reg(dst, size)}, ${rmText(src, width)}`;
          cases.push({ text, encode: (a) => a.movsx(dst, src, width, size) });
        }
      }
      cases.push({ text: `movsxd ${reg(dst)}, ${rmText(src, 4)}`, encode: (a) => a.movsx(dst, src, 4, 8) });
    }
    compareWithAs(cases);
  });

  it('conditions, stack, exchange, control', () => {
    const cases: Case[] = [];
    for (const cc of Object.keys(COND) as Cond[]) {
      for (const rm of rms) cases.push({ text: `set${cc} ${rmText(rm, 1)}`, encode: (a) => a.setcc(cc, rm) });
      for (const size of WIDE) {
        for (const [dst, src] of pairs([0, 5, 9], [1, 15])) {
          const text = `cmov${cc} ${reg(dst, size)}, ${rmText(src, size)}`;
          cases.push({ text, encode: (a) => a.cmov(cc, size, dst, src) });
        }
      }
    }
    for (const rm of rms) {
      const text = rmText(rm, 8);
      cases.push({ text: `push ${text}`, encode: (a) => a.push(rm) });
      cases.push({ text: `pop ${text}`, encode: (a) => a.pop(rm) });
      cases.push({ text: `jmp ${text}`, encode: (a) => a.jmpRm(rm) });
      cases.push({ text: `call ${text}`, encode: (a) => a.callRm(rm) });
    }
    for (const size of SIZES) {
      for (const [r, rm] of pairs(GPRS, GPRS)) {
        if (rm === 0 && r === 0 && size !== 4) continue; // as makes a no-operation of it
        const operands = `${rmText(rm, size)}, ${reg(r, size)}`;
        cases.push({ text: `xchg ${operands}`, encode: (a) => a.xchg(size, rm, r) });
        if (typeof rm === 'number') continue;
        for (const op of ['xadd', 'cmpxchg'] as const) {
          const encode: Case['encode'] = (a) => {
            a.lock();
            a[op](size, rm, r);
          };
          cases.push({ text: `lock; ${op} ${operands}`, encode });
        }
      }
    }
    cases.push({ text: 'ret', encode: (a) => a.ret(0) });
    cases.push({ text: 'ret 0x1230', encode: (a) => a.ret(0x1230) });
    compareWithAs(cases);
  });

  it('floating point', () => {
    const cases: Case[] = [];
    for (const op of Object.keys(SSE) as SseOp[]) {
      const toInteger = op.startsWith('movmsk');
      const shift = SSE_SHIFT_IMM[op] !== undefined;
      const imm = /^(cmp|shuf|pshuf|round)/.test(op) ? 3 : undefined;
      for (const [dst, src] of pairs(XMMS, toInteger ? GPRS : XMMS)) {
        if (typeof src === 'number' ? op === 'movd' : toInteger) continue;
        const to = toInteger ? reg(dst, 4) : reg(dst);
        const text = `${op} ${to}, ${rmText(src, sseBytes(op))}${imm === undefined ? '' : `, ${imm}`}`;
        cases.push({ text, encode: (a) => a.sse(op, dst, src, imm) });
      }
      for (const r of shift ? XMMS : []) {
        cases.push({ text: `${op} ${reg(r)}, 31`, encode: (a) => a.sse(op, r, r, 31) });
      }
    }
    for (const op of Object.keys(SSE_STORE) as (keyof typeof SSE_STORE)[]) {
      for (const m of MEMS) {
        for (const r of [16, 31]) {
          cases.push({
            text: `${op} ${mem(m, sseBytes(op))}, ${reg(r)}`,
            encode: (a) => a.sseStore(op, m, r),
          });
        }
      }
    }
    for (const size of TWO) {
      for (const [x, rm] of pairs(GPRS, XMMS)) {
        const mov = size === 4 ? 'movd' : 'movq';
        cases.push({
          text: `${mov} ${reg(x)}, ${rmText(rm, size)}`,
          encode: (a) => a.movGprToXmm(size, x, rm),
        });
        for (const op of ['cvtsi2ss', 'cvtsi2sd'] as const) {
          const text = `${op} ${reg(x)}, ${rmText(rm, size)}`;
          cases.push({ text, encode: (a) => a.cvtIntToFloat(op, size, x, rm) });
        }
        if (typeof rm !== 'number') continue;
        cases.push({ text: `${mov} ${reg(rm, size)}, ${reg(x)}`, encode: (a) => a.movXmmToGpr(size, rm, x) });
      }
      for (const [r, rm] of pairs(XMMS, GPRS)) {
        for (const op of ['cvttss2si', 'cvttsd2si'] as const) {
          const text = `${op} ${reg(r, size)}, ${rmText(rm, op === 'cvttss2si' ? 4 : 8)}`;
          cases.push({ text, encode: (a) => a.cvtFloatToInt(op, size, r, rm) });
        }
      }
    }
    compareWithAs(cases);
  });

  it('the instructions of the machine', () => {
    const cases: Case[] = [];
    const plain =
      'ud2 hlt cli sti cld pause lfence mfence sfence cpuid rdtsc rdmsr wrmsr pushfq popfq int3 iretq';
    for (const text of plain.split(' ')) {
      const method = text as 'ud2';
      cases.push({ text, encode: (a) => a[method]() });
    }
    cases.push(
      { text: 'rep movsb', encode: (a) => a.repMovsb() },
      { text: 'rep movsq', encode: (a) => a.repMovsq() },
    );
    cases.push(
      { text: 'rep stosb', encode: (a) => a.repStosb() },
      { text: 'rep stosq', encode: (a) => a.repStosq() },
    );
    for (const width of [1, 2, 4] as const) {
      cases.push({ text: `in ${reg(0, width)}, dx`, encode: (a) => a.in(width) });
      cases.push({ text: `out dx, ${reg(0, width)}`, encode: (a) => a.out(width) });
    }
    for (const r of GPRS) cases.push({ text: `mov ${reg(r, 4)}, gs:[0]`, encode: (a) => a.loadGs(r) });
    for (const cr of [0, 2, 3, 4, 8]) {
      for (const r of GPRS) {
        cases.push({ text: `mov ${reg(r)}, cr${cr}`, encode: (a) => a.movFromCr(cr, r) });
        cases.push({ text: `mov cr${cr}, ${reg(r)}`, encode: (a) => a.movToCr(cr, r) });
      }
    }
    compareWithAs(cases);
  });
});

function immediates(size: number): number[] {
  const bytes = [0, 1, -1, 127, -128];
  if (size === 1) return bytes;
  const words = [...bytes, 128, -129, 0x7fff, -0x8000];
  return size === 2 ? words : [...words, 0x12345678, 0x7fffffff, -0x80000000];
}

function sseBytes(op: string): number {
  if (/^(cvtss2sd|ucomiss|movd)$/.test(op)) return 4;
  if (/^(cvtsd2ss|ucomisd|movq)$/.test(op)) return 8;
  if (/^p/.test(op)) return 16;
  return { ss: 4, sd: 8 }[op.slice(-2)] ?? 16;
}
