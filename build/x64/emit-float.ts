// Encoding of float moves and arithmetic in SSE2 (rounding in SSE4.1).

import type { Mem, SseOp } from './asm.ts';
import type { Rule } from './emit.ts';
import type { Emitter } from './emitter.ts';
import type { MInst } from './mir.ts';
import type { Cond } from './select-integer.ts';
import { invert } from './select-integer.ts';

const suffix = (size: unknown): 's' | 'd' => (size === 4 ? 's' : 'd');
const symbol = (sym: unknown): Mem => ({ base: -1, index: -1, scale: 1, disp: 0, sym: sym as string });

export const floatRules: Record<string, Rule> = {
  fconst(e, m) {
    const to = e.reg(m, 0);
    const size = m.data.size as 4 | 8;
    if (m.data.imm === 0n) e.asm.sse('xorps', to, to);
    else
      e.asm.sse(size === 4 ? 'movss' : 'movsd', to, symbol(e.options.constant(m.data.imm as bigint, size)));
  },
  fload(e, m) {
    e.asm.sse(m.data.width === 4 ? 'movss' : 'movsd', e.reg(m, 0), e.mem(m));
  },
  fstore(e, m) {
    const value = e.reg(m, 0);
    e.asm.sseStore(m.data.width === 4 ? 'movss' : 'movsd', e.mem(m), value);
  },
  sse(e, m) {
    e.asm.sse(m.data.sse as SseOp, e.reg(m, 0), e.source(m, 2));
  },
  ssemask(e, m) {
    e.asm.sse(m.data.sse as SseOp, e.reg(m, 0), symbol(m.data.sym));
  },
  /** One source, and a destination whose upper lanes the instruction would keep: cleared first, so that it waits for
   * nobody. */
  sseunary: emitUnary,
  sseconvert: emitUnary,
  minmax: emitMinMax,
  copysign(e, m) {
    const [to, sign, scratch] = [e.reg(m, 0), e.reg(m, 2), e.reg(m, 3)];
    const p = suffix(m.data.size) === 's' ? 'ps' : 'pd';
    e.asm.sse(`and${p}`, to, symbol(m.data.rest));
    e.asm.sse('movaps', scratch, sign);
    e.asm.sse(`and${p}`, scratch, symbol(m.data.sign));
    e.asm.sse(`or${p}`, to, scratch);
  },
  fselect(e, m) {
    e.setFlags(m);
    const done = e.asm.newLabel();
    e.jumpIf(invert(m.data.cond as Cond), done);
    e.asm.sse('movaps', e.reg(m, 0), e.reg(m, 2));
    e.asm.bind(done);
  },
  int2bits(e, m) {
    e.asm.movGprToXmm(m.data.size as 4 | 8, e.reg(m, 0), e.reg(m, 1));
  },
  bits2int(e, m) {
    e.asm.movXmmToGpr(m.data.size as 4 | 8, e.reg(m, 0), e.reg(m, 1));
  },
};

function emitUnary(e: Emitter, m: MInst): void {
  const to = e.reg(m, 0);
  const from = e.rm(m, 1);
  if (from !== to) e.asm.sse('xorps', to, to);
  e.asm.sse(m.data.sse as SseOp, to, from, m.data.imm as number | undefined);
}

/** WebAssembly's min and max (core 4.3.3, fmin): a NaN operand gives a NaN, and -0 is less than +0. minss does
 * neither, so equal and unordered operands go out of line. */
function emitMinMax(e: Emitter, m: MInst): void {
  const a = e.asm;
  const s = suffix(m.data.size);
  const [x, y] = [e.reg(m, 0), e.reg(m, 2)];
  const done = a.newLabel();
  const special = e.outOfLine(m, () => {
    const unordered = a.newLabel();
    a.jcc('p', unordered);
    // Equal: of two zeros the signs decide; of other equal numbers the bits are the same anyway.
    a.sse(m.data.max ? 'andps' : 'orps', x, y);
    a.jmp(done);
    a.bind(unordered);
    a.sse(`adds${s}`, x, y);
    a.jmp(done);
  });
  a.sse(`ucomis${s}`, x, y);
  a.jcc('e', special); // also if unordered: ZF, PF and CF are set
  a.sse(`${m.data.max ? 'max' : 'min'}s${s}`, x, y);
  a.bind(done);
}
