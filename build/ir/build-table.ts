// Operators on tables and element segments (WebAssembly core 4.4.6).

import type { FuncBuilder } from './build.ts';
import {
  checkRange,
  elementAddress,
  referenceBytes,
  tableElements,
  tablePointer,
  tableSize,
} from './instance.ts';
import type { Inst } from './ir.ts';

export function buildTable(b: FuncBuilder, opcode: number): void {
  const { e } = b;
  const table = b.reader.u32();
  const value = opcode === 0x26 ? b.pop() : undefined;
  const index = e.zext(b.pop());
  e.trapIf(e.emit('geu', 'i32', [index, tableSize(e, table)]), 'table');
  const address = elementAddress(e, tableElements(e, table), index);
  if (value) e.nStore(address, 0, value);
  else b.push(e.nLoad('i64', address, 0));
}

/** Operators behind the prefix 0xfc, numbers 12 to 17. */
export function buildTableBulk(b: FuncBuilder, opcode: number): void {
  const { e, reader } = b;
  const index = reader.u32();
  switch (opcode) {
    case 12:
      tableInit(b, index, reader.u32());
      break;
    case 13:
      e.ctxStore(b.env.layout.elems[index].lengthOffset, e.i64(0));
      break;
    case 14:
      tableCopy(b, index, reader.u32());
      break;
    case 15: {
      const [value, count] = b.popMany(2);
      b.push(e.libcall('yaos_table_grow', 'i32', [e.ctxAddr(0), tablePointer(e, index), count, value]));
      break;
    }
    case 16:
      b.push(e.emit('wrap', 'i32', [tableSize(e, index)]));
      break;
    case 17:
      tableFill(b, index);
      break;
  }
}

/** The range operands of copy and init, as i64. */
function rangeOperands(b: FuncBuilder): Inst[] {
  return b.popMany(3).map((v) => b.e.zext(v));
}

function tableInit(b: FuncBuilder, segment: number, table: number): void {
  const { e } = b;
  const [to, from, count] = rangeOperands(b);
  const { lengthOffset, itemsOffset } = b.env.layout.elems[segment];
  checkRange(e, from, count, e.ctxLoad('i64', lengthOffset, true), 'table');
  checkRange(e, to, count, tableSize(e, table), 'table');
  const items = elementAddress(e, e.ctxAddr(itemsOffset), from);
  e.emit('memcopy', 'none', [
    elementAddress(e, tableElements(e, table), to),
    items,
    referenceBytes(e, count),
  ]);
}

function tableCopy(b: FuncBuilder, toTable: number, fromTable: number): void {
  const { e } = b;
  const [to, from, count] = rangeOperands(b);
  checkRange(e, from, count, tableSize(e, fromTable), 'table');
  checkRange(e, to, count, tableSize(e, toTable), 'table');
  const source = elementAddress(e, tableElements(e, fromTable), from);
  e.emit('memcopy', 'none', [
    elementAddress(e, tableElements(e, toTable), to),
    source,
    referenceBytes(e, count),
  ]);
}

function tableFill(b: FuncBuilder, table: number): void {
  const { e } = b;
  const count = e.zext(b.pop());
  const value = b.pop();
  const index = e.zext(b.pop());
  checkRange(e, index, count, tableSize(e, table), 'table');
  e.libcall('yaos_table_fill', 'none', [elementAddress(e, tableElements(e, table), index), value, count]);
}
