// The parts of a module instance as translated code sees them: globals, memory and tables as loads and stores relative to
// the context (docs/abi.md §3), with the bounds checks of the bulk operators (WebAssembly core 4.4.6 and 4.4.7).

import { FIXED_FIELDS, MEMORY_FIELDS, TABLE_FIELDS } from '../object/layout.ts';
import { type Emitter, irType } from './emitter.ts';
import type { Inst, TrapName } from './ir.ts';

// --- globals ---

export function globalGet(e: Emitter, index: number): Inst {
  const { module, layout } = e.env;
  const global = module.globals[index];
  const type = irType(global.type);
  const { offset, imported } = layout.globals[index];
  const [c] = global.init ?? [];
  if (!global.mutable && global.init?.length === 1 && c.op === 'const') return e.const(c.type, c.bits);
  if (imported) return e.nLoad(type, e.ctxLoad('i64', offset, false), 0, global.mutable);
  return e.ctxLoad(type, offset, global.mutable);
}

export function globalSet(e: Emitter, index: number, value: Inst): void {
  const { offset, imported } = e.env.layout.globals[index];
  if (imported) e.nStore(e.ctxLoad('i64', offset, false), 0, value);
  else e.ctxStore(offset, value);
}

// --- memory ---

/** The current size as the yaos_memory has it. */
export function memoryBytes(e: Emitter): Inst {
  return e.nLoad('i64', e.ctxLoad('i64', FIXED_FIELDS.memory, false), MEMORY_FIELDS.bytes);
}

/** What a bulk operator's range must lie in. In the fixed model all of the low 4 GiB are memory, and what is not
 * mapped faults by itself. */
export function memoryLimit(e: Emitter): Inst {
  return e.env.model === 'fixed' ? e.i64(2 ** 32) : memoryBytes(e);
}

/** The native address of linear memory's byte `index`, an i64. */
export function memoryAddress(e: Emitter, index: Inst): Inst {
  return e.add(e.emit('membase', 'i64', []), index);
}

/** Traps unless start + count <= limit. All are i64 below 2^33: the sum cannot wrap. */
export function checkRange(e: Emitter, start: Inst, count: Inst, limit: Inst, trap: TrapName): void {
  e.trapIf(e.emit('gtu', 'i32', [e.add(start, count), limit]), trap);
}

// --- tables ---

/** The address of the yaos_table. */
export function tablePointer(e: Emitter, index: number): Inst {
  const { offset, imported } = e.env.layout.tables[index];
  return imported ? e.ctxLoad('i64', offset, false) : e.ctxAddr(offset);
}

/** The current number of elements. */
export function tableSize(e: Emitter, index: number): Inst {
  return tableField(e, index, TABLE_FIELDS.size);
}

/** The address of element 0; it moves when the table grows. */
export function tableElements(e: Emitter, index: number): Inst {
  return tableField(e, index, TABLE_FIELDS.elems);
}

function tableField(e: Emitter, index: number, field: number): Inst {
  const { offset, imported } = e.env.layout.tables[index];
  if (imported) return e.nLoad('i64', e.ctxLoad('i64', offset, false), field);
  return e.ctxLoad('i64', offset + field, true);
}

/** The address of element `index` (i64) of an array of references. */
export function elementAddress(e: Emitter, elements: Inst, index: Inst): Inst {
  return e.add(elements, referenceBytes(e, index));
}

/** Bytes that `count` references take. */
export function referenceBytes(e: Emitter, count: Inst): Inst {
  return e.emit('shl', 'i64', [count, e.i64(3)]);
}
