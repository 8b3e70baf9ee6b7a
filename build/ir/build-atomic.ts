// Atomics (threads proposal). The alignment of the address is checked first, then the access faults by itself if it is
// out of bounds.

import { memArg } from '../wasm/types.ts';
import type { FuncBuilder } from './build.ts';
import { memoryAddress } from './instance.ts';
import type { Inst, Op, Rmw, Type } from './ir.ts';

/** Every group of opcodes from 0x10 on has these seven. */
const SHAPES: [type: Type, width: number][] = [
  ['i32', 4],
  ['i64', 8],
  ['i32', 1],
  ['i32', 2],
  ['i64', 1],
  ['i64', 2],
  ['i64', 4],
];
const RMW: (Rmw | undefined)[] = [undefined, undefined, 'add', 'sub', 'and', 'or', 'xor', 'xchg'];
const FENCE = 3;

/** Operators behind the prefix 0xfe. */
export function buildAtomic(b: FuncBuilder, opcode: number): void {
  if (opcode === FENCE) {
    b.reader.u8();
    b.e.emit('fence', 'none', []);
    return;
  }
  const { offset } = memArg(b.reader);
  if (opcode === 0) buildNotify(b, offset);
  else if (opcode < FENCE) buildWait(b, opcode === 1 ? 'i32' : 'i64', offset);
  else {
    const [type, width] = SHAPES[(opcode - 0x10) % 7];
    buildAccess(b, Math.floor((opcode - 0x10) / 7), type, width, offset);
  }
}

/** Groups in the order of the opcodes: load, store, six read-modify-writes, compare-and-exchange. */
function buildAccess(b: FuncBuilder, group: number, type: Type, width: number, offset: number): void {
  const op: Op = group === 0 ? 'aload' : group === 1 ? 'astore' : group === 8 ? 'acmpxchg' : 'armw';
  const args = b.popMany(group === 0 ? 1 : group === 8 ? 3 : 2);
  checkAligned(b, args[0], offset, width);
  const inst = b.e.emit(op, group === 1 ? 'none' : type, args);
  inst.offset = offset;
  inst.width = width;
  inst.rmw = RMW[group];
  if (group !== 1) b.push(inst);
}

function checkAligned(b: FuncBuilder, index: Inst, offset: number, width: number): void {
  if (width === 1) return;
  const { e } = b;
  const low = offset % width;
  const sum = low === 0 ? index : e.add(index, e.i32(low));
  e.trapIf(e.emit('and', 'i32', [sum, e.i32(width - 1)]), 'unaligned');
}

/** A load for the sake of its trap. */
function probe(b: FuncBuilder, index: Inst, offset: number, width: number): void {
  const load = b.e.emit('load', width === 8 ? 'i64' : 'i32', [index]);
  load.offset = offset;
  load.width = width;
}

/** The checked native address of a wait or notify. */
function checkedAddress(b: FuncBuilder, index: Inst, offset: number, width: number): Inst {
  const { e } = b;
  checkAligned(b, index, offset, width);
  probe(b, index, offset, width);
  return memoryAddress(e, e.add(e.zext(index), e.i64(offset)));
}

function buildNotify(b: FuncBuilder, offset: number): void {
  const [index, count] = b.popMany(2);
  const address = checkedAddress(b, index, offset, 4);
  b.push(b.e.libcall('yaos_notify', 'i32', [b.e.ctxAddr(0), address, count]));
}

function buildWait(b: FuncBuilder, type: 'i32' | 'i64', offset: number): void {
  const { e } = b;
  const [index, expected, timeout] = b.popMany(3);
  const address = checkedAddress(b, index, offset, type === 'i32' ? 4 : 8);
  if (!b.env.module.memories[0].shared) {
    e.trap('unshared');
    return;
  }
  const symbol = type === 'i32' ? 'yaos_wait32' : 'yaos_wait64';
  b.push(e.libcall(symbol, 'i32', [e.ctxAddr(0), address, expected, timeout]));
}
