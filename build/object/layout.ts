// Where everything of a module instance lies in its context (docs/abi.md §3). Offsets are relative to the context
// pointer, which points at the context's end, so all are negative.

import { WasmError, type WasmModule } from '../wasm/module.ts';

/** The fields that every context has. */
export const FIXED_FIELDS = {
  /** yaos_memory *, null without a memory. */
  memory: -8,
  /** Native address of linear memory's byte 0. */
  memoryBase: -16,
  /** The runtime's own pointer. */
  runtime: -24,
  /** The function of another instance that is about to be called. */
  foreign: -32,
} as const;

/** struct yaos_memory */
export const MEMORY_FIELDS = { base: 0, bytes: 8, maxPages: 16, flags: 24 } as const;
/** struct yaos_table */
export const TABLE_FIELDS = { elems: 0, size: 8, max: 16, bytes: 24 } as const;
/** struct yaos_func: a function's descriptor */
export const FUNC_FIELDS = { code: 0, type: 8, index: 12, context: 16, host: 24, bytes: 32 } as const;

export interface ContextLayout {
  /** Bytes below the context pointer, a multiple of 16. */
  size: number;
  /** The 8-byte cell, or the pointer to it if imported. */
  globals: { offset: number; imported: boolean }[];
  /** The yaos_table, or the pointer to it if imported. */
  tables: { offset: number; imported: boolean }[];
  /** The yaos_func of every one whose reference can be taken and, in the register model, of every imported function,
   * by function index. */
  descriptors: Map<number, number>;
  /** Element segments; only a passive one has items (the others are dropped by the end of instantiation). */
  elems: { lengthOffset: number; itemsOffset: number }[];
  datas: { lengthOffset: number }[];
  /** The code field of a yaos_func by which such a function is called; register model only. */
  crossing?: number;
}

/** Offsets are 32-bit displacements in machine code. */
const SIZE_MAX = 2 ** 30;

export function layOutContext(module: WasmModule, model: 'fixed' | 'register' = 'register'): ContextLayout {
  let used = -FIXED_FIELDS.foreign;
  const take = (bytes: number): number => {
    used += bytes;
    return -used;
  };
  const crossing = model === 'register' ? take(8) : undefined;
  const globals = module.globals.map((g) => ({ offset: take(8), imported: g.import !== undefined }));
  const tables = module.tables.map((t) => ({
    offset: take(t.import ? 8 : TABLE_FIELDS.bytes),
    imported: t.import !== undefined,
  }));
  const descriptors = new Map<number, number>();
  for (const f of module.funcs) {
    const calledByDescriptor = f.import !== undefined && model === 'register';
    if (calledByDescriptor || module.referencedFuncs.has(f.index))
      descriptors.set(f.index, take(FUNC_FIELDS.bytes));
  }
  const elems = module.elems.map((e) => {
    const lengthOffset = take(8);
    return { lengthOffset, itemsOffset: take(e.mode === 'passive' ? 8 * e.items.length : 0) };
  });
  const datas = module.datas.map(() => ({ lengthOffset: take(8) }));
  if (used > SIZE_MAX)
    throw new WasmError(`its functions and element segments need a context of ${used} bytes`);
  return { size: (used + 15) & ~15, globals, tables, descriptors, elems, datas, crossing };
}
