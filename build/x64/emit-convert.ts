// Encoding of conversions between integers and floats, with WebAssembly's traps and saturation
// (core 4.3.4: trunc, trunc_sat, convert).
//
// cvttss2si and cvttsd2si give the "integer indefinite" value 0x80…0 for a NaN and for what does not fit (Intel SDM
// 2A, CVTTSD2SI). The hot path takes the instruction's answer if it can't be that; the rest is out of line.

import type { Label, SseOp } from './asm.ts';
import type { Rule } from './emit.ts';
import { type Emitter, XMM_SCRATCH } from './emitter.ts';
import type { MInst } from './mir.ts';

const suffix = (size: unknown): 's' | 'd' => (size === 4 ? 's' : 'd');

export const convertRules: Record<string, Rule> = {
  converts(e, m) {
    const to = e.reg(m, 0);
    e.asm.sse('xorps', to, to); // cvtsi2sd keeps the upper lanes: wait for nobody
    e.asm.cvtIntToFloat(`cvtsi2s${suffix(m.data.size)}`, m.data.from as 4 | 8, to, e.rm(m, 1));
  },
  convertu64: emitConvertUnsigned,
  truncate: emitTruncate,
};

/** There is no unsigned 64-bit conversion: a value with the top bit set is halved (the lost bit kept as a sticky one,
 * so that rounding is right), converted and doubled. */
function emitConvertUnsigned(e: Emitter, m: MInst): void {
  const a = e.asm;
  const s = suffix(m.data.size);
  const [to, from, half, low] = [e.reg(m, 0), e.reg(m, 1), e.reg(m, 2), e.reg(m, 3)];
  const done = a.newLabel();
  const large = e.outOfLine(m, () => {
    a.mov(8, half, from);
    a.mov(8, low, from);
    a.shift('shr', 8, half, 1);
    a.aluImm('and', 4, low, 1);
    a.alu('or', 8, half, low);
    a.cvtIntToFloat(`cvtsi2s${s}`, 8, to, half);
    a.sse(`adds${s}`, to, to);
    a.jmp(done);
  });
  a.sse('xorps', to, to);
  a.test(8, from, from);
  a.jcc('s', large);
  a.cvtIntToFloat(`cvtsi2s${s}`, 8, to, from);
  a.bind(done);
}

interface Truncation {
  e: Emitter;
  m: MInst;
  to: number;
  from: number;
  scratch: number;
  float: number;
  s: 's' | 'd';
  done: Label;
}

function emitTruncate(e: Emitter, m: MInst): void {
  const t: Truncation = {
    e,
    m,
    to: e.reg(m, 0),
    from: e.reg(m, 1),
    scratch: e.reg(m, 2),
    float: e.reg(m, 3),
    s: suffix(m.data.from),
    done: e.asm.newLabel(),
  };
  if (m.data.size === 8) {
    if (m.data.signed) truncateToI64(t);
    else truncateToU64(t);
  } else if (m.data.signed) {
    truncateToI32(t);
  } else {
    truncateToU32(t);
  }
  e.asm.bind(t.done);
}

function convert(t: Truncation, to: number, from: number): void {
  t.e.asm.cvtFloatToInt(`cvtts${t.s}2si`, 8, to, from);
}

/** 32-bit results come from the 64-bit conversion: what does not fit in 32 bits is seen by its upper half. */
function truncateToI32(t: Truncation): void {
  const a = t.e.asm;
  convert(t, t.to, t.from);
  a.movsx(t.scratch, t.to, 4, 8);
  a.alu('cmp', 8, t.scratch, t.to);
  a.jcc('ne', outOfRange(t, -0x80000000n, 0x7fffffffn));
  a.mov(4, t.to, t.to);
}

function truncateToU32(t: Truncation): void {
  const a = t.e.asm;
  convert(t, t.to, t.from);
  a.mov(4, t.scratch, t.to);
  a.alu('cmp', 8, t.scratch, t.to);
  a.jcc('ne', outOfRange(t, 0n, 0xffffffffn));
}

function truncateToI64(t: Truncation): void {
  const a = t.e.asm;
  convert(t, t.to, t.from);
  // 0x8000000000000000 - 1 overflows, and no other number does.
  a.aluImm('cmp', 8, t.to, 1);
  const suspicious = t.e.outOfLine(t.m, () => {
    // -2^63 itself is in range, and exact in both float types.
    loadConstant(t, t.float, -(2 ** 63));
    a.sse(`ucomis${t.s}`, t.from, t.float);
    const wrong = outOfRange(t, -0x8000000000000000n, 0x7fffffffffffffffn);
    a.jcc('p', wrong);
    a.jcc('e', t.done);
    a.jmp(wrong);
  });
  a.jcc('o', suspicious);
}

function truncateToU64(t: Truncation): void {
  const a = t.e.asm;
  const wrong = outOfRange(t, 0n, 0xffffffffffffffffn);
  const large = t.e.outOfLine(t.m, () => {
    // 2^63 … 2^64-1: take 2^63 off, convert, and put it back as the top bit. NaN and below 0 end here too.
    loadConstant(t, t.float, 2 ** 63);
    a.sse(`ucomis${t.s}`, t.from, t.float);
    a.jcc('b', wrong); // less or unordered
    a.sse('movaps', XMM_SCRATCH, t.from);
    a.sse(`subs${t.s}`, XMM_SCRATCH, t.float);
    convert(t, t.to, XMM_SCRATCH);
    a.test(8, t.to, t.to);
    a.jcc('s', wrong);
    a.movImm(t.scratch, -0x8000000000000000n, 8);
    a.alu('xor', 8, t.to, t.scratch);
    a.jmp(t.done);
  });
  convert(t, t.to, t.from);
  a.test(8, t.to, t.to);
  a.jcc('s', large);
}

/** Out of line: trap with the right kind, or the saturated value. */
function outOfRange(t: Truncation, min: bigint, max: bigint): Label {
  const { e, m } = t;
  const a = e.asm;
  return e.outOfLine(m, () => {
    const nan = a.newLabel();
    a.sse(`ucomis${t.s}` as SseOp, t.from, t.from);
    a.jcc('p', nan);
    if (!m.data.saturate) {
      e.trapSite('integerOverflow');
      a.ud2();
      a.bind(nan);
      e.trapSite('invalidConversion');
      a.ud2();
      return;
    }
    const size = m.data.size as 4 | 8;
    const low = a.newLabel();
    a.sse('xorps', t.float, t.float);
    a.sse(`ucomis${t.s}` as SseOp, t.from, t.float);
    a.jcc('b', low);
    a.movImm(t.to, size === 4 ? BigInt.asIntN(32, max) : BigInt.asIntN(64, max), size);
    a.jmp(t.done);
    a.bind(low);
    a.movImm(t.to, size === 4 ? BigInt.asIntN(32, min) : min, size);
    a.jmp(t.done);
    a.bind(nan);
    a.alu('xor', 4, t.to, t.to);
    a.jmp(t.done);
  });
}

function loadConstant(t: Truncation, to: number, value: number): void {
  const size = t.s === 's' ? 4 : 8;
  const view = new DataView(new ArrayBuffer(8));
  if (size === 4) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  const bits = size === 4 ? BigInt(view.getUint32(0)) : view.getBigUint64(0);
  const sym = t.e.options.constant(bits, size);
  t.e.asm.sse(`movs${t.s}` as SseOp, to, { base: -1, index: -1, scale: 1, disp: 0, sym });
}
