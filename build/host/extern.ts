// What a host provides for import, and whether it matches what a module wants (WebAssembly core 4.5.3, "External
// Typing" and "Import Matching"). `symbol` is the C object or function of the runtime that stands behind it.

import type { FuncType, Limits, RefType, ValType, WasmModule } from '../wasm/module.ts';

export type HostExtern = { symbol: string } & (
  | { kind: 'func'; type: FuncType }
  | { kind: 'global'; type: ValType; mutable: boolean }
  | ({ kind: 'table'; element: RefType } & Limits)
  | ({ kind: 'memory'; shared: boolean } & Limits)
);

/** The externs of a host module by name. */
export type HostModule = Map<string, HostExtern>;

/** What import number `n` of the module is filled with; an error's message if nothing fits. */
export function findImport(
  module: WasmModule,
  n: number,
  hosts: Map<string, HostModule>,
): HostExtern | string {
  const wanted = module.imports[n];
  const given = hosts.get(wanted.module)?.get(wanted.name);
  const where = `import ${JSON.stringify(wanted.module)} ${JSON.stringify(wanted.name)}`;
  if (!given) return `${where}: unknown import${hint(wanted.module, hosts)}`;
  if (given.kind === wanted.kind && matches(module, wanted.index, given)) return given;
  const wantedText = describeWanted(module, wanted.kind, wanted.index);
  return `${where}: incompatible import type: the module wants ${wantedText}, the host has ${describe(given)}`;
}

function hint(name: string, hosts: Map<string, HostModule>): string {
  if (hosts.has(name)) return '';
  if (name === 'spectest') return ' (--spectest provides that module)';
  if (name === 'wasi_snapshot_preview1') return ' (--wasi provides that module)';
  return ' (only --spectest and --wasi provide modules)';
}

function matches(module: WasmModule, index: number, given: HostExtern): boolean {
  switch (given.kind) {
    case 'func':
      return describe(given) === describeWanted(module, 'func', index);
    case 'global': {
      const wanted = module.globals[index];
      return wanted.type === given.type && wanted.mutable === given.mutable;
    }
    case 'table': {
      const wanted = module.tables[index];
      return wanted.element === given.element && limitsMatch(given, wanted);
    }
    case 'memory': {
      const wanted = module.memories[index];
      return wanted.shared === given.shared && limitsMatch(given, wanted);
    }
  }
}

function limitsMatch(given: Limits, wanted: Limits): boolean {
  if (given.min < wanted.min) return false;
  return wanted.max === undefined || (given.max !== undefined && given.max <= wanted.max);
}

function describeWanted(module: WasmModule, kind: HostExtern['kind'], index: number): string {
  const symbol = '';
  switch (kind) {
    case 'func':
      return describe({ symbol, kind, type: module.funcs[index].type });
    case 'global':
      return describe({ symbol, kind, ...pick(module.globals[index]) });
    case 'table':
      return describe({ ...module.tables[index], symbol, kind });
    case 'memory':
      return describe({ ...module.memories[index], symbol, kind });
  }
}

function pick({ type, mutable }: { type: ValType; mutable: boolean }): { type: ValType; mutable: boolean } {
  return { type, mutable };
}

/** In the text format's words. */
function describe(extern: HostExtern): string {
  const limits = (l: Limits): string => (l.max === undefined ? `${l.min}` : `${l.min} ${l.max}`);
  switch (extern.kind) {
    case 'func':
      return `func (${extern.type.params.join(' ')}) -> (${extern.type.results.join(' ')})`;
    case 'global':
      return `global ${extern.mutable ? `(mut ${extern.type})` : extern.type}`;
    case 'table':
      return `table ${limits(extern)} ${extern.element}`;
    case 'memory':
      return `memory ${limits(extern)}${extern.shared ? ' shared' : ''}`;
  }
}
