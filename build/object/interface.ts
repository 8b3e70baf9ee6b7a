// A fingerprint of what a module imports and exports, with types: a header and an object that were made of different
// versions of a module are told apart by it.

import { createHash } from 'node:crypto';
import type { ExternKind, WasmModule } from '../wasm/module.ts';

export function interfaceHash(module: WasmModule): bigint {
  const text = JSON.stringify([
    module.imports.map((i) => [i.module, i.name, i.kind, typeOf(module, i.kind, i.index)]),
    module.exports.map((e) => [e.name, e.kind, e.index, typeOf(module, e.kind, e.index)]),
  ]);
  return createHash('sha256').update(text).digest().readBigUInt64LE(0);
}

function typeOf(module: WasmModule, kind: ExternKind, index: number): unknown {
  switch (kind) {
    case 'func':
      return [module.funcs[index].type.params, module.funcs[index].type.results];
    case 'global':
      return [module.globals[index].type, module.globals[index].mutable];
    case 'table':
      return [module.tables[index].element, module.tables[index].min, module.tables[index].max];
    case 'memory':
      return [module.memories[index].shared, module.memories[index].min, module.memories[index].max];
  }
}
