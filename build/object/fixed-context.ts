// The context of a module in the fixed memory model: there is one instance, so its context, memory and tables are
// static data of the object (docs/abi.md §3).

import type { WasmModule } from '../wasm/module.ts';
import type { ElfObject } from './elf.ts';
import { type ContextLayout, FIXED_FIELDS, FUNC_FIELDS, MEMORY_FIELDS, TABLE_FIELDS } from './layout.ts';

const MEMORY_BYTES = 32;
const WASM_PAGE = 65536n;
const MAX_PAGES = 65536n;

/** Adds sections .data and .bss with `yaos_context`, `yaos_memory` and the tables' elements. */
export function writeFixedContext(
  elf: ElfObject,
  module: WasmModule,
  layout: ContextLayout,
  symbolOfImport: (index: number) => string,
): void {
  const bytes = new Uint8Array(layout.size + MEMORY_BYTES);
  const view = new DataView(bytes.buffer);
  const end = layout.size;
  const data = elf.section('.data', { type: 'progbits', flags: 'aw', align: 16, bytes });
  elf.symbol({ name: 'yaos_context', binding: 'global', type: 'object', section: data, value: end });
  elf.symbol({
    name: 'yaos_memory',
    binding: 'global',
    type: 'object',
    section: data,
    value: end,
    size: MEMORY_BYTES,
  });

  const memory = module.memories[0];
  if (memory) {
    elf.relocation(data, end + FIXED_FIELDS.memory, 'abs64', data, end);
    view.setBigUint64(end + MEMORY_FIELDS.bytes, BigInt(memory.min) * WASM_PAGE, true);
    view.setBigUint64(
      end + MEMORY_FIELDS.maxPages,
      memory.max === undefined ? MAX_PAGES : BigInt(memory.max),
      true,
    );
    view.setBigUint64(end + MEMORY_FIELDS.flags, memory.shared ? 1n : 0n, true);
  }

  const elements = module.tables.reduce((n, t) => n + t.min, 0);
  const bss = elf.section('.bss', { type: 'nobits', flags: 'aw', align: 16, size: 8 * elements });
  let at = 0;
  module.tables.forEach((table, i) => {
    const offset = end + layout.tables[i].offset;
    elf.relocation(data, offset, 'abs64', bss, at);
    view.setBigUint64(offset + TABLE_FIELDS.size, BigInt(table.min), true);
    view.setBigUint64(offset + TABLE_FIELDS.max, BigInt(table.max ?? 0xffffffff), true);
    at += 8 * table.min;
  });

  for (const [index, offset] of layout.descriptors) {
    const func = module.funcs[index];
    if (!func.import) continue; // the init function fills the descriptors of the module's own functions
    elf.relocation(data, end + offset, 'abs64', symbolOfImport(index), 0);
    view.setUint32(end + offset + FUNC_FIELDS.type, module.canonicalTypes[func.typeIndex], true);
    view.setUint32(end + offset + FUNC_FIELDS.index, index, true);
  }
}
