// Selection of float arithmetic. Comparisons and select are in select-integer.ts, conversions in select-convert.ts.

import type { Inst } from '../ir/ir.ts';
import { Operand } from './mir.ts';
import { memOperand } from './select-memory.ts';
import { type Selector, sizeOf } from './selector.ts';

const ARITHMETIC: Record<string, string | undefined> = { fadd: 'add', fsub: 'sub', fmul: 'mul', fdiv: 'div' };
/** The rounding control of roundss and roundsd (Intel SDM 2B, ROUNDSD); bit 3 keeps quiet about inexact results. */
const ROUNDING: Record<string, number | undefined> = { fnearest: 8, ffloor: 9, fceil: 10, ftrunc: 11 };

export function lowerFloat(s: Selector, inst: Inst): boolean {
  const op = inst.op;
  const [a, b] = inst.args;
  const size = a ? sizeOf(a.type) : 4;
  const suffix = size === 4 ? 's' : 'd';
  const arithmetic = ARITHMETIC[op];
  if (arithmetic) {
    lowerArithmetic(s, inst, `${arithmetic}s${suffix}`);
    return true;
  }
  const rounding = ROUNDING[op];
  if (rounding !== undefined) {
    s.emit('sseunary', [s.def(inst), s.use(a, 'any')], { sse: `rounds${suffix}`, imm: rounding });
    return true;
  }
  switch (op) {
    case 'fsqrt':
      s.emit('sseunary', [s.def(inst), s.use(a, 'any')], { sse: `sqrts${suffix}` });
      return true;
    case 'fabs':
      maskOp(s, inst, 'andp', size === 4 ? 0x7fffffffn : 0x7fffffffffffffffn);
      return true;
    case 'fneg':
      maskOp(s, inst, 'xorp', signBit(size));
      return true;
    case 'fcopysign': {
      const ops = [s.def(inst, 'reuse', 1), s.use(a), s.lateUse(b), s.temp('float')];
      s.emit('copysign', ops, {
        size,
        sign: mask(s, signBit(size), size),
        rest: mask(s, signBit(size) - 1n, size),
      });
      return true;
    }
    case 'fmin':
    case 'fmax':
      s.emit('minmax', [s.def(inst, 'reuse', 1), s.use(a), s.lateUse(b)], { size, max: op === 'fmax' });
      return true;
    default:
      return false;
  }
}

function signBit(size: 4 | 8): bigint {
  return size === 4 ? 0x80000000n : 0x8000000000000000n;
}

/** A 16-byte constant with the pattern in every lane: andps and its like read 16 aligned bytes. */
function mask(s: Selector, bits: bigint, size: 4 | 8): string {
  const wide = size === 8 ? bits : bits | (bits << 32n);
  return s.target.constant(wide | (wide << 64n), 16);
}

function maskOp(s: Selector, inst: Inst, sse: string, bits: bigint): void {
  const size = sizeOf(inst.type);
  const data = { sse: `${sse}${size === 4 ? 's' : 'd'}`, sym: mask(s, bits, size) };
  s.emit('ssemask', [s.def(inst, 'reuse', 1), s.use(inst.args[0])], data);
}

/** a op b with b from a register, a spill slot, a constant in memory or a folded load. Never exchanged: which
 * operand's NaN comes out is the first one's, as everywhere else in the instruction set. */
function lowerArithmetic(s: Selector, inst: Inst, sse: string): void {
  const [a, b] = inst.args;
  const size = sizeOf(inst.type);
  const ops = [s.def(inst, 'reuse', 1), s.use(a)];
  if (b.op === 'const' && BigInt(b.imm) !== 0n) {
    const mem = {
      base: -1,
      index: -1,
      scale: 1 as const,
      disp: 0,
      sym: s.target.constant(BigInt(b.imm), size),
    };
    s.emit('sse', ops, { sse, mem });
  } else if (s.foldableLoad(b, size)) {
    s.emit('sse', ops, { sse, mem: memOperand(s, b, ops) });
  } else {
    ops.push(new Operand(s.value(b), 'use', 'any'));
    s.emit('sse', ops, { sse });
  }
}
