// The module descriptor of the register memory model (docs/abi.md §5): struct yaos_module of runtime/yaosrt.h and all
// that it points at, field by field, in .data.rel.ro. It is how the runtime knows the module's imports and exports.

import type { FuncType, ImportName, ValType, WasmModule } from '../wasm/module.ts';
import { ByteWriter } from './bytes.ts';
import type { ElfObject, ElfSection } from './elf.ts';
import type { ContextLayout } from './layout.ts';
import type { Program } from './program.ts';
import { INVOKE_INIT, importThunkKey, invokeKey } from './trampolines.ts';

/** YAOS_ABI_VERSION and YAOS_NO_MAX. */
const ABI_VERSION = 1;
const NO_MAX = 2n ** 64n - 1n;

const TYPE_CODE: Record<ValType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  funcref: 0x70,
  externref: 0x6f,
};
export const KIND_CODE = { func: 0, table: 1, memory: 2, global: 3 } as const;

const TABLES = ['traps', 'funcs', 'lines', 'files', 'strings'] as const;

export interface DescriptorOptions {
  /** The descriptor's symbol. */
  name: string;
  /** The key of the init function in the program. */
  init: string;
}

/** Where a pointer points: into the descriptor's own section, to code in .text, or to a global symbol. */
type Target = { own: number } | { text: number } | { symbol: string };

/** Writes the descriptor; `text` holds `program`'s code. */
export function writeDescriptor(
  elf: ElfObject,
  text: ElfSection,
  program: Program,
  module: WasmModule,
  layout: ContextLayout,
  options: DescriptorOptions,
): void {
  const w = new DescriptorWriter();
  const code = (key: string): Target => ({ text: program.offsetOf(key)! });
  const arrays = {
    signatures: writeSignatures(w, module, program),
    imports: writeImports(w, module),
    importFuncs: writeImportFuncs(w, module, layout, code),
    globals: writeGlobals(w, module, layout),
    tables: writeTables(w, module, layout),
    memories: writeMemories(w, module),
    exports: writeExports(w, module, layout),
  };
  const at = w.align();
  w.out.u32(ABI_VERSION);
  w.out.u32(module.types.length);
  w.out.u64(layout.size);
  w.pointer(code(options.init));
  w.pointer(code(INVOKE_INIT));
  for (const array of Object.values(arrays)) w.pointer({ own: array });
  w.out.u32(module.imports.length);
  w.out.u32(module.funcs.filter((f) => f.import).length);
  for (const space of [module.globals, module.tables, module.memories, module.exports])
    w.out.u32(space.length);
  for (const part of ['text', ...TABLES]) {
    w.pointer({ symbol: `yaos_${part}` });
    w.pointer({ symbol: `yaos_${part}_end` });
  }
  const size = w.out.length - at;
  const section = w.finish(elf, text);
  elf.symbol({ name: options.name, binding: 'global', type: 'object', section, value: at, size });
}

/** Collects bytes and the pointers among them. */
export class DescriptorWriter {
  readonly out = new ByteWriter();
  private readonly pointers: { at: number; target: Target }[] = [];
  private readonly encoder = new TextEncoder();

  /** The next multiple of 8, where the next structure starts. */
  align(): number {
    this.out.alignTo(8);
    return this.out.length;
  }

  pointer(target: Target | undefined): void {
    if (target) this.pointers.push({ at: this.out.length, target });
    this.out.u64(0);
  }

  bytes(bytes: Uint8Array): number {
    const at = this.out.length;
    this.out.append(bytes);
    return at;
  }

  /** Places a name's bytes; returns a function that writes its struct yaos_name. */
  name(text: string): () => void {
    const bytes = this.encoder.encode(text);
    const own = this.bytes(bytes);
    return () => {
      this.pointer({ own });
      this.out.u64(bytes.length);
    };
  }

  finish(elf: ElfObject, text?: ElfSection): ElfSection {
    const bytes = this.out.written().slice();
    const section = elf.section('.data.rel.ro', { type: 'progbits', flags: 'aw', align: 8, bytes });
    for (const { at, target } of this.pointers) {
      if ('own' in target) elf.relocation(section, at, 'abs64', section, target.own);
      else if ('text' in target) elf.relocation(section, at, 'abs64', text!, target.text);
      else elf.relocation(section, at, 'abs64', target.symbol);
    }
    return section;
  }
}

/** struct yaos_signature, one for each type. Equal types share a trampoline. */
function writeSignatures(w: DescriptorWriter, module: WasmModule, program: Program): number {
  const types = module.types.map((t) => w.bytes(typeCodes(t)));
  const at = w.align();
  module.types.forEach((type, i) => {
    const text = program.offsetOf(invokeKey(module.canonicalTypes[i]));
    w.pointer(text === undefined ? undefined : { text });
    w.pointer({ own: types[i] });
    w.out.u32(type.params.length);
    w.out.u32(type.results.length);
  });
  return at;
}

function typeCodes(type: FuncType): Uint8Array {
  return Uint8Array.from([...type.params, ...type.results], (t) => TYPE_CODE[t]);
}

/** struct yaos_import */
function writeImports(w: DescriptorWriter, module: WasmModule): number {
  const names = module.imports.map((i: ImportName) => [w.name(i.module), w.name(i.name)]);
  const at = w.align();
  module.imports.forEach((i, n) => {
    for (const writeName of names[n]) writeName();
    w.out.u32(KIND_CODE[i.kind]);
    w.out.u32(i.index);
  });
  return at;
}

/** struct yaos_import_func */
function writeImportFuncs(
  w: DescriptorWriter,
  module: WasmModule,
  layout: ContextLayout,
  code: (key: string) => Target,
): number {
  const at = w.align();
  for (const f of module.funcs.filter((f) => f.import)) {
    const type = module.canonicalTypes[f.typeIndex];
    w.pointer(code(importThunkKey(type)));
    w.out.u32(type);
    w.out.u32(layout.descriptors.get(f.index)! >>> 0);
  }
  return at;
}

/** struct yaos_global_type */
function writeGlobals(w: DescriptorWriter, module: WasmModule, layout: ContextLayout): number {
  const at = w.align();
  for (const g of module.globals) {
    w.out.u8(TYPE_CODE[g.type]);
    w.out.u8(Number(g.mutable));
    w.out.u8(Number(g.import !== undefined));
    w.out.u8(0);
    w.out.u32(layout.globals[g.index].offset >>> 0);
  }
  return at;
}

/** struct yaos_table_type */
function writeTables(w: DescriptorWriter, module: WasmModule, layout: ContextLayout): number {
  const at = w.align();
  for (const t of module.tables) {
    w.out.u8(TYPE_CODE[t.element]);
    w.out.u8(Number(t.import !== undefined));
    w.out.u16(0);
    w.out.u32(layout.tables[t.index].offset >>> 0);
    w.out.u64(t.min);
    w.out.u64(t.max ?? NO_MAX);
  }
  return at;
}

/** struct yaos_memory_type */
function writeMemories(w: DescriptorWriter, module: WasmModule): number {
  const at = w.align();
  for (const m of module.memories) {
    w.out.u32(Number(m.import !== undefined));
    w.out.u32(Number(m.shared));
    w.out.u64(m.min);
    w.out.u64(m.max ?? NO_MAX);
  }
  return at;
}

/** struct yaos_export, in the order of the names' bytes. */
function writeExports(w: DescriptorWriter, module: WasmModule, layout: ContextLayout): number {
  const sorted = module.exports.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const names = sorted.map((e) => w.name(e.name));
  const at = w.align();
  sorted.forEach((e, n) => {
    const func = e.kind === 'func' ? module.funcs[e.index] : undefined;
    names[n]();
    w.out.u32(KIND_CODE[e.kind]);
    w.out.u32(e.index);
    w.out.u32(func ? module.canonicalTypes[func.typeIndex] : 0);
    w.out.u32(func ? layout.descriptors.get(e.index)! >>> 0 : 0);
  });
  return at;
}
