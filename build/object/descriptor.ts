// The module descriptor of the register memory model (docs/abi.md §5): struct yaos_module of runtime/yaosrt.h and all
// that it points at, field by field, in .data.rel.ro. It is how the runtime knows the module's imports and exports.

import type { FuncType, ImportName, ValType, WasmExport, WasmModule } from '../wasm/module.ts';
import { ByteWriter } from './bytes.ts';
import type { ElfObject, ElfSection, ElfSymbol } from './elf.ts';
import { interfaceHash } from './interface.ts';
import type { ContextLayout } from './layout.ts';
import type { Program } from './program.ts';
import { INVOKE_INIT, importThunkKey, invokeKey, linkThunkKey } from './trampolines.ts';

/** YAOS_ABI_VERSION and YAOS_NO_MAX. */
const ABI_VERSION = 3;
const NO_MAX = 2n ** 64n - 1n;

export const TYPE_CODE: Record<ValType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  funcref: 0x70,
  externref: 0x6f,
};
export const KIND_CODE = { func: 0, table: 1, memory: 2, global: 3 } as const;

const TABLES = ['funcs', 'info', 'strings'] as const;

export interface DescriptorOptions {
  /** The descriptor's symbol. */
  name: string;
  /** The key of the init function in the program. */
  init: string;
  /** yaos_text and so on, with their ends. */
  symbols: ReadonlyMap<string, ElfSymbol>;
  /** What types are compared by, by type index. */
  typeIds: readonly number[];
}

/** Where a pointer points: into the descriptor's own section, to code in .text, or to a symbol (a global one by name). */
type Target = { own: number } | { text: number } | { symbol: string | ElfSymbol };

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
  const signatures = module.types.map((_, i) => i).filter((i) => module.canonicalTypes[i] === i);
  signatures.sort((a, b) => options.typeIds[a] - options.typeIds[b]);
  const numbers = new Map(signatures.map((type, n) => [type, n]));
  const numberOf: NumberOf = (type) => numbers.get(module.canonicalTypes[type])!;
  const arrays = {
    signatures: writeSignatures(w, module, program, options.typeIds, signatures),
    imports: writeImports(w, module),
    importFuncs: writeImportFuncs(w, module, layout, program, numberOf),
    globals: writeGlobals(w, module, layout),
    tables: writeTables(w, module, layout),
    memories: writeMemories(w, module),
    exports: writeExports(w, module, layout, numberOf),
  };
  const at = w.align();
  w.out.u32(ABI_VERSION);
  w.out.u32(signatures.length);
  w.out.u64(layout.size);
  w.out.u64(interfaceHash(module));
  w.pointer(code(options.init));
  w.pointer(code(INVOKE_INIT));
  for (const array of Object.values(arrays)) w.pointer({ own: array });
  w.out.u32(module.imports.length);
  w.out.u32(module.funcs.filter((f) => f.import).length);
  for (const space of [module.globals, module.tables, module.memories, module.exports])
    w.out.u32(space.length);
  for (const part of ['text', ...TABLES]) {
    w.pointer({ symbol: options.symbols.get(`yaos_${part}`)! });
    w.pointer({ symbol: options.symbols.get(`yaos_${part}_end`)! });
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

/** The number of a type's signature. */
type NumberOf = (typeIndex: number) => number;

/** struct yaos_signature, one for each canonical type in `order`: sorted by id. */
function writeSignatures(
  w: DescriptorWriter,
  module: WasmModule,
  program: Program,
  typeIds: readonly number[],
  order: number[],
): number {
  const types = order.map((i) => w.bytes(typeCodes(module.types[i])));
  const at = w.align();
  order.forEach((i, n) => {
    const { params, results } = module.types[i];
    w.pointer(codeOf(program, invokeKey(i)));
    w.pointer({ own: types[n] });
    w.out.u32(typeIds[i]);
    w.out.u32(params.length);
    w.out.u32(results.length);
    w.out.u32(0);
  });
  return at;
}

function codeOf(program: Program, key: string): Target | undefined {
  const text = program.offsetOf(key);
  return text === undefined ? undefined : { text };
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
  program: Program,
  numberOf: NumberOf,
): number {
  const at = w.align();
  for (const f of module.funcs.filter((f) => f.import)) {
    const type = module.canonicalTypes[f.typeIndex];
    w.pointer(codeOf(program, importThunkKey(type)));
    w.pointer(codeOf(program, linkThunkKey(type)));
    w.out.u32(numberOf(type));
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

export function sortedExports(module: WasmModule): WasmExport[] {
  return module.exports.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

/** struct yaos_export, in the order of the names' bytes. */
function writeExports(
  w: DescriptorWriter,
  module: WasmModule,
  layout: ContextLayout,
  numberOf: NumberOf,
): number {
  const sorted = sortedExports(module);
  const names = sorted.map((e) => w.name(e.name));
  const at = w.align();
  sorted.forEach((e, n) => {
    const func = e.kind === 'func' ? module.funcs[e.index] : undefined;
    names[n]();
    w.out.u32(KIND_CODE[e.kind]);
    w.out.u32(e.index);
    w.out.u32(func ? numberOf(func.typeIndex) : 0);
    w.out.u32(func ? layout.descriptors.get(e.index)! >>> 0 : 0);
  });
  return at;
}
