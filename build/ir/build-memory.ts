// Loads, stores, memory.size and memory.grow, and the bulk operators on memory. Plain accesses need no bounds check:
// what is out of bounds faults (docs/abi.md §1).

import { memArg, memoryIndex } from '../wasm/types.ts';
import type { FuncBuilder } from './build.ts';
import { checkRange, memoryAddress, memoryBytes, memoryLimit } from './instance.ts';
import type { Inst, Type } from './ir.ts';

type Access = [type: Type, width: number, signed: boolean];

/** Opcodes 0x28 to 0x35. */
const LOADS: Access[] = [
  ['i32', 4, false],
  ['i64', 8, false],
  ['f32', 4, false],
  ['f64', 8, false],
  ['i32', 1, true],
  ['i32', 1, false],
  ['i32', 2, true],
  ['i32', 2, false],
  ['i64', 1, true],
  ['i64', 1, false],
  ['i64', 2, true],
  ['i64', 2, false],
  ['i64', 4, true],
  ['i64', 4, false],
];
/** Widths of opcodes 0x36 to 0x3e. */
const STORES = [4, 8, 4, 8, 1, 2, 1, 2, 4];

const PAGE_SHIFT = 16;

export function buildMemory(b: FuncBuilder, opcode: number): void {
  if (opcode <= 0x35) buildLoad(b, LOADS[opcode - 0x28]);
  else if (opcode <= 0x3e) buildStore(b, STORES[opcode - 0x36]);
  else {
    memoryIndex(b.reader);
    b.push(opcode === 0x3f ? memorySize(b) : memoryGrow(b, b.pop()));
  }
}

function buildLoad(b: FuncBuilder, [type, width, signed]: Access): void {
  const { offset } = memArg(b.reader);
  const load = b.e.emit('load', type, [b.pop()]);
  load.offset = offset;
  load.width = width;
  load.signed = signed;
  b.push(load);
}

function buildStore(b: FuncBuilder, width: number): void {
  const { offset } = memArg(b.reader);
  const value = b.pop();
  const store = b.e.emit('store', 'none', [b.pop(), value]);
  store.offset = offset;
  store.width = width;
}

function memorySize({ e }: FuncBuilder): Inst {
  const pages = e.emit('shru', 'i64', [memoryBytes(e), e.i64(PAGE_SHIFT)]);
  return e.emit('wrap', 'i32', [pages]);
}

function memoryGrow({ e }: FuncBuilder, pages: Inst): Inst {
  return e.libcall('yaos_memory_grow', 'i32', [e.ctxAddr(0), pages]);
}

/** Operators behind the prefix 0xfc, numbers 8 to 11. */
export function buildBulk(b: FuncBuilder, opcode: number): void {
  const { reader } = b;
  switch (opcode) {
    case 8: {
      const segment = reader.u32();
      memoryIndex(reader);
      memoryInit(b, segment);
      break;
    }
    case 9:
      b.e.ctxStore(b.env.layout.datas[reader.u32()].lengthOffset, b.e.i64(0));
      break;
    case 10:
      memoryIndex(reader);
      memoryIndex(reader);
      memoryCopy(b);
      break;
    case 11:
      memoryIndex(reader);
      memoryFill(b);
      break;
  }
}

/** The symbol of a data segment's bytes. */
export function dataSymbol(segment: number): string {
  return `yaos_data_${segment}`;
}

function memoryInit(b: FuncBuilder, segment: number): void {
  const { e } = b;
  const [to, from, count] = b.popMany(3).map((v) => e.zext(v));
  checkRange(e, from, count, e.ctxLoad('i64', b.env.layout.datas[segment].lengthOffset, true), 'memory');
  checkRange(e, to, count, memoryLimit(e), 'memory');
  e.emit('memcopy', 'none', [memoryAddress(e, to), e.add(e.symAddr(dataSymbol(segment)), from), count]);
}

function memoryCopy(b: FuncBuilder): void {
  const { e } = b;
  const [to, from, count] = b.popMany(3).map((v) => e.zext(v));
  const limit = memoryLimit(e);
  checkRange(e, from, count, limit, 'memory');
  checkRange(e, to, count, limit, 'memory');
  e.emit('memcopy', 'none', [memoryAddress(e, to), memoryAddress(e, from), count]);
}

function memoryFill(b: FuncBuilder): void {
  const { e } = b;
  const count = e.zext(b.pop());
  const value = b.pop();
  const to = e.zext(b.pop());
  checkRange(e, to, count, memoryLimit(e), 'memory');
  e.emit('memfill', 'none', [memoryAddress(e, to), value, count]);
}
