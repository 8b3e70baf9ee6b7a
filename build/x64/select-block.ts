// Selection of memory.copy and memory.fill: of a small constant size inline, else calls of memmove and memset. The
// ranges have been checked. A copy reads all before it writes any, so that its ranges may overlap.

import type { Inst } from '../ir/ir.ts';
import { type MMem, Operand, type VReg } from './mir.ts';
import { emitLibcall } from './select-call.ts';
import { nativeAddress } from './select-memory.ts';
import { isConst, type Selector } from './selector.ts';

/** A part of a block that one instruction moves. */
export interface Piece {
  at: number;
  width: 1 | 2 | 4 | 8 | 16;
}

/** As many scratch registers as an inline copy takes at most. */
const COPY_PIECES_MAX = 4;
const FILL_PIECES_MAX = 8;
const BYTES_MAX = 64;
/** Times a byte: the byte eight times. */
const REPEAT = 0x0101010101010101n;

export function lowerBlock(s: Selector, inst: Inst): boolean {
  const copies = inst.op === 'memcopy';
  // A kernel whose code leaves the SSE registers alone has nothing of them to save on interrupts.
  const widest = copies && s.target.model === 'register' ? 16 : 8;
  const pieces = piecesOf(inst.args[2], widest, copies ? COPY_PIECES_MAX : FILL_PIECES_MAX);
  if (!pieces) emitLibcall(s, copies ? 'memmove' : 'memset', inst.args);
  else if (copies) copyInline(s, inst, pieces);
  else fillInline(s, inst, pieces);
  return true;
}

/** The parts of a block of `count` bytes: the last may overlap the one before it. Undefined if these are too many. */
function piecesOf(count: Inst, widest: number, piecesMax: number): Piece[] | undefined {
  if (!isConst(count)) return undefined;
  const bytes = Number(BigInt.asUintN(64, BigInt(count.imm)));
  if (bytes > BYTES_MAX) return undefined;
  const pieces: Piece[] = [];
  for (let at = 0; at < bytes; ) {
    const left = bytes - at;
    const above = 2 ** Math.ceil(Math.log2(left));
    const width = above <= widest && above <= bytes ? above : Math.min(above / 2, widest);
    at = Math.min(at, bytes - width);
    pieces.push({ at, width: width as Piece['width'] });
    at += width;
  }
  return pieces.length <= piecesMax ? pieces : undefined;
}

function copyInline(s: Selector, inst: Inst, pieces: Piece[]): void {
  const ops = pieces.map((piece) => s.temp(piece.width === 16 ? 'float' : 'int'));
  const to = blockAddress(s, inst.args[0], ops);
  const from = blockAddress(s, inst.args[1], ops);
  s.emit('copyblock', ops, { pieces, to, from });
}

function fillInline(s: Selector, inst: Inst, pieces: Piece[]): void {
  if (pieces.length === 0) return;
  const pattern = repeated(s, inst.args[1]);
  for (const { at, width } of pieces) {
    const ops = [new Operand(pattern, 'use')];
    const mem = blockAddress(s, inst.args[0], ops);
    s.emit('store', ops, { width, mem: { ...mem, disp: mem.disp + at } });
  }
}

/** The lowest byte of an i32 in all eight of a register. */
function repeated(s: Selector, byte: Inst): VReg {
  const constant = (imm: bigint): VReg => {
    const r = s.newVReg('int');
    s.emit('movimm', [new Operand(r, 'def')], { imm, size: 8 });
    return r;
  };
  if (isConst(byte)) return constant((BigInt(byte.imm) & 0xffn) * REPEAT);
  const [low, result] = [s.newVReg('int'), s.newVReg('int')];
  s.emit('movzx', [new Operand(low, 'def'), s.use(byte)], { width: 1 });
  const ops = [new Operand(result, 'def', 'reuse', 1), new Operand(low, 'use')];
  s.emit('imul', [...ops, new Operand(constant(REPEAT), 'use')], { size: 8 });
  return result;
}

function blockAddress(s: Selector, address: Inst, ops: Operand[]): MMem {
  // Hosted, what could fault has failed the check of the ranges; the kernel's memory has holes.
  const linear = s.target.model === 'fixed';
  // Asked for with the greatest offset, so that every piece's displacement fits.
  const mem = nativeAddress(s, address, BYTES_MAX, ops);
  return { ...mem, disp: mem.disp - BYTES_MAX, linear };
}
